/**
 * Starting programs with limits and watching over them. Must stay true: a tool that is stopped goes with all that it has started:
 * those of its group and, where it has a namespace of process ids, whatever is in there. Imports next to nothing: it runs in a
 * small process of its own as well (starter-process.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { constants } from 'node:os';
import { Families, killGroup, Pace } from './families.ts';

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
  /** Processes at once; counted from here, as the kernel counts only those of a whole user. */
  readonly processes: number;
}
export const usualLimits: Limits = { timeMs: 30_000, memoryMiB: 2048, fileMiB: 256, processes: 64 };

/**
 * What goes with a tool. `descendants`: what it is started by makes a namespace of process ids; the shell stays its first process,
 * with which the system ends all others. `group`: a process that leaves the group is nobody's any more.
 */
export type Holds = 'descendants' | 'group';

/** How a tool is started. */
export interface Start {
  /** Programs that it is started by, each becoming the next. */
  readonly prefix: readonly string[];
  readonly holds: Holds;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Its folder for temporary files, if that is to go with it. */
  readonly folder?: string;
}
/** A program to be run to its end. */
export interface Tool extends Start {
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly input: string;
  readonly limits: Limits;
}

/** That there are too many processes, as gcc, a shell, Node and what makes namespaces say it. */
export const saysNoProcess = (text: string): boolean =>
  /fork: Resource temporarily unavailable|fork failed|Cannot fork|spawn(Sync)? \S+ EAGAIN/.test(text);

/** Most output that is kept, bytes of each stream. */
const outputLimit = 1 << 20;
const collect = (kept: Buffer[]): ((d: Buffer) => void) => {
  let bytes = 0;
  return (d) => {
    if (bytes < outputLimit) kept.push(d);
    bytes += d.length;
  };
};
/** Milliseconds between two looks at how many processes there are. */
const lookEvery = 25;

/** What the shell sets for the tool; a file's blocks have 512 bytes. The CPU's time holds when nobody is left to stop it. */
const ulimits = (l: Limits): string =>
  `ulimit -v ${l.memoryMiB * 1024}; ulimit -f ${l.fileMiB * 2048}; ulimit -t ${Math.ceil(l.timeMs / 1000) + 1}`;
/** A shell becomes its last command, so that one that is to stay needs another behind it. */
const starts: Readonly<Record<Holds, string>> = { group: 'exec "$@"', descendants: '"$@"; exit $?' };

const commandOf = ({ prefix, holds, command, limits }: Tool): readonly string[] => [
  ...prefix,
  '/bin/sh',
  '-c',
  `${ulimits(limits)}; ${starts[holds]}`,
  'sh',
  ...command,
];

type Stop = (limit: 'time' | 'processes') => void;
interface Running {
  /** 0: it did not start. */
  readonly group: number;
  readonly processes: number;
  readonly folder: string | undefined;
  readonly stop: Stop;
}

/** Tools that run at once. */
export class Tools {
  private readonly running = new Set<Running>();
  private counter: NodeJS.Timeout | undefined;

  /** Runs one to its end; never rejects. */
  async run(tool: Tool): Promise<Ran> {
    const { cwd, env, input, limits, folder } = tool;
    const [program = '', ...args] = commandOf(tool);
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    let stopped: Ran['stopped'];
    const stop: Stop = (limit) => {
      stopped = limit;
      if (child.pid !== undefined) killGroup(child.pid);
      // Who has left the group may hold them for ever.
      for (const stream of child.stdio) stream?.destroy();
    };
    const timer = setTimeout(stop, limits.timeMs, 'time');
    const one: Running = { group: child.pid ?? 0, processes: limits.processes, folder, stop };
    this.watch(one);
    const ran = await outcomeOf(child, input);
    clearTimeout(timer);
    this.leave(one);
    return { ...asToldBy(tool.holds, ran), ...(stopped !== undefined && { stopped }) };
  }

  /** Ends all of them at once, and removes their folders: nobody waits for them any more. */
  kill(): void {
    for (const { group } of this.running) if (group !== 0) killGroup(group);
    // What was killed may write for a moment still.
    for (const { folder } of this.running)
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private watch(one: Running): void {
    this.running.add(one);
    if (this.counter !== undefined) return;
    const pace = new Pace();
    this.counter = setInterval(() => {
      if (pace.due(Math.min(...[...this.running].map((r) => r.processes)))) this.count();
    }, lookEvery);
  }
  private leave(one: Running): void {
    this.running.delete(one);
    if (this.running.size > 0) return;
    clearInterval(this.counter);
    this.counter = undefined;
  }
  /** One look at the system's processes tells of all tools. */
  private count(): void {
    const families = new Families();
    for (const { group, processes, stop } of this.running) if (families.of(group) > processes) stop('processes');
  }
}

const signals = Object.entries(constants.signals) as readonly [NodeJS.Signals, number][];
/** A shell that stays tells a signal that ended the tool by an exit code above 128. */
function asToldBy(holds: Holds, ran: Ran): Ran {
  const [signal] = signals.find(([, n]) => holds === 'descendants' && n + 128 === ran.code) ?? [];
  return signal === undefined ? ran : { ...ran, code: null, signal };
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
