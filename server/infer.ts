/**
 * One inference on an emulated board whose firmware holds the network, compared with the model, then its layers one after
 * another: what `run` and `profile` show.
 */
import { type BoardModule, type Cause, mapCauses, type TwinCounters } from '../boards/index.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import {
  expectedOutputs,
  type NetworkRun,
  onStarted,
  type Runnable,
  runOnDevice,
  timeInit,
  timeLayers,
} from './run-network.ts';

/** What an inference finds in caches and predictors: nothing, or what another inference before it left. */
export type Caches = 'cold' | 'warm';

export interface LayerRun {
  readonly name: string;
  readonly op: string;
  readonly macs: number;
  readonly cycles: number;
  /** Why they passed; undefined where the board is no twin. */
  readonly causes: Readonly<Record<Cause, number>> | undefined;
}
export interface Inference extends NetworkRun {
  /** Of the library's init. */
  readonly initCycles: number;
  readonly layers: readonly LayerRun[];
  /** Of the layers together: what `cycles` is made of, up to the calls between them. */
  readonly sum: number;
  readonly causes: LayerRun['causes'];
  /** What a twin's model met and does not know; undefined where the board is no twin. */
  readonly unknown: Pick<TwinCounters, 'unknown' | 'unmapped'> | undefined;
}

/**
 * Starts an emulated board and runs its network on `input`. `graph`: the model as it was imported. Failures: NO_DEVICE, LINK,
 * VERIFY_FAILED where a byte differs from the model's, those of the run.
 */
export function infer(
  board: BoardModule,
  built: Runnable,
  graph: Graph,
  input: Uint8Array,
  caches: Caches,
): Promise<Result<Inference>> {
  const absent = `${board.id} is not emulated, and only emulated boards are started here`;
  return onStarted(board, built, { stage: 'run', absent }, (device) =>
    inferOn(device, board, built, graph, input, caches),
  );
}

async function inferOn(
  device: Device,
  board: BoardModule,
  { outline }: Runnable,
  graph: Graph,
  input: Uint8Array,
  caches: Caches,
): Promise<Result<Inference>> {
  const counters = board.counters === undefined ? undefined : board.counters.bind(board, device);
  const before = await counters?.();
  const macs = outline.layers.reduce((n, l) => n + l.macs, 0);
  const cold = await runOnDevice(device, macs, input);
  if (!cold.ok) return cold;
  const mode = caches === 'cold' ? 'settled' : 'continued';
  const ran = caches === 'cold' ? cold : await runOnDevice(device, macs, input, mode);
  if (!ran.ok) return ran;
  if (Buffer.compare(expectedOutputs(graph, input), ran.value.outputs) !== 0)
    return failed('verify', 'VERIFY_FAILED', `the output of ${board.id} differs from the model's`);
  const times = await timeLayers(device, outline, input, counters, mode);
  if (!times.ok) return times;
  const after = await counters?.();
  const init = await timeInit(device, outline);
  if (!init.ok) return init;
  const layers = outline.layers.map((l, i): LayerRun => {
    const { cycles, causes } = times.value[i] ?? { cycles: 0 };
    return { name: l.name, op: l.op, macs: l.macs, cycles, causes };
  });
  const initCycles = init.value;
  return ok({
    ...ran.value,
    initCycles,
    layers,
    ...totals(layers),
    unknown: before && after && unknownBetween(before, after),
  });
}

function totals(layers: readonly LayerRun[]): Pick<Inference, 'sum' | 'causes'> {
  const total = (of: (l: LayerRun) => number): number => layers.reduce((n, l) => n + of(l), 0);
  const explained = layers.length > 0 && layers.every((l) => l.causes !== undefined);
  return {
    sum: total((l) => l.cycles),
    causes: explained ? mapCauses((cause) => total((l) => l.causes?.[cause] ?? 0)) : undefined,
  };
}

const unknownBetween = (a: TwinCounters, b: TwinCounters): NonNullable<Inference['unknown']> => ({
  unknown: b.unknown - a.unknown,
  unmapped: b.unmapped - a.unmapped,
});
