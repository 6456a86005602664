/** What `run` and `profile` have in common: a model is built with the best schedules known and run once on an emulated board. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BoardModule } from '../../boards/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { ok, type Result } from '../../compiler/result.ts';
import type { Built } from '../build.ts';
import { type Caches, type Inference, infer } from '../infer.ts';
import type { Prepared } from '../models.ts';
import { randomInput } from '../run-network.ts';
import { buildModel } from './artifact.ts';
import { boardNamed, type Passes, readModel } from './model.ts';
import {
  type BudgetOptions,
  budgets,
  type CommonOptions,
  type CompilerOption,
  collect,
  compiler,
  oneOf,
  wishesOf,
} from './options.ts';
import { readInputs } from './tensors.ts';

export interface InferenceOptions extends CommonOptions, BudgetOptions, CompilerOption {
  readonly board: string;
  readonly input?: readonly string[];
  readonly passes: Passes;
  readonly caches: Caches;
}
export const files = collect((text) => text);

export const inferenceOptions = (command: Command): Command =>
  compiler(budgets(command))
    .argument('<model>', 'a .tflite file')
    .requiredOption('--board <board>', 'see the boards command')
    .option(
      '--input <file>',
      'raw little-endian bytes of all inputs; or .npy, repeated for each input; without it pseudo-random ones',
      files,
    )
    .option('--passes <which>', "'none' leaves out all optional simplifications", oneOf('all', 'none'), 'all')
    .option('--caches <state>', "'warm' runs it once before it counts", oneOf('cold', 'warm'), 'cold');

export interface Inferred {
  readonly board: BoardModule;
  readonly model: Prepared;
  readonly built: Built;
  readonly ran: Inference;
}

/** `check`: what else must hold of the model before anything is built. */
export async function inferenceOf(
  file: string,
  o: InferenceOptions,
  check: (model: Graph) => Result<unknown> = ok,
): Promise<Result<Inferred>> {
  const board = boardNamed(o.board, o.compiler);
  if (!board.ok) return board;
  const model = readModel(file, o.passes);
  if (!model.ok) return model;
  const graph = model.value.model;
  const input = o.input === undefined ? ok(randomInput(graph, 1)) : readInputs(graph, o.input);
  if (!input.ok) return input;
  const checked = check(graph);
  if (!checked.ok) return checked;
  const outDir = mkdtempSync(join(tmpdir(), 'microtune-run-'));
  try {
    const done = await buildModel(model.value, board.value, { ...o, outDir, budgets: wishesOf(o) });
    if (!done.ok) return done;
    const { built } = done.value;
    const ran = await infer(board.value, built, graph, input.value, o.caches);
    return ran.ok ? ok({ board: board.value, model: model.value, built, ran: ran.value }) : ran;
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

/** Of layers and the whole, with causes where there are any: for --json. */
export const countsOf = ({ board, ran, built }: Inferred) => ({
  board: board.id,
  kind: board.kind,
  cycles: ran.cycles,
  initCycles: ran.initCycles,
  sum: ran.sum,
  ...(ran.causes !== undefined && { causes: ran.causes }),
  ...ran.unknown,
  layers: ran.layers.map(({ causes, ...l }) => ({ ...l, ...(causes !== undefined && { causes }) })),
  arenaBytes: built.library.arenaBytes,
  ramBytes: built.memory.ramBytes,
  flashBytes: built.flashBytes,
});

/** A line that says what the model of a twin does not know, if it met any of that. */
export const caveats = ({ ran }: Inferred): readonly string[] =>
  ran.unknown === undefined || ran.unknown.unknown + ran.unknown.unmapped === 0
    ? []
    : [
        `not modelled: ${ran.unknown.unknown} instructions that the decoder does not know, ${ran.unknown.unmapped} accesses outside known memory`,
      ];
