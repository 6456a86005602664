/**
 * The command line: one file a command in commands/, declared here in the order of --help. Must stay true: whatever goes
 * wrong ends as one line `error CODE: ...` on standard error and an exit code that is not 0, without a stack trace.
 */
import { Command, CommanderError } from 'commander';
import type { Failure, Result } from '../../compiler/result.ts';
import { errorOf } from '../errors.ts';
import { addBoards } from './commands/boards.ts';
import { addCompile } from './commands/compile.ts';
import { addJobs } from './commands/jobs.ts';
import { addRecords } from './commands/records.ts';
import { addRun } from './commands/run.ts';
import { addServe } from './commands/serve.ts';
import { addTune } from './commands/tune.ts';
import { unexpected, usage } from './failures.ts';
import { errorLine, type Io, ioOf, type Shown, type Shows } from './io.ts';
import { type CommonOptions, exitCodes } from './options.ts';

/** Makes a commander action of a command's body, which gets its arguments, its options and where to speak. */
export type Act = <A extends unknown[]>(body: (io: Io, ...args: A) => Shows) => (...args: A) => Promise<void>;

const commands: readonly ((program: Command, act: Act) => void)[] = [
  addServe,
  addTune,
  addCompile,
  addRun,
  addRecords,
  addBoards,
  addJobs,
];

/** Runs one command and returns the exit code. `argv` holds what was typed behind the program's name. */
export async function main(argv: readonly string[]): Promise<number> {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', () => process.exit(0));
  // Nobody reads what a daemon that was left alone has to say there; its log has it too.
  process.stderr.on('error', () => undefined);
  let ended: Result<Shown | undefined> = { ok: true, value: undefined };
  const act: Act =
    (body) =>
    async (...args) => {
      const options = (args.at(-1) as Command).opts<CommonOptions>();
      const io = ioOf(options.json === true ? 'json' : 'text');
      ended = await body(io, ...args);
      if (ended.ok && ended.value !== undefined)
        io.out(io.format === 'json' ? JSON.stringify(ended.value.json, null, 2) : ended.value.text);
    };
  try {
    await programOf(act).parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (argv.includes('--debug')) console.error(error);
    ended = { ok: false, error: error instanceof CommanderError ? usage(error) : unexpected(error) };
  }
  return ended.ok ? 0 : report(ended.error);
}

function report(error: Failure): number {
  const { exit, advice } = errorOf(error.code);
  process.stderr.write(`${errorLine(error, advice)}\n`);
  return exit;
}

function programOf(act: Act): Command {
  const program = new Command('microtune')
    .description('Tunes neural networks for microcontrollers and compiles them to plain C.')
    .addHelpText('after', `\nExample:\n  $ microtune tune model.tflite --board mps2-an386 --out out\n\n${exitCodes}`)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  for (const add of commands) add(program, act);
  return program;
}
