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
  readonly timeMs: number;
  /** Address space, MiB; enforced by the shell's ulimit. */
  readonly memoryMiB: number;
}
export const usualLimits: Limits = { timeMs: 30_000, memoryMiB: 2048 };

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
  'qemu-system-arm': 'qemu-system-arm',
};
/** What to type to get a missing tool. */
export const toolHint = (name: string): string => {
  const found = packages[name];
  return found === undefined ? `${name} is not in PATH` : `${name} is not in PATH: apt-get install ${found}`;
};

export function run(
  command: readonly string[],
  options: { readonly cwd?: string; readonly input?: string; readonly limits?: Limits } = {},
): Promise<Ran> {
  const limits = options.limits ?? usualLimits;
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', `ulimit -v ${limits.memoryMiB * 1024}; exec "$@"`, 'sh', ...command], {
      cwd: options.cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    // gcc starts cc1 and as: the whole group goes.
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, limits.timeMs);
    child.stdout.on('data', (d: Buffer) => out.push(d));
    child.stderr.on('data', (d: Buffer) => {
      if (err.length < 256) err.push(d);
    });
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
