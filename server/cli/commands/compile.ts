/** `microtune compile`: a model as a C library and firmware, with the best schedules known, without tuning. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ok } from '../../../compiler/result.ts';
import { finishArtifact } from '../../build.ts';
import { verify } from '../../run-network.ts';
import { buildModel } from '../artifact.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { boardNamed, type Passes, readModel } from '../model.ts';
import {
  type BudgetOptions,
  budgets,
  type CommonOptions,
  type CompilerOption,
  common,
  compiler,
  oneOf,
  wishesOf,
} from '../options.ts';
import { artifactText, readArtifact } from '../report.ts';

interface CompileOptions extends CommonOptions, BudgetOptions, CompilerOption {
  readonly board: string;
  readonly out: string;
  readonly passes: Passes;
}

/** Random inputs on which the firmware is compared with the model. */
const verifiedInputs = 3;

export function addCompile(program: Command, act: Act): void {
  const command = program
    .command('compile')
    .description('compile a model with the best schedules known: a C library, and firmware that is verified')
    .argument('<model>', 'a .tflite file')
    .requiredOption('--board <board>', 'see the boards command')
    .requiredOption('--out <dir>', 'where the library and the firmware go')
    .option('--passes <which>', "'none' leaves out all optional simplifications", oneOf('all', 'none'), 'all');
  common(compiler(budgets(command)), 'microtune compile model.tflite --board mps2-an386 --out out').action(
    act(compile),
  );
}

async function compile(io: Io, file: string, o: CompileOptions): Shows {
  const board = boardNamed(o.board, o.compiler);
  if (!board.ok) return board;
  const model = readModel(file, o.passes);
  if (!model.ok) return model;
  const outDir = resolve(o.out);
  const done = await buildModel(model.value, board.value, { ...o, outDir, budgets: wishesOf(o) });
  if (!done.ok) return done;
  const { options, built, trades } = done.value;
  io.news(`built for ${o.board}; comparing the firmware's outputs with the model's`);
  const verified = await verify(built, board.value, model.value.model, verifiedInputs);
  if (!verified.ok) return verified;
  finishArtifact(built, options, verified.value, { budgets: options.budgets, trades: trades() });
  const artifact = readArtifact(outDir);
  return ok({ json: artifact, text: artifactText(artifact) });
}
