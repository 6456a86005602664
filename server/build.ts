/**
 * From chosen schedules to things on disk: the C library, firmware with the network linked in, and the proof, by running it,
 * that it computes what the model says. Serves `compile`, `run` and the end of every job.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { BoardModule, BuiltFirmware } from '../boards/index.ts';
import { emitLibrary, type Library, type Measured, type Network, networkOf } from '../compiler/emit/index.ts';
import { type Graph, tensorBytes } from '../compiler/graph/graph.ts';
import type { Value } from '../compiler/ops/operator.ts';
import { runReference } from '../compiler/ops/run-reference.ts';
import { emptyValue, encode } from '../compiler/ops/values.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import type { Selected } from '../compiler/select.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { compileUnit } from '../toolchain/index.ts';

/** What our C must survive: the emitted library is compiled with all of these in every build of ours. */
export const strictFlags: readonly string[] = ['-Wall', '-Wextra', '-Wconversion', '-Werror'];

export interface BuildOptions {
  readonly graph: Graph;
  /** A C identifier. */
  readonly name: string;
  readonly board: BoardModule;
  readonly selected: readonly Selected[];
  readonly outDir: string;
  readonly cacheDir: string;
}
export interface Built {
  readonly network: Network;
  readonly library: Library;
  readonly firmware: BuiltFirmware;
  readonly flashBytes: number;
}

const put = (dir: string, path: string, content: string): void => {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), content);
};

/** Emits, compiles and links. Failures: MODEL_TOO_BIG, TOOL_MISSING, COMPILE_*, LINK_FAILED. */
export async function build(o: BuildOptions): Promise<Result<Built>> {
  const network = networkOf(
    o.graph,
    o.name,
    o.selected.map((s) => s.choice),
  );
  const library = emitLibrary(network, { board: o.board.id });
  const tooBig = fits(network, library, o.board);
  if (tooBig !== undefined) return tooBig;
  for (const [path, text] of library.files) put(o.outDir, path, text);
  const objects = await compileLibrary(library, o);
  if (!objects.ok) return objects;
  const firmware = await o.board.build({ dir: join(o.outDir, 'firmware'), name: o.name, objects: objects.value });
  if (!firmware.ok) return firmware;
  return ok({
    network,
    library,
    firmware: firmware.value,
    flashBytes: firmware.value.sizes.text + firmware.value.sizes.data,
  });
}

/** Objects of the library and its table, in order. */
async function compileLibrary(library: Library, o: BuildOptions): Promise<Result<readonly string[]>> {
  mkdirSync(o.cacheDir, { recursive: true });
  const headers = Object.fromEntries(
    [...library.files]
      .filter(([path]) => path.endsWith('.h'))
      .map(([path, text]) => [path.split('/').at(-1) ?? path, text]),
  );
  const units = [...library.sources, { path: 'microtune_network.c', flags: [] }];
  const objects: string[] = [];
  for (const unit of units) {
    const done = await compileUnit(
      {
        target: o.board.target,
        name: unit.path,
        source: library.files.get(unit.path) ?? '',
        flags: [...strictFlags, ...unit.flags],
        headers,
      },
      o.cacheDir,
    );
    if (!done.ok) return done;
    objects.push(done.value.path);
  }
  return ok(objects);
}

/** Early refusal of what cannot fit, with the bytes by layer. */
function fits(n: Network, library: Library, board: BoardModule): Result<never> | undefined {
  const rows = n.layers.map((l) => ({
    name: l.name,
    bytes: l.kernel.constants.reduce((sum, c) => sum + c.bytes.length, 0),
    scratch: l.kernel.scratchBytes,
  }));
  const worst = [...rows].sort((a, b) => b.bytes - a.bytes).slice(0, 8);
  if (library.constBytes > board.flashBytes) {
    const list = worst.map((r) => `${r.name} ${r.bytes}`).join(', ');
    return failed(
      'select',
      'MODEL_TOO_BIG',
      `constants need ${library.constBytes} bytes, ${board.id} has ${board.flashBytes} of flash; by layer: ${list}`,
    );
  }
  if (n.plan.bytes > board.ramBytes) {
    const list = [...n.blocks]
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 8)
      .map((b) => `${b.id} ${b.bytes}`)
      .join(', ');
    return failed(
      'select',
      'MODEL_TOO_BIG',
      `the arena needs ${n.plan.bytes} bytes (lower bound ${n.plan.lowerBound}), ${board.id} has ${board.ramBytes} of RAM; largest blocks: ${list}`,
    );
  }
  return undefined;
}

/** Milliseconds that a call may take on the device: generous, scaled by the work. */
export const deadlineFor = (macs: number): number => Math.ceil(2000 + macs / 2000);

export interface NetworkRun {
  readonly outputs: Uint8Array;
  readonly cycles: number;
  readonly stackBytes: number;
}

/** One inference on a device whose firmware holds the network. `input`: the graph's inputs one after another. */
export async function runOnDevice(device: Device, macs: number, input: Uint8Array): Promise<Result<NetworkRun>> {
  const net = device.info.network;
  if (net === undefined) return failed('run', 'NO_NETWORK', 'the firmware on this device has no network linked in');
  await device.load(net.input, input);
  const deadlineMs = deadlineFor(macs);
  const init = await device.call({ entry: net.init, args: [], warmups: 0, repeats: 1, deadlineMs });
  if (!init.ok) return failed('run', init.code, init.detail);
  const run = await device.call({ entry: net.entry, args: [], warmups: 0, repeats: 1, deadlineMs });
  if (!run.ok) return failed('run', run.code, run.detail);
  return ok({
    outputs: await device.fetch(net.output, net.outputBytes),
    cycles: run.cycles[0] ?? 0,
    stackBytes: run.stackBytes,
  });
}

/** Counts of each layer on the inputs that lie in the arena now. */
export async function timeLayers(
  device: Device,
  network: Network,
  input: Uint8Array,
): Promise<Result<readonly number[]>> {
  const net = device.info.network;
  if (net === undefined) return failed('run', 'NO_NETWORK', 'the firmware on this device has no network linked in');
  await device.load(net.input, input);
  const init = await device.call({ entry: net.init, args: [], warmups: 0, repeats: 1, deadlineMs: 2000 });
  if (!init.ok) return failed('run', init.code, init.detail);
  const out: number[] = [];
  for (const [i, layer] of network.layers.entries()) {
    const one = await device.call({
      entry: net.layer,
      args: [i],
      warmups: 0,
      repeats: 1,
      deadlineMs: deadlineFor(layer.macs),
    });
    if (!one.ok) return failed('run', one.code, `${layer.name}: ${one.detail}`);
    out.push(one.cycles[0] ?? 0);
  }
  return ok(out);
}

/** xorshift32 input of the golden files, for one seed. */
export function randomInput(bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let x = seed >>> 0 || 1;
  for (let i = 0; i < bytes; i++) {
    x = (x ^ (x << 13)) >>> 0;
    x = (x ^ (x >>> 17)) >>> 0;
    x = (x ^ (x << 5)) >>> 0;
    out[i] = x >>> 24;
  }
  return out;
}

/** Bytes -> the graph's inputs as values. */
export function valuesOf(graph: Graph, ids: readonly number[], bytes: Uint8Array): readonly Value[] {
  let at = 0;
  return ids.map((id) => {
    const t = graph.tensors[id] as Graph['tensors'][number];
    const v = emptyValue(
      t.dtype,
      t.shape.reduce((n, d) => n * d, 1),
    );
    encode(v).set(bytes.subarray(at, at + v.byteLength));
    at += v.byteLength;
    return v;
  });
}
export const bytesOfIds = (graph: Graph, ids: readonly number[]): number =>
  ids.reduce((n, id) => n + tensorBytes(graph.tensors[id] as Graph['tensors'][number]), 0);
const joined = (values: readonly Value[]): Uint8Array => Buffer.concat(values.map(encode));

export interface Verified {
  readonly inputs: number;
  readonly cycles: number;
  readonly stackBytes: number;
  readonly layers: readonly {
    readonly name: string;
    readonly op: string;
    readonly cycles: number;
    readonly macs: number;
  }[];
}

/** Runs the built firmware on `count` random inputs and compares every output byte with the reference. Failure: VERIFY_FAILED. */
export async function verify(built: Built, board: BoardModule, graph: Graph, count: number): Promise<Result<Verified>> {
  if (board.open === undefined)
    return failed('verify', 'NO_DEVICE', `${board.id} is not emulated; attach one with --device ${board.id}=PATH`);
  const opened = await board.open({ firmware: built.firmware, bulk: 'shared' });
  if (!opened.ok) return opened;
  const device = opened.value;
  const macs = built.network.layers.reduce((n, l) => n + l.macs, 0);
  try {
    const size = bytesOfIds(graph, graph.inputs);
    let [cycles, stackBytes] = [0, 0];
    for (let i = 0; i < count; i++) {
      const input = inputFor(graph, size, i + 1);
      const want = joined(runReference(graph, valuesOf(graph, graph.inputs, input), { rounding: 'double' }).outputs);
      const got = await runOnDevice(device, macs, input);
      if (!got.ok) return got;
      if (Buffer.compare(want, got.value.outputs) !== 0)
        return failed(
          'verify',
          'VERIFY_FAILED',
          `input ${i}: the device's output has CRC ${crc32(got.value.outputs)}, the model's ${crc32(want)}`,
        );
      cycles = Math.max(cycles, got.value.cycles);
      stackBytes = Math.max(stackBytes, got.value.stackBytes);
    }
    const layers = await timeLayers(device, built.network, inputFor(graph, size, 1));
    if (!layers.ok) return layers;
    const rows = built.network.layers.map((l, i) => {
      const node = built.network.graph.nodes[l.choice.node];
      return { name: l.name, op: node?.op ?? '', cycles: layers.value[i] ?? 0, macs: l.macs };
    });
    return ok({ inputs: count, cycles, stackBytes, layers: rows });
  } finally {
    await device.close();
  }
}

/** Random bytes; float inputs get sensible reals instead of arbitrary bit patterns. */
function inputFor(graph: Graph, size: number, seed: number): Uint8Array {
  const bytes = randomInput(size, seed);
  let at = 0;
  for (const id of graph.inputs) {
    const t = graph.tensors[id] as Graph['tensors'][number];
    if (t.dtype === 'float32') {
      const reals = Float32Array.from({ length: tensorBytes(t) / 4 }, (_, i) => ((bytes[at + 4 * i] ?? 0) - 128) / 32);
      bytes.set(encode(reals), at);
    }
    at += tensorBytes(t);
  }
  return bytes;
}

/** Writes the header and README again with what was measured, and report.json. */
export function finishArtifact(
  built: Built,
  o: BuildOptions,
  verified: Verified,
  extra: Readonly<Record<string, unknown>>,
): void {
  const codeBytes = Math.max(0, built.flashBytes - built.library.constBytes);
  const measured: Measured = { board: o.board.id, stackBytes: verified.stackBytes, codeBytes };
  const library = emitLibrary(built.network, measured);
  for (const [path, text] of library.files) put(o.outDir, path, text);
  const report = {
    model: o.graph.name,
    board: o.board.id,
    kind: o.board.kind,
    arenaBytes: library.arenaBytes,
    arenaLowerBound: built.network.plan.lowerBound,
    stackBytes: verified.stackBytes,
    ramBytes: library.arenaBytes + verified.stackBytes,
    flashBytes: built.flashBytes,
    constBytes: library.constBytes,
    cycles: verified.cycles,
    verifiedInputs: verified.inputs,
    layers: verified.layers.map((l, i) => ({
      ...l,
      schedule: o.selected[i]?.choice.words,
      record: o.selected[i]?.offer.record ?? null,
      refused: o.selected[i]?.refused ?? [],
    })),
    ...extra,
  };
  put(o.outDir, 'report.json', `${JSON.stringify(report, null, 2)}\n`);
}
