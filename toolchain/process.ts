/** Running tools with limits: a compiler that hangs or eats memory costs one trial, not the machine. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Set when the time limit ended it. */
  readonly timedOut: boolean;
}
export interface Limits {
  /** Wall clock; a second more of CPU time holds even when nobody is left to stop it. */
  readonly timeMs: number;
  /** Address space, MiB; enforced by the shell's ulimit. */
  readonly memoryMiB: number;
}
const usualLimits: Limits = { timeMs: 30_000, memoryMiB: 2048 };

/** Where a program lies in PATH. */
export function findTool(name: string): string | undefined {
  const dirs = (process.env.PATH ?? '').split(delimiter);
  return name.includes('/')
    ? existsSync(name)
      ? name
      : undefined
    : dirs.map((d) => join(d, name)).find((f) => existsSync(f));
}

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

export function run(
  command: readonly string[],
  options: { readonly cwd?: string; readonly input?: string; readonly limits?: Limits } = {},
): Promise<Ran> {
  const limits = options.limits ?? usualLimits;
  return new Promise((resolve) => {
    const cpuSeconds = Math.ceil(limits.timeMs / 1000) + 1;
    const limited = `ulimit -v ${limits.memoryMiB * 1024}; ulimit -t ${cpuSeconds}; exec "$@"`;
    const child = spawn('/bin/sh', ['-c', limited, 'sh', ...command], {
      cwd: options.cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, limits.timeMs);
    child.stdout.on('data', collect(out));
    child.stderr.on('data', collect(err));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const finish = (code: number | null): void => {
      clearTimeout(timer);
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), timedOut });
    };
    child.on('error', (error) => {
      err.push(Buffer.from(error.message));
      finish(127);
    });
    child.on('close', finish);
  });
}
