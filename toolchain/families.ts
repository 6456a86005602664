/**
 * Processes that belong together: those of a group, and those of a namespace of process ids; and when to count them. Must stay
 * true: what cannot be seen is not counted, and ends nothing.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Ends all processes of a group that are still there. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What the system tells; undefined where the process ended meanwhile, or is somebody else's. */
function told(look: () => string): string | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
function groupOf(pid: string): string | undefined {
  const stat = told(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  // Behind the name, which may hold anything: state, parent, group.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[2];
}
const namespaceOf = (pid: string): string | undefined => told(() => readlinkSync(`/proc/${pid}/ns/pid`));
/** Where children of a process are. */
const namespaceBelow = (pid: number): string | undefined =>
  told(() => readlinkSync(`/proc/${pid}/ns/pid_for_children`));

/** How many processes there are now; none is told of where the system does not tell. */
export class Families {
  private readonly sizes = new Map<string, number>();
  private readonly ours = namespaceOf('self');

  constructor() {
    if (!existsSync('/proc/self/stat')) return;
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      for (const family of [groupOf(pid), namespaceOf(pid)])
        if (family !== undefined) this.sizes.set(family, (this.sizes.get(family) ?? 0) + 1);
    }
  }

  /** How many a tool has: in the group that it leads, or in the namespace that it has made for its children. */
  of(leader: number): number {
    const below = namespaceBelow(leader);
    const inside = below === undefined || below === this.ours ? 0 : (this.sizes.get(below) ?? 0);
    return Math.max(inside, this.sizes.get(String(leader)) ?? 0);
  }
}

/** How many tasks the whole system has, for the price of one small file; 0 where it does not tell. */
const systemTasks = (): number =>
  Number(told(() => readFileSync('/proc/loadavg', 'latin1'))?.match(/\/(\d+) /)?.[1] ?? 0);
/** Looks between two counts; most tools end before the first. */
const looksPerCount = 10;

/**
 * When families are to be counted: at some looks, and at once if the system has many more tasks than at a look since the last
 * count. What forks without end doubles in a millisecond, and the more there are of it, the longer a count takes.
 */
export class Pace {
  private readonly tasks: () => number;
  private looks = 0;
  /** Fewest tasks since the last count. */
  private fewest: number;

  constructor(tasks = systemTasks) {
    this.tasks = tasks;
    this.fewest = tasks();
  }

  /** Asked at each look; `limit`: as many tasks more are too many. */
  due(limit: number): boolean {
    const now = this.tasks();
    this.looks = (this.looks + 1) % looksPerCount;
    const due = this.looks === 0 || now > this.fewest + limit;
    this.fewest = due ? now : Math.min(this.fewest, now);
    return due;
  }
}
