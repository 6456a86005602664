/**
 * The command line: one file a command in commands/, declared here in the order of --help. Must stay true: whatever goes
 * wrong ends as one line `error CODE: ...` on standard error and an exit code that is not 0, without a stack trace.
 */
import { Command, CommanderError } from 'commander';
import type { Result } from '../../compiler/result.ts';
import { errorOf } from '../errors.ts';
import { version } from '../version.ts';
import { addBackup } from './commands/backup.ts';
import { addBoards } from './commands/boards.ts';
import { addCompile } from './commands/compile.ts';
import { addDataDoctor } from './commands/data-doctor.ts';
import { addDevices } from './commands/devices.ts';
import { addFirmware } from './commands/firmware.ts';
import { addJobs } from './commands/jobs.ts';
import { addProfile } from './commands/profile.ts';
import { addQuery } from './commands/query.ts';
import { addRecords } from './commands/records.ts';
import { addReport } from './commands/report.ts';
import { addRun } from './commands/run.ts';
import { addServe } from './commands/serve.ts';
import { addToken } from './commands/token.ts';
import { addTrial } from './commands/trial.ts';
import { addTune } from './commands/tune.ts';
import { addWorker } from './commands/worker.ts';
import { unexpected, usage } from './failures.ts';
import { errorLine, type Io, ioOf, type Shown, type Shows, type Terminal } from './io.ts';
import { type CommonOptions, exitCodes } from './options.ts';

/** Makes a commander action of a command's body, which gets its arguments, its options and where to speak. */
export type Act = <A extends unknown[]>(body: (io: Io, ...args: A) => Shows) => (...args: A) => Promise<void>;

const commands: readonly ((program: Command, act: Act) => void)[] = [
  addServe,
  addTune,
  addCompile,
  addRun,
  addProfile,
  addRecords,
  addQuery,
  addTrial,
  addReport,
  addBoards,
  addFirmware,
  addJobs,
  addDevices,
  addWorker,
  addToken,
  addBackup,
  addDataDoctor,
];

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
    await programOf(act, terminal).parseAsync(argv, { from: 'user' });
    return ended;
  } catch (error) {
    if (argv.includes('--debug')) console.error(error);
    if (!(error instanceof CommanderError)) return { ok: false, error: unexpected(error) };
    // Help was asked for and given.
    return error.exitCode === 0 ? ended : { ok: false, error: usage(error) };
  }
}

function programOf(act: Act, { stdout }: Terminal): Command {
  const program = new Command('microtune')
    .description('Tunes neural networks for microcontrollers and compiles them to plain C.')
    .version(version)
    .addHelpText('after', `\nExample:\n  $ microtune tune model.tflite --board mps2-an386 --out out\n\n${exitCodes}`)
    // Options behind a command are that command's, also where it has commands of its own.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => void stdout.write(text), writeErr: () => undefined });
  for (const add of commands) add(program, act);
  return program;
}
