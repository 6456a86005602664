/**
 * Running tools with limits: a compiler that hangs, eats memory, fills the disk or forks costs one trial, not the machine. Must
 * stay true: a tool that is stopped goes with all the processes of its group.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type Confined, confine } from './confine.ts';

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
const usualLimits: Limits = { timeMs: 30_000, memoryMiB: 2048, fileMiB: 256, processes: 64 };

/** Debian packages of the tools that we call, for messages. */
const packages: Readonly<Record<string, string>> = {
  'arm-none-eabi-gcc': 'gcc-arm-none-eabi libnewlib-arm-none-eabi',
  gcc: 'gcc libc6-dev',
  clang: 'clang',
  openocd: 'openocd',
  'qemu-system-arm': 'qemu-system-arm',
  'qemu-system-riscv32': 'qemu-system-misc',
  'st-flash': 'stlink-tools',
  'riscv64-unknown-elf-gcc': 'gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf',
};
/** What to type to get a missing tool. */
export const toolHint = (name: string): string => {
  const found = packages[name];
  return found === undefined ? `${name} is not in PATH` : `${name} is not in PATH: apt-get install ${found}`;
};

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

/** Milliseconds between two counts of a tool's processes; most tools end before the first. */
const countEvery = 250;
/** Whether a process is in a group; one that ended meanwhile is not. */
function isIn(group: number, pid: string): boolean {
  try {
    // Behind the name, which may hold anything: state, parent, group.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) === group;
  } catch {
    return false;
  }
}
/** Whether a group has more than `most` processes; where the system does not tell, it has not. */
function exceeds(group: number, most: number): boolean {
  if (!existsSync('/proc/self/stat')) return false;
  let found = 0;
  for (const pid of readdirSync('/proc')) if (/^\d+$/.test(pid) && isIn(group, pid) && ++found > most) return true;
  return false;
}

/** What the shell sets before it becomes the tool; a file's blocks have 512 bytes. The CPU's time holds when nobody is left to stop it. */
const ulimits = (l: Limits): string =>
  `ulimit -v ${l.memoryMiB * 1024}; ulimit -f ${l.fileMiB * 2048}; ulimit -t ${Math.ceil(l.timeMs / 1000) + 1}; exec "$@"`;

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  /** Those that are not given are the usual ones. */
  readonly limits?: Partial<Limits>;
  /** 'compiler', unless told: see confine.ts. 'owner': as if the daemon's owner had typed it, as what reaches for hardware must be. */
  readonly as?: 'compiler' | 'owner';
}

/** Runs a tool to its end; never rejects. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const as = options.as ?? 'compiler';
  switch (as) {
    case 'owner':
      return started(command, options, process.env);
    case 'compiler':
      return confined(command, options);
  }
}

async function confined(command: readonly string[], options: RunOptions): Promise<Ran> {
  let place: Confined;
  try {
    place = confine();
  } catch (error) {
    return { code: null, signal: null, stdout: '', stderr: error instanceof Error ? error.message : String(error) };
  }
  const ran = await started([...place.prefix, ...command], options, place.env);
  place.release();
  return ran;
}

function started(command: readonly string[], options: RunOptions, env: NodeJS.ProcessEnv): Promise<Ran> {
  const limits = { ...usualLimits, ...options.limits };
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', ulimits(limits), 'sh', ...command], {
      cwd: options.cwd,
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let stopped: Ran['stopped'];
    const stop = (limit: 'time' | 'processes'): void => {
      stopped = limit;
      killGroup(child.pid);
    };
    const timer = setTimeout(stop, limits.timeMs, 'time');
    const counter = setInterval(() => exceeds(child.pid ?? 0, limits.processes) && stop('processes'), countEvery);
    child.stdout.on('data', collect(out));
    child.stderr.on('data', collect(err));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      clearTimeout(timer);
      clearInterval(counter);
      const [stdout, stderr] = [out, err].map((d) => Buffer.concat(d).toString()) as [string, string];
      resolve({ code, signal, stdout, stderr, ...(stopped !== undefined && { stopped }) });
    };
    child.on('error', (error) => {
      err.push(Buffer.from(error.message));
      finish(127, null);
    });
    child.on('close', finish);
  });
}

/** Whether somebody else killed it: the system for lack of memory, or a hand. A driver tells so of what it has started. */
export const wasKilled = (ran: Ran): boolean =>
  ran.stopped === undefined && (ran.signal === 'SIGKILL' || /Killed signal terminated program/.test(ran.stderr));

/** A tool that was killed says nothing of what it worked on: it gets a second chance. */
export async function runAgainIfKilled(...call: Parameters<typeof run>): Promise<Ran> {
  const ran = await run(...call);
  return wasKilled(ran) ? run(...call) : ran;
}
