/**
 * Running tools with limits: a compiler that hangs, eats memory, fills the disk or forks costs one trial, not the machine. Must
 * stay true: compilers are confined, and started by a small process, so that a large one does not stand still for them.
 */
import { type Confined, confine } from './confine.ts';
import { startElsewhere } from './starter.ts';
import { type Limits, type Ran, type Start, type Tool, Tools, usualLimits } from './tools.ts';

export type { Limits, Ran } from './tools.ts';

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
      return new Tools().run(toolOf(command, options, { prefix: [], holds: 'group', env: process.env }));
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
  const ran = await startElsewhere(toolOf(command, options, place.start));
  await place.release();
  return ran;
}

const toolOf = (command: readonly string[], { cwd, input, limits }: RunOptions, start: Start): Tool => ({
  ...start,
  command,
  ...(cwd !== undefined && { cwd }),
  input: input ?? '',
  limits: { ...usualLimits, ...limits },
});

/** Whether somebody else killed it: the system for lack of memory, or a hand. A driver tells so of what it has started. */
export const wasKilled = (ran: Ran): boolean =>
  ran.stopped === undefined && (ran.signal === 'SIGKILL' || /Killed signal terminated program/.test(ran.stderr));

/** A tool that was killed says nothing of what it worked on: it gets a second chance. */
export async function runAgainIfKilled(...call: Parameters<typeof run>): Promise<Ran> {
  const ran = await run(...call);
  return wasKilled(ran) ? run(...call) : ran;
}
