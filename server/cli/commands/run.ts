/** `microtune run`: one inference on a board, compared with the model, with the count of each layer. */
import type { Command } from 'commander';
import type { Graph } from '../../../compiler/graph/graph.ts';
import { numbers } from '../../../compiler/ops/values.ts';
import { ok } from '../../../compiler/result.ts';
import { tensorsOf, valuesOf } from '../../run-network.ts';
import type { Act } from '../index.ts';
import {
  caveats,
  countsOf,
  files,
  type InferenceOptions,
  type Inferred,
  inferenceOf,
  inferenceOptions,
} from '../inference.ts';
import type { Io, Shown, Shows } from '../io.ts';
import { common } from '../options.ts';
import { count, table, unit } from '../table.ts';
import { checkOutputs, writeOutputs } from '../tensors.ts';

interface RunOptions extends InferenceOptions {
  readonly output?: readonly string[];
}

export function addRun(program: Command, act: Act): void {
  const command = program
    .command('run')
    .description("run a model once on a board, with the best schedules known, and count each layer's cycles");
  inferenceOptions(command).option('--output <file>', 'where the outputs go, in the same forms as inputs', files);
  common(command, 'microtune run model.tflite --board mps2-an386 --input x.npy --output y.npy').action(act(run));
}

async function run(_io: Io, file: string, o: RunOptions): Shows {
  const outputs = o.output ?? [];
  const done = await inferenceOf(file, o, (graph) => checkOutputs(graph, outputs));
  if (!done.ok) return done;
  writeOutputs(done.value.model.model, outputs, done.value.ran.outputs);
  return ok(shown(done.value));
}

function shown(done: Inferred): Shown {
  const { board, built, ran } = done;
  const { graph } = built.network;
  const outputs = valuesOf(graph, graph.outputs, ran.outputs).map((v) => Array.from(numbers(v)));
  const { arenaBytes, ramBytes, flashBytes, ...counts } = countsOf(done);
  return {
    json: { ...counts, exact: true, outputs, arenaBytes, ramBytes, flashBytes },
    text: [
      layersText(done),
      [
        `whole network ${count(ran.cycles)} ${unit(board.kind)}, init ${count(ran.initCycles)}, arena ${count(arenaBytes)} bytes, RAM ${count(ramBytes)} bytes, flash ${count(flashBytes)} bytes; equal to the model, byte for byte`,
        ...caveats(done),
      ].join('\n'),
      outputsText(graph, outputs),
    ].join('\n\n'),
  };
}

const layersText = ({ board, ran }: Inferred): string =>
  table(
    ['layer', 'operator', '>MACs', `>${unit(board.kind)}`],
    ran.layers.map((l) => [l.name, l.op, count(l.macs), count(l.cycles)]),
  );

/** The first values of each output. */
const outputsText = (graph: Graph, outputs: readonly (readonly number[])[]): string =>
  tensorsOf(graph, graph.outputs)
    .map((t, i) => {
      const values = outputs[i] ?? [];
      return `${t.name} ${t.dtype}[${t.shape}]: ${values.slice(0, 16).join(' ')}${values.length > 16 ? ' ...' : ''}`;
    })
    .join('\n');
