/** `microtune run`: one inference on a board, with the count of each layer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BoardModule } from '../../../boards/index.ts';
import type { Graph } from '../../../compiler/graph/graph.ts';
import { numbers } from '../../../compiler/ops/values.ts';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import type { Built } from '../../build.ts';
import { runOnDevice, tensorsOf, timeLayers, valuesOf } from '../../run-network.ts';
import { buildModel } from '../artifact.ts';
import type { Act } from '../index.ts';
import type { Io, Shown, Shows } from '../io.ts';
import { boardNamed, type Passes, readModel } from '../model.ts';
import { type CommonOptions, collect, common, oneOf } from '../options.ts';
import { count, table, unit } from '../table.ts';
import { checkOutputs, readInputs, writeOutputs } from '../tensors.ts';

interface RunOptions extends CommonOptions {
  readonly board: string;
  readonly input: readonly string[];
  readonly output?: readonly string[];
  readonly passes: Passes;
}
interface Ran {
  readonly outputs: Uint8Array;
  readonly cycles: number;
  readonly layers: readonly {
    readonly name: string;
    readonly op: string;
    readonly cycles: number;
    readonly macs: number;
  }[];
}

const files = collect((text) => text);

export function addRun(program: Command, act: Act): void {
  const command = program
    .command('run')
    .description("run a model once on a board, with the best schedules known, and count each layer's cycles")
    .argument('<model>', 'a .tflite file')
    .requiredOption('--board <board>', 'see the boards command')
    .requiredOption('--input <file>', 'raw little-endian bytes of all inputs; or .npy, repeated for each input', files)
    .option('--output <file>', 'where the outputs go, in the same forms', files)
    .option('--passes <which>', "'none' leaves out all optional simplifications", oneOf('all', 'none'), 'all');
  common(command, 'microtune run model.tflite --board mps2-an386 --input x.npy --output y.npy').action(act(run));
}

async function run(_io: Io, file: string, o: RunOptions): Shows {
  const board = boardNamed(o.board);
  if (!board.ok) return board;
  const model = readModel(file, o.passes);
  if (!model.ok) return model;
  const input = readInputs(model.value.model, o.input);
  if (!input.ok) return input;
  const outputs = checkOutputs(model.value.model, o.output ?? []);
  if (!outputs.ok) return outputs;
  const outDir = mkdtempSync(join(tmpdir(), 'microtune-run-'));
  try {
    const done = await buildModel(model.value, board.value, { ...o, outDir });
    if (!done.ok) return done;
    const ran = await inference(board.value, done.value.built, input.value);
    if (!ran.ok) return ran;
    writeOutputs(model.value.model, outputs.value, ran.value.outputs);
    return ok(shown(board.value, done.value.built, ran.value));
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

/** Starts an emulated board with the network in its firmware, runs it, then each layer by itself. */
async function inference(board: BoardModule, built: Built, input: Uint8Array): Promise<Result<Ran>> {
  if (board.open === undefined)
    return failed('run', 'NO_DEVICE', `${board.id} is not emulated, and run starts emulated boards only`);
  const opened = await board.open({ firmware: built.firmware, bulk: 'shared' });
  if (!opened.ok) return opened;
  const { layers } = built.network;
  try {
    const macs = layers.reduce((n, l) => n + l.macs, 0);
    const ran = await runOnDevice(opened.value, macs, input);
    if (!ran.ok) return ran;
    const times = await timeLayers(opened.value, built.network, input);
    if (!times.ok) return times;
    return ok({ ...ran.value, layers: layerRows(built, times.value) });
  } finally {
    await opened.value.close();
  }
}

const layerRows = ({ network }: Built, cycles: readonly number[]): Ran['layers'] =>
  network.layers.map((l, i) => ({
    name: l.name,
    op: network.graph.nodes[l.choice.node]?.op ?? '',
    cycles: cycles[i] ?? 0,
    macs: l.macs,
  }));

function shown(board: BoardModule, built: Built, ran: Ran): Shown {
  const { graph } = built.network;
  const outputs = valuesOf(graph, graph.outputs, ran.outputs).map((v) => Array.from(numbers(v)));
  const { arenaBytes } = built.library;
  const { cycles, layers } = ran;
  const { flashBytes } = built;
  return {
    json: { board: board.id, kind: board.kind, cycles, outputs, layers, arenaBytes, flashBytes },
    text: [
      layersText(board, ran),
      `whole network ${count(cycles)} ${unit(board.kind)}, arena ${count(arenaBytes)} bytes, flash ${count(flashBytes)} bytes`,
      outputsText(graph, outputs),
    ].join('\n\n'),
  };
}

const layersText = (board: BoardModule, ran: Ran): string =>
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
