/**
 * Starting programs with limits and watching over them. Must stay true: a tool that is stopped goes with all the processes of its
 * group. Imports nothing of ours: it runs in a small process of its own as well (starter-process.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface Ran {
  readonly code: number | null;
  /** What ended it, if it did not end by itself. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The limit at which it was stopped from here; the kernel's own show in signal and stderr. */
  readonly stopped?: 'time' | 'processes';
}
export interface Limits {
  /** Wall clock; a second more of CPU time holds even when nobody is left to stop it. */
  readonly timeMs: number;
  /** Address space of each process, MiB. */
  readonly memoryMiB: number;
  /** Largest file that it may write, MiB. */
  readonly fileMiB: number;
  /** Processes at once; looked at a few times a second, as the kernel counts only those of a whole user. */
  readonly processes: number;
}
export const usualLimits: Limits = { timeMs: 30_000, memoryMiB: 2048, fileMiB: 256, processes: 64 };

/** A program to be run to its end. */
export interface Tool {
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly input: string;
  readonly limits: Limits;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Most output that is kept, bytes of each stream. */
const outputLimit = 1 << 20;
const collect = (kept: Buffer[]): ((d: Buffer) => void) => {
  let bytes = 0;
  return (d) => {
    if (bytes < outputLimit) kept.push(d);
    bytes += d.length;
  };
};
/** gcc starts cc1 and as: the whole group goes, if it is still there. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Milliseconds between two counts of the tools' processes; most tools end before the first. */
const countEvery = 250;
/** The group of a process; undefined where it ended meanwhile. */
function groupOf(pid: string): number | undefined {
  try {
    // Behind the name, which may hold anything: state, parent, group.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return undefined;
  }
}
/** How many processes each group has; none is told of where the system does not tell. */
function processesByGroup(): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  if (!existsSync('/proc/self/stat')) return counts;
  for (const pid of readdirSync('/proc')) {
    const group = /^\d+$/.test(pid) ? groupOf(pid) : undefined;
    if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return counts;
}

/** What the shell sets before it becomes the tool; a file's blocks have 512 bytes. The CPU's time holds when nobody is left to stop it. */
const ulimits = (l: Limits): string =>
  `ulimit -v ${l.memoryMiB * 1024}; ulimit -f ${l.fileMiB * 2048}; ulimit -t ${Math.ceil(l.timeMs / 1000) + 1}; exec "$@"`;

type Stop = (limit: 'time' | 'processes') => void;
interface Running {
  /** 0: it did not start. */
  readonly group: number;
  readonly processes: number;
  readonly stop: Stop;
}

/** Tools that run at once. */
export class Tools {
  private readonly running = new Set<Running>();
  private counter: NodeJS.Timeout | undefined;

  /** Runs one to its end; never rejects. */
  async run({ command, cwd, env, input, limits }: Tool): Promise<Ran> {
    const child = spawn('/bin/sh', ['-c', ulimits(limits), 'sh', ...command], {
      cwd,
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stopped: Ran['stopped'];
    const stop: Stop = (limit) => {
      stopped = limit;
      killGroup(child.pid);
    };
    const timer = setTimeout(stop, limits.timeMs, 'time');
    const one: Running = { group: child.pid ?? 0, processes: limits.processes, stop };
    this.watch(one);
    const ran = await outcomeOf(child, input);
    clearTimeout(timer);
    this.leave(one);
    return { ...ran, ...(stopped !== undefined && { stopped }) };
  }

  /** Ends all of them at once: nobody waits for them any more. */
  kill(): void {
    for (const { group } of this.running) if (group !== 0) killGroup(group);
  }

  private watch(one: Running): void {
    this.running.add(one);
    this.counter ??= setInterval(() => this.count(), countEvery);
  }
  private leave(one: Running): void {
    this.running.delete(one);
    if (this.running.size > 0) return;
    clearInterval(this.counter);
    this.counter = undefined;
  }
  /** One look at the system's processes tells of all tools. */
  private count(): void {
    const counts = processesByGroup();
    for (const { group, processes, stop } of this.running) if ((counts.get(group) ?? 0) > processes) stop('processes');
  }
}

function outcomeOf(child: ChildProcess, input: string): Promise<Ran> {
  return new Promise((resolve) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', collect(out));
    child.stderr?.on('data', collect(err));
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      const [stdout, stderr] = [out, err].map((d) => Buffer.concat(d).toString()) as [string, string];
      resolve({ code, signal, stdout, stderr });
    };
    child.on('error', (error) => {
      err.push(Buffer.from(error.message));
      finish(127, null);
    });
    child.on('close', finish);
  });
}
