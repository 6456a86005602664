/** Options that several commands share, and how their texts become values. A wrong text is told with what would be right. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Compiler, compilers } from '../../boards/index.ts';
import type { AttachedDevice } from '../attached.ts';
import type { Wishes } from '../budgets.ts';
import { exitCodes as exitMeanings } from '../errors.ts';
import { parseTime } from '../time.ts';
import { parseWebhook } from '../webhooks/address.ts';

export interface CommonOptions {
  readonly data: string;
  /** A JSONL file of records, 'none', or absent: what the data directory knows. */
  readonly records?: string;
  readonly json?: true;
  readonly debug?: true;
}

export const defaultData = (): string => join(homedir(), '.local/share/microtune');

/** --data, --records, --json, --debug; an example and the exit codes under the help. */
export function common(command: Command, example: string): Command {
  return command
    .option('--data <dir>', 'data directory: records, models, jobs', defaultData())
    .option(
      '--records <file>',
      "records to use beside the data directory's, a JSONL file or a .db, or 'none' to use none, not even those that ship",
    )
    .option('--json', 'standard output holds only JSON')
    .addOption(new Option('--debug', 'show the stack of an unexpected error').hideHelp())
    .addHelpText('after', `\nExample:\n  $ ${example}\n\n${exitCodes}`);
}

/** Said under every --help; docs/errors.md has each code. */
export const exitCodes = `Exit codes (a failure is one line "error CODE: ..." on standard error; docs/errors.md explains each CODE):
${Object.entries(exitMeanings)
  .map(([code, meaning]) => `  ${code.padEnd(4)}${meaning}`)
  .join('\n')}`;

export interface CompilerOption {
  readonly compiler: Compiler;
}

/** --compiler. */
export const compiler = (command: Command): Command =>
  command.option(
    '--compiler <name>',
    "what makes the kernels: 'gcc', the board's own, or 'clang'; records of one are not the other's",
    oneOf(...compilers),
    'gcc',
  );
/** The same option for another process. */
export const compilerAsArguments = (o: CompilerOption): readonly string[] =>
  o.compiler === 'gcc' ? [] : ['--compiler', o.compiler];

export interface RemoteOptions {
  readonly url?: string;
  readonly tokenFile?: string;
}

/** --url, --token-file. */
export const remote = (command: Command, otherwise = 'the one of the data directory'): Command =>
  command
    .option('--url <url>', `a running daemon (default: ${otherwise})`)
    .option(
      '--token-file <file>',
      "file with the token for --url (`microtune token add`); a data directory's owner needs none",
    );

export interface BudgetOptions {
  readonly ramBudget?: number;
  readonly flashBudget?: number;
}

/** --ram-budget, --flash-budget. */
export const budgets = (command: Command): Command =>
  command
    .option(
      '--ram-budget <bytes>',
      "RAM that the network may take: arena, what is placed there, stack; a K behind it means 1024 (default: the board's)",
      byteCount,
    )
    .option(
      '--flash-budget <bytes>',
      "flash that the network's code and constants may take (default: the board's)",
      byteCount,
    );

export const wishesOf = (o: BudgetOptions): Wishes => ({
  ...(o.ramBudget !== undefined && { ramBytes: o.ramBudget }),
  ...(o.flashBudget !== undefined && { flashBytes: o.flashBudget }),
});

/** Bytes, or kibibytes with a K, of which there may be a fraction. */
export function byteCount(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(K?)$/i.exec(text) ?? [];
  const bytes = Number(number) * (unit === '' ? 1 : 1024);
  const whole = unit === '' ? bytes : Math.floor(bytes);
  if (number === undefined || whole < 1 || !Number.isSafeInteger(whole))
    throw new InvalidArgumentError('Bytes are needed, like 65536 or 64K.');
  return whole;
}

export interface DeviceOptions {
  readonly device?: readonly AttachedDevice[];
  readonly emulate?: Readonly<Record<string, number>>;
  readonly discover?: true;
  readonly powerCycle?: Readonly<Record<string, string>>;
  readonly probe?: Readonly<Record<string, string>>;
  readonly firmware?: 'any' | 'same';
  readonly checkEvery?: number;
}

/** --power-cycle, wherever devices are. */
export const powerCycle = (): Option =>
  new Option(
    '--power-cycle <board=command>',
    "shell command that takes the power of a board's device away for a moment; $1 is its address; repeatable",
  ).argParser(commandOf);

/** What a daemon works with: devices, and how it deals with them. */
export const devices = (command: Command): Command =>
  command
    .option('--device <board=where>', 'attach a board on a serial port, or at HOST:PORT; repeatable', collect(attached))
    .option('--discover', 'attach every board that answers on a serial port of this machine')
    .option('--emulate <board=n>', 'how many of a board are emulated (default: the cores); repeatable', emulated)
    .addOption(powerCycle())
    .option(
      '--probe <board=host:port>',
      "GDB server of a debug probe (OpenOCD, pyOCD, J-Link) for bulk data to a board's device; repeatable",
      gdbServerOf,
    )
    .option(
      '--firmware <which>',
      "devices with another firmware build than today's: 'any' are used with a warning, 'same' are not (default: any)",
      oneOf('any', 'same'),
    )
    .option('--check-every <n>', 'trials between two health checks of a device (default: 50)', whole(1));

/** The same options for another process. */
export const devicesAsArguments = (o: DeviceOptions): readonly string[] => [
  ...(o.device ?? []).flatMap((d) => ['--device', `${d.board}=${d.address}`]),
  ...(o.discover === true ? ['--discover'] : []),
  ...Object.entries(o.emulate ?? {}).flatMap(([board, n]) => ['--emulate', `${board}=${n}`]),
  ...Object.entries(o.powerCycle ?? {}).flatMap(([board, command]) => ['--power-cycle', `${board}=${command}`]),
  ...Object.entries(o.probe ?? {}).flatMap(([board, at]) => ['--probe', `${board}=${at}`]),
  ...(o.firmware === undefined ? [] : ['--firmware', o.firmware]),
  ...(o.checkEvery === undefined ? [] : ['--check-every', String(o.checkEvery)]),
];

/** A whole number from `min` to `max`. */
export const whole =
  (min: number, max = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const n = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (n >= min && n <= max) return n;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`A whole number ${range} is needed.`);
  };

/** One of a few words. */
export const oneOf =
  <T extends string>(...words: readonly T[]) =>
  (text: string): T => {
    const found = words.find((w) => w === text);
    if (found === undefined) throw new InvalidArgumentError(`One of ${words.join(', ')} is needed.`);
    return found;
  };

/** Options that may be repeated. */
export const collect =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[] | undefined): readonly T[] => [...(before ?? []), parse(text)];

/** BOARD=PATH or BOARD=HOST:PORT of a device that somebody attached; the daemon tells the two apart. */
export function attached(text: string): AttachedDevice {
  const [, board, address] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (board === undefined || address === undefined)
    throw new InvalidArgumentError('BOARD=PATH or BOARD=HOST:PORT is needed.');
  const port = /^[^/]+:(\d+)$/.exec(address)?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535))
    throw new InvalidArgumentError(`Port ${port} is not from 1 to 65535.`);
  return { board, address };
}

/** BOARD=N, repeated: how many of each board are emulated. */
export function emulated(
  text: string,
  before: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const [, board, n] = /^([^=]+)=(\d{1,3})$/.exec(text) ?? [];
  if (board === undefined) throw new InvalidArgumentError('BOARD=N with a whole N is needed.');
  return { ...before, [board]: Number(n) };
}

/** BOARD=HOST:PORT, or the path of a Unix socket; repeated. */
export function gdbServerOf(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, board, at] = /^([^=]+)=(\/.+|[^/]+:\d{1,5})$/.exec(text) ?? [];
  if (board === undefined || at === undefined) throw new InvalidArgumentError('BOARD=HOST:PORT is needed.');
  return { ...before, [board]: at };
}

/** BOARD=COMMAND, repeated: what takes a board's power away. */
export function commandOf(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, board, command] = /^([^=]+)=(.*\S.*)$/s.exec(text) ?? [];
  if (board === undefined || command === undefined) throw new InvalidArgumentError('BOARD=COMMAND is needed.');
  return { ...before, [board]: command };
}

/** 90s, 30m, 8h or seconds; passed on as it is once it is known to be right. */
export function wallTime(text: string): string {
  const parsed = parseTime(text);
  if (!parsed.ok) throw new InvalidArgumentError(`${parsed.error.detail}.`);
  return text;
}

/** Address of a Redis server; its password may stand in it. */
export function redis(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '')
    throw new InvalidArgumentError('An address like redis://127.0.0.1:6379 is needed.');
  return text;
}

/** An address that webhooks can be sent to. */
export function webhook(text: string): string {
  const url = parseWebhook(text);
  if (!url.ok) throw new InvalidArgumentError(`${url.error.detail}.`);
  return url.value;
}

/** ISO 8601 date or time -> the same instant in UTC. */
export function instant(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('A date or time is needed, like 2026-03-31 or 2026-03-31T12:00:00Z.');
  return new Date(ms).toISOString();
}
