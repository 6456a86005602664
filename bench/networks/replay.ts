/**
 * The reference networks as `compile` makes them with the records that ship: built, run on an emulated board, every golden vector
 * compared, each layer counted. What a user gets who has tuned nothing.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type BoardModule, boardOf, type TwinCounters } from '../../boards/index.ts';
import type { Memory } from '../../compiler/emit/index.ts';
import { tensorOf } from '../../compiler/graph/graph.ts';
import { ok, type Result } from '../../compiler/result.ts';
import type { Wishes } from '../../server/budgets.ts';
import type { Built } from '../../server/build.ts';
import { buildModel } from '../../server/cli/artifact.ts';
import { type Inference, infer } from '../../server/infer.ts';
import { type Prepared, prepare } from '../../server/models.ts';
import { onStarted, randomInput, runOnDevice } from '../../server/run-network.ts';
import type { shippedRecords } from '../../server/shipped/records.ts';
import { type GoldenModel, generateInput, goldenModel, type NetworkName } from '../../test/models.ts';
import { must } from '../session.ts';

export interface LayerResult {
  readonly name: string;
  readonly op: string;
  /** Position of its operator in the model file. */
  readonly source: number;
  readonly inputs: readonly (readonly number[])[];
  readonly output: readonly number[];
  /** Of what runs: dead channels are gone. */
  readonly macs: number;
  readonly cycles: number;
  /** null where nothing is multiplied. */
  readonly cyclesPerMac: number | null;
  readonly schedule: string;
  /** Why the cycles passed, on a twin. */
  readonly causes?: TwinCounters['causes'];
}
export interface NetworkResult
  extends Pick<Memory, 'arenaBytes' | 'arenaLowerBound' | 'ramBytes' | 'stackBytes' | 'flashBytes'> {
  readonly network: string;
  readonly board: string;
  readonly kind: string;
  /** Of one inference, caches empty. */
  readonly cycles: number;
  /** Of NETWORK_init, which copies what schedules place in RAM. */
  readonly initCycles: number;
  /** Every golden vector came out byte for byte. */
  readonly exact: boolean;
  readonly layers: readonly LayerResult[];
}
export interface Replay {
  readonly board: string;
  /** Where the firmware that was measured is kept: DIR/NETWORK.elf, with NETWORK_run as a symbol. */
  readonly out?: string;
  /** The board's memory, unless less is given. */
  readonly budgets?: Wishes;
  /** Other records than those that ship. */
  readonly shipped?: typeof shippedRecords;
}

/** Failures: those of building, MODEL_TOO_BIG where budgets cannot be kept. Whatever else goes wrong ends the program. */
export async function replayNetwork(name: NetworkName, o: Replay): Promise<Result<NetworkResult>> {
  const golden = goldenModel(name);
  if (golden === undefined) throw new Error(`the model ${name} is not at hand (--models DIR)`);
  const board = boardOf(o.board);
  if (board === undefined) throw new Error(`no board ${o.board}`);
  const model = must(prepare(golden.bytes, name));
  const dir = mkdtempSync(join(tmpdir(), 'microtune-networks-'));
  try {
    const { budgets, shipped } = o;
    const where = {
      data: join(dir, 'data'),
      outDir: join(dir, 'out'),
      ...(budgets && { budgets }),
      ...(shipped && { shipped }),
    };
    const made = await buildModel(model, board, where);
    if (!made.ok) return made;
    const { built } = made.value;
    if (o.out !== undefined) keepFirmware(built, o.out, name);
    const ran = must(await infer(board, built, model.model, randomInput(model.model, 1), 'cold'));
    return ok(resultOf(name, board, model, built, ran, await isExact(board, built, golden)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function keepFirmware(built: Built, out: string, name: string): void {
  mkdirSync(out, { recursive: true });
  copyFileSync(built.firmware.elf, join(out, `${name}.elf`));
}

/** All golden vectors on one device. */
async function isExact(board: BoardModule, built: Built, { golden }: GoldenModel): Promise<boolean> {
  const macs = built.network.layers.reduce((n, l) => n + l.macs, 0);
  const absent = `${board.id} is not emulated`;
  const same = await onStarted(board, built, { stage: 'run', absent }, async (device) => {
    for (const v of golden.vectors) {
      const input = new Uint8Array(generateInput(golden.input_bytes, v.seed, v.shr).buffer);
      const run = await runOnDevice(device, macs, input);
      if (!run.ok) return run;
      if (crc32(run.value.outputs) !== v.out_crc32) return { ok: true, value: false };
    }
    return { ok: true, value: true };
  });
  return must(same);
}

function resultOf(
  network: string,
  board: BoardModule,
  { graph }: Prepared,
  built: Built,
  ran: Inference,
  exact: boolean,
): NetworkResult {
  const { arenaBytes, arenaLowerBound, ramBytes, stackBytes, flashBytes } = built.memory;
  const layers = built.network.layers.map(({ choice, tensors }, i): LayerResult => {
    const { name = '', op = '', macs = 0, cycles = 0, causes } = ran.layers[i] ?? {};
    const shapes = tensors.map((t) => tensorOf(graph, t).shape);
    const node = graph.nodes[choice.node];
    return {
      name,
      op,
      source: node?.source.index ?? -1,
      inputs: shapes.slice(0, -1),
      output: shapes.at(-1) ?? [],
      macs,
      cycles,
      cyclesPerMac: macs > 0 ? Number((cycles / macs).toFixed(3)) : null,
      schedule: choice.words,
      ...(causes !== undefined && { causes }),
    };
  });
  const sizes = { arenaBytes, arenaLowerBound, ramBytes, stackBytes, flashBytes };
  return {
    network,
    board: board.id,
    kind: board.kind,
    cycles: ran.cycles,
    initCycles: ran.initCycles,
    ...sizes,
    exact,
    layers,
  };
}
