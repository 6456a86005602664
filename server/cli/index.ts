/**
 * The command line: one file a command in commands/, declared here in the order of --help. Must stay true: whatever goes
 * wrong ends as one line `error CODE: ...` on standard error and an exit code that is not 0, without a stack trace.
 */
import { Command, CommanderError } from 'commander';
import type { Result } from '../../compiler/result.ts';
import { errorOf } from '../errors.ts';
import { version } from '../version.ts';
import { unexpected, usage } from './failures.ts';
import { errorLine, type Io, ioOf, type Shown, type Shows, type Terminal } from './io.ts';
import { type CommonOptions, exitCodes } from './options.ts';

/** Makes a commander action of a command's body, which gets its arguments, its options and where to speak. */
export type Act = <A extends unknown[]>(body: (io: Io, ...args: A) => Shows) => (...args: A) => Promise<void>;

type Add = (program: Command, act: Act) => void;

/** By name, in the order of --help. Only what was typed is loaded: a command brings along all that it works with. */
const commands: Readonly<Record<string, () => Promise<Add>>> = {
  serve: async () => (await import('./commands/serve.ts')).addServe,
  tune: async () => (await import('./commands/tune.ts')).addTune,
  compile: async () => (await import('./commands/compile.ts')).addCompile,
  run: async () => (await import('./commands/run.ts')).addRun,
  profile: async () => (await import('./commands/profile.ts')).addProfile,
  records: async () => (await import('./commands/records.ts')).addRecords,
  query: async () => (await import('./commands/query.ts')).addQuery,
  trial: async () => (await import('./commands/trial.ts')).addTrial,
  report: async () => (await import('./commands/report.ts')).addReport,
  boards: async () => (await import('./commands/boards.ts')).addBoards,
  firmware: async () => (await import('./commands/firmware.ts')).addFirmware,
  jobs: async () => (await import('./commands/jobs.ts')).addJobs,
  devices: async () => (await import('./commands/devices.ts')).addDevices,
  worker: async () => (await import('./commands/worker.ts')).addWorker,
  token: async () => (await import('./commands/token.ts')).addToken,
  backup: async () => (await import('./commands/backup.ts')).addBackup,
  doctor: async () => (await import('./commands/data-doctor.ts')).addDataDoctor,
};

/** Runs one command and returns the exit code. `argv` holds what was typed behind the program's name. */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  const ended = await perform(argv, terminal);
  if (ended.ok) return 0;
  const { exit, advice } = errorOf(ended.error.code);
  terminal.stderr.write(`${errorLine(ended.error, advice)}\n`);
  return exit;
}

function processTerminal(): Terminal {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', () => process.exit(0));
  // Nobody reads what a daemon that was left alone has to say there; its log has it too.
  process.stderr.on('error', () => undefined);
  return process;
}

async function perform(argv: readonly string[], terminal: Terminal): Promise<Result<unknown>> {
  let ended: Result<Shown | undefined> = { ok: true, value: undefined };
  const act: Act =
    (body) =>
    async (...args) => {
      const options = (args.at(-1) as Command).opts<CommonOptions>();
      const io = ioOf(options.json === true ? 'json' : 'text', terminal);
      ended = await body(io, ...args);
      if (ended.ok && ended.value !== undefined)
        io.out(io.format === 'json' ? JSON.stringify(ended.value.json, null, 2) : ended.value.text);
    };
  try {
    const program = await programOf(act, terminal, argv[0]);
    await program.parseAsync(argv, { from: 'user' });
    return ended;
  } catch (error) {
    if (argv.includes('--debug')) console.error(error);
    if (!(error instanceof CommanderError)) return { ok: false, error: unexpected(error) };
    // Help was asked for and given.
    return error.exitCode === 0 ? ended : { ok: false, error: usage(error) };
  }
}

async function programOf(act: Act, { stdout }: Terminal, first: string | undefined): Promise<Command> {
  const program = new Command('microtune')
    .description('Tunes neural networks for microcontrollers and compiles them to plain C.')
    .version(version)
    .addHelpText('after', `\nExample:\n  $ microtune tune model.tflite --board mps2-an386 --out out\n\n${exitCodes}`)
    // Options behind a command are that command's, also where it has commands of its own.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => void stdout.write(text), writeErr: () => undefined });
  for (const load of commandsFor(first)) (await load())(program, act);
  return program;
}

/** The version is told by none, help and advice on a wrong name by all. */
function commandsFor(first: string | undefined): readonly (() => Promise<Add>)[] {
  if (first === '--version') return [];
  const named = Object.entries(commands).filter(([name]) => name === first);
  return (named.length > 0 ? named : Object.entries(commands)).map(([, load]) => load);
}
