/** A network that is linked into a device's firmware: run it, time its layers, compare it with the model. */
import { crc32 } from 'node:zlib';
import { type BoardModule, type BuiltFirmware, mapCauses, type TwinCounters } from '../boards/index.ts';
import { constantBytes, type Network } from '../compiler/emit/index.ts';
import { elements, type Graph, type Tensor, tensorBytes, tensorOf } from '../compiler/graph/graph.ts';
import type { Value } from '../compiler/ops/operator.ts';
import { runReference } from '../compiler/ops/run-reference.ts';
import { emptyValue, encode } from '../compiler/ops/values.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import type { CallRequest, Device, DeviceInfo } from '../firmware-rpc/host/device.ts';
import { fillBytes } from '../tuner/measure/bench.ts';
import { linkErrors } from '../tuner/measure/link-errors.ts';

/** What of a network one must know to run it layer by layer. */
export interface Outline {
  readonly layers: readonly { readonly name: string; readonly op: string; readonly macs: number }[];
  readonly constantBytes: number;
}
export const outlineOf = (n: Network): Outline => ({
  layers: n.layers.map(({ name, choice, macs }) => ({ name, op: choice.workload.op, macs })),
  constantBytes: constantBytes(n),
});

/** Milliseconds that a call may take on the device: generous, scaled by the work. */
const deadlineFor = (macs: number): number => Math.ceil(2000 + macs / 2000);

export interface NetworkRun {
  readonly outputs: Uint8Array;
  readonly cycles: number;
  /** Most stack of the call, by watermark: the network's and that of the few functions around it. */
  readonly stackBytes: number;
}

const noNetwork = failed('run', 'NO_NETWORK', 'the firmware on this device has no network linked in');

/** One call without warm-up: cycles and stack, or how it failed. */
async function callOnce(
  device: Device,
  entry: number,
  args: readonly number[],
  deadlineMs: number,
  mode: CallRequest['mode'] = 'settled',
): Promise<Result<{ readonly cycles: number; readonly stackBytes: number }>> {
  const done = await device.call({ entry, args, warmups: 0, repeats: 1, deadlineMs, mode });
  if (!done.ok) return failed('run', done.code, done.detail);
  return ok({ cycles: done.cycles[0] ?? 0, stackBytes: done.stackBytes });
}

/** Brings the inputs into the arena. */
async function feed(
  device: Device,
  input: Uint8Array,
  mode: CallRequest['mode'],
): Promise<Result<NonNullable<DeviceInfo['network']>>> {
  const { network } = device.info;
  if (network === undefined) return noNetwork;
  await device.load(network.input, input);
  const init = await callOnce(device, network.init, [], deadlineFor(input.length), mode);
  return init.ok ? ok(network) : init;
}

/**
 * One inference on a device whose firmware holds the network. `input`: the graph's inputs one after another. Caches and
 * predictors are as after reset, or as the call before left them.
 */
export async function runOnDevice(
  device: Device,
  macs: number,
  input: Uint8Array,
  mode: CallRequest['mode'] = 'settled',
): Promise<Result<NetworkRun>> {
  const fed = await feed(device, input, mode);
  if (!fed.ok) return fed;
  const run = await callOnce(device, fed.value.entry, [], deadlineFor(macs), mode);
  if (!run.ok) return run;
  return ok({ ...run.value, outputs: await device.fetch(fed.value.output, fed.value.outputBytes) });
}

/** What a layer took, and on a twin why. */
export interface LayerTime {
  readonly cycles: number;
  readonly causes?: TwinCounters['causes'];
}

/**
 * Counts of each layer, run one after another on this input. Each finds caches and predictors as the layer before left
 * them, as it does in the whole network. `counters`: of a twin; `first`: what the first layer finds.
 */
export async function timeLayers(
  device: Device,
  { layers }: Outline,
  input: Uint8Array,
  counters?: () => Promise<TwinCounters>,
  first: CallRequest['mode'] = 'settled',
): Promise<Result<readonly LayerTime[]>> {
  const fed = await feed(device, input, first);
  if (!fed.ok) return fed;
  const out: LayerTime[] = [];
  let before = await counters?.();
  for (const [i, layer] of layers.entries()) {
    const mode = i === 0 ? first : 'continued';
    const one = await callOnce(device, fed.value.layer, [i], deadlineFor(layer.macs), mode);
    if (!one.ok) return failed('run', one.error.code, `${layer.name}: ${one.error.detail}`);
    const after = await counters?.();
    const { cycles } = one.value;
    out.push(before && after ? { cycles, causes: since(before, after) } : { cycles });
    before = after;
  }
  return ok(out);
}
/** Cycles of the library's init alone: what it costs to copy the constants that kernels read from RAM. */
export async function timeInit(device: Device, { layers, constantBytes: bytes }: Outline): Promise<Result<number>> {
  const table = device.info.network;
  if (table === undefined) return noNetwork;
  const init = await callOnce(device, table.layer, [layers.length], deadlineFor(bytes));
  return init.ok ? ok(init.value.cycles) : init;
}

const since = (before: TwinCounters, after: TwinCounters): TwinCounters['causes'] =>
  mapCauses((cause) => after.causes[cause] - before.causes[cause]);

export const tensorsOf = (graph: Graph, ids: readonly number[]): readonly Tensor[] =>
  ids.map((id) => tensorOf(graph, id));

/** Bytes -> the graph's inputs (or outputs) as values. */
export function valuesOf(graph: Graph, ids: readonly number[], bytes: Uint8Array): readonly Value[] {
  let at = 0;
  return tensorsOf(graph, ids).map((t) => {
    const v = emptyValue(t.dtype, elements(t.shape));
    encode(v).set(bytes.subarray(at, at + v.byteLength));
    at += v.byteLength;
    return v;
  });
}
const bytesOfIds = (graph: Graph, ids: readonly number[]): number =>
  tensorsOf(graph, ids).reduce((n, t) => n + tensorBytes(t), 0);

/** What the model says to these inputs: the outputs' bytes one after another. */
export function expectedOutputs(graph: Graph, input: Uint8Array): Uint8Array {
  const run = runReference(graph, valuesOf(graph, graph.inputs, input), { rounding: 'double' });
  return Buffer.concat(run.outputs.map(encode));
}

/** Random bytes for all inputs, as a device's FILL makes them from a seed above 0; float inputs get sensible reals instead of arbitrary bit patterns. */
export function randomInput(graph: Graph, seed: number): Uint8Array {
  const bytes = fillBytes(bytesOfIds(graph, graph.inputs), seed);
  let at = 0;
  for (const t of tensorsOf(graph, graph.inputs)) {
    if (t.dtype === 'float32') {
      const reals = Float32Array.from({ length: elements(t.shape) }, (_, i) => ((bytes[at + 4 * i] ?? 0) - 128) / 32);
      bytes.set(encode(reals), at);
    }
    at += tensorBytes(t);
  }
  return bytes;
}

export interface Verified {
  readonly inputs: number;
  readonly cycles: number;
  /** Of the library's init. */
  readonly initCycles: number;
  /** By watermark, see NetworkRun. */
  readonly stackBytes: number;
  readonly layers: readonly {
    readonly name: string;
    readonly op: string;
    readonly cycles: number;
    readonly macs: number;
  }[];
}
/** What of a build a device needs. */
export interface Runnable {
  readonly outline: Outline;
  readonly firmware: BuiltFirmware;
}

/** What the model says to an input, worked out wherever there is time for it. */
export type Expected = (input: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Times that a device may vanish, or not come up, before its network is given up: an emulator can be killed like any process. */
const attempts = 3;

/**
 * Runs the built firmware on `count` random inputs and compares every output byte with the reference of `graph`, which is
 * the model as it was imported. A device that vanishes costs one of a few attempts. Failures: NO_DEVICE, VERIFY_FAILED, LINK,
 * those of the run.
 */
export async function verify(
  built: Runnable,
  board: BoardModule,
  graph: Graph,
  count: number,
  expected: Expected = (input) => expectedOutputs(graph, input),
): Promise<Result<Verified>> {
  const absent = `${board.id} is not emulated; attach one with --device ${board.id}=PATH`;
  for (let attempt = 1; ; attempt++) {
    const done = await onStarted(board, built, { stage: 'verify', absent }, (device) =>
      compare(device, built.outline, graph, count, expected),
    );
    const vanished = !done.ok && (done.error.code === 'LINK' || done.error.code === 'DEVICE_UNREACHABLE');
    if (!vanished || attempt === attempts) return done;
  }
}

/**
 * `work` on a board that starts with the network in its firmware, closed however that ends. Failures: NO_DEVICE in the words of
 * `absent`, those of opening, LINK at this stage.
 */
export async function onStarted<T>(
  board: BoardModule,
  { firmware }: Runnable,
  { stage, absent }: { readonly stage: string; readonly absent: string },
  work: (device: Device) => Promise<Result<T>>,
): Promise<Result<T>> {
  if (board.open === undefined) return failed(stage, 'NO_DEVICE', absent);
  const opened = await board.open({ firmware, bulk: 'shared' });
  if (!opened.ok) return opened;
  try {
    return await linkErrors(stage, () => work(opened.value));
  } finally {
    await opened.value.close();
  }
}

async function compare(
  device: Device,
  outline: Outline,
  graph: Graph,
  count: number,
  expected: Expected,
): Promise<Result<Verified>> {
  const macs = outline.layers.reduce((n, l) => n + l.macs, 0);
  let [cycles, stackBytes] = [0, 0];
  for (let seed = 1; seed <= count; seed++) {
    const input = randomInput(graph, seed);
    const got = await runOnDevice(device, macs, input);
    if (!got.ok) return got;
    const want = await expected(input);
    if (Buffer.compare(want, got.value.outputs) !== 0) {
      const crcs = `${crc32(got.value.outputs)}, the model's ${crc32(want)}`;
      return failed('verify', 'VERIFY_FAILED', `input ${seed - 1}: the device's output has CRC ${crcs}`);
    }
    cycles = Math.max(cycles, got.value.cycles);
    stackBytes = Math.max(stackBytes, got.value.stackBytes);
  }
  const times = await timeLayers(device, outline, randomInput(graph, 1));
  if (!times.ok) return times;
  const init = await timeInit(device, outline);
  if (!init.ok) return init;
  const layers = outline.layers.map(({ name, op, macs: of }, i) => {
    const cycles = times.value[i]?.cycles ?? 0;
    return { name, op, cycles, macs: of };
  });
  return ok({ inputs: count, cycles, initCycles: init.value, stackBytes, layers });
}
