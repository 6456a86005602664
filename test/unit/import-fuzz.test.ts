/**
 * Hostile models: thousands of mutations of good files. The importer gives a graph or a Failure, reads and allocates in
 * proportion to the file, and what it lets through verifies, folds, passes and becomes tasks and programs without throwing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Attr, Graph, Node, Tensor } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import { Bytes, Table } from '../../compiler/import/tflite/flatbuffer.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { operatorOf, operators } from '../../compiler/ops/index.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { bind } from '../../compiler/program/index.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { randomInputs, randomNetwork, randomNode } from './graphs.ts';
import { Random } from './random.ts';

const example = join(import.meta.dirname, '../../examples/bearing-fault/bearing-fault.tflite');

/** Good files: networks of ours, the example, and the MLPerf models where they are at hand. */
function seeds(): readonly Uint8Array[] {
  const written = Array.from({ length: 12 }, (_, i) => writeTflite(randomNetwork(new Random(500 + i))));
  const given = existsSync(example) ? [new Uint8Array(readFileSync(example))] : [];
  const golden = (['kws', 'ad'] as const).flatMap((name) => goldenModel(name)?.bytes ?? []);
  return [...written, ...given, ...golden];
}

/** Values that lengths and offsets go wrong by: borders of types, of signs, and small steps. */
const nasty: readonly number[] = [
  0, 1, 2, 4, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff,
];

type Mutation = (file: Uint8Array, r: Random) => Uint8Array;
/** Where structure is dense: the first and the last kilobytes as often as anywhere. */
const place = (file: Uint8Array, r: Random): number => {
  const near = Math.min(file.length, 3000);
  const at = r.pick([() => r.int(0, near - 1), () => file.length - r.int(1, near), () => r.int(0, file.length - 1)]);
  return at();
};
function put32(file: Uint8Array, at: number, value: number): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (at + 4 <= file.length) view.setUint32(at, value >>> 0, true);
}
const mutations: Readonly<Record<string, Mutation>> = {
  cut: (file, r) => file.slice(0, r.int(0, file.length - 1)),
  bits(file, r) {
    const out = file.slice();
    for (let n = r.pick([1, 1, 2, 8]); n > 0; n--) {
      const at = place(out, r);
      out[at] = (out[at] ?? 0) ^ (1 << r.int(0, 7));
    }
    return out;
  },
  words(file, r) {
    const out = file.slice();
    for (let n = r.pick([1, 1, 3]); n > 0; n--) put32(out, place(out, r) & ~3, r.pick(nasty));
    return out;
  },
  /** An offset, bent to another place of the file: cycles, overlaps, tables read as vectors. */
  offsets(file, r) {
    const out = file.slice();
    const at = place(out, r) & ~3;
    put32(out, at, r.int(0, out.length - 1) - at);
    return out;
  },
  splice(file, r) {
    const [from, to, n] = [place(file, r), place(file, r), r.int(1, 200)];
    const out = file.slice();
    out.set(file.subarray(from, Math.min(from + n, file.length, file.length - to + from)), to);
    return out;
  },
  insert(file, r) {
    const at = place(file, r);
    const out = new Uint8Array(file.length + 4);
    out.set(file.subarray(0, at));
    out.set(file.subarray(at), at + 4);
    return out;
  },
};

/** Bytes that a graph holds. */
const held = (g: Graph): number => g.tensors.reduce((n, t) => n + (t.data?.length ?? 0), 0);
const mostMacs = 2e5;

/** Everything the product does with a graph before it runs; small graphs run as well. */
function use(graph: Graph, r: Random): 'ran' | 'large' {
  for (const optional of ['none', 'all'] as const) {
    const passed = runPasses(graph, { optional });
    for (const task of tasksOf(passed, { rounding: 'double' })) {
      const programs = operatorOf(task.workload.op).programs(task.workload);
      for (const occurrence of task.occurrences)
        for (const naive of Object.values(programs)) bind(naive, occurrence.constants);
    }
  }
  const passed = runPasses(graph, { optional: 'none' });
  const macs = tasksOf(passed, { rounding: 'double' }).reduce((n, t) => n + t.macs * t.occurrences.length, 0);
  const moved = passed.tensors.reduce((n, t) => n + t.shape.reduce((a, d) => a * d, 1), 0);
  if (macs + moved > mostMacs || passed.inputs.some((id) => passed.tensors[id]?.dtype === 'int64')) return 'large';
  runReference(passed, randomInputs(passed, r), { rounding: 'double' });
  return 'ran';
}

describe.each(Object.keys(mutations))('%s', (kind) => {
  test('gives a graph that works or a Failure', { timeout: 1_800_000 }, () => {
    const files = seeds();
    const seen = { failed: 0, ran: 0, large: 0 };
    for (let seed = 1; seed <= samples(500, 33_000); seed++) {
      const r = new Random(seed);
      const file = r.pick(files);
      const mutated = mutations[kind]?.(file, r) ?? file;
      const read = importModel(mutated, 'fuzz');
      if (read.ok) {
        // Every constant is a part of the file; parts may overlap, within the reader's bound.
        expect(held(read.value)).toBeLessThanOrEqual(65536 + 16 * mutated.length);
        seen[use(read.value, r)]++;
      } else {
        expect(read.error.stage).toBe('import');
        expect(read.error.code).toMatch(
          /^(MODEL_UNKNOWN_FORMAT|MODEL_CORRUPT|MODEL_INVALID|OP_UNSUPPORTED|TYPE_UNSUPPORTED)$/,
        );
        expect(read.error.detail.length).toBeLessThan(4000);
        seen.failed++;
      }
    }
    // A mutation that never fails tests nothing; where graphs come through, some must have been run.
    expect(seen.failed).toBeGreaterThan(20);
    if (kind !== 'cut' && kind !== 'insert') expect(seen.ran).toBeGreaterThan(5);
  });
});

/** A well-formed graph made into nonsense: one or two of its types, scales, values, operands or attributes change. */
function nonsense(g: Graph, r: Random): Graph {
  const scale = r.pick([1e-38, 1e-12, 1e-3, 1, 1e12, 3e38]);
  const changes: readonly ((t: Tensor) => Partial<Tensor>)[] = [
    (t) => ({ shape: t.shape.map((d) => (r.next() < 0.5 ? d : r.pick([1, 2, 3, 65536, 2 ** 20]))) }),
    (t) => ({ shape: r.pick([[], [1], t.shape.slice(1), [...t.shape, 1], [1, ...t.shape]]) }),
    () => ({ dtype: r.pick(['int8', 'uint8', 'int16', 'int32', 'int64', 'float32', 'bool'] as const) }),
    () => ({ quant: { scale: [scale], zeroPoint: [r.pick([-128, 127, 0, 5])], axis: 0 } }),
    (t) => ({ quant: { scale: Array<number>(t.shape[0] ?? 1).fill(scale), zeroPoint: [0], axis: 0 } }),
    (t) =>
      t.data === undefined ? { data: new Uint8Array(r.pick([1, 64])) } : { data: t.data.map(() => r.int(0, 255)) },
  ];
  const number = (v: number): number => r.pick([v, v, 0, 1, -1, 2, 300, 65535, 2 ** 31 - 1, Number.NaN]);
  const attr = (v: Attr): Attr => (typeof v === 'number' ? number(v) : Array.isArray(v) ? v.map(number) : v);
  const touched = r.int(0, g.tensors.length - 1);
  const tensors =
    r.next() < 0.6 ? g.tensors.map((t, i) => (i === touched ? { ...t, ...r.pick(changes)(t) } : t)) : g.tensors;
  const other = (id: number): number => (r.next() < 0.7 ? id : r.int(-1, g.tensors.length - 1));
  const how = r.next();
  const nodes = g.nodes.map((n): Node => {
    if (how < 0.3) return { ...n, inputs: n.inputs.map(other) };
    if (how > 0.7) return { ...n, attrs: Object.fromEntries(Object.entries(n.attrs).map(([k, v]) => [k, attr(v)])) };
    return n;
  });
  return { ...g, tensors, nodes };
}
/** As a file; undefined where the format cannot say it. */
function fileOf(g: Graph): Uint8Array | undefined {
  try {
    return writeTflite(g);
  } catch {
    return undefined;
  }
}

describe.each(Object.keys(operators))('nonsense around %s', (op) => {
  test('gives a graph that works or a Failure', () => {
    const seen = { failed: 0, ran: 0, large: 0 };
    for (let seed = 1; seed <= samples(80, 8000); seed++) {
      const r = new Random(seed);
      const file = fileOf(nonsense(randomNode(op, r), r));
      if (file === undefined) continue;
      const read = importModel(file, 'nonsense');
      if (read.ok) seen[use(read.value, r)]++;
      else seen.failed++;
    }
    expect(seen.failed).toBeGreaterThan(5);
    expect(seen.ran).toBeGreaterThan(5);
  });
});

test('a chain of thousands of views is no work', () => {
  const t = (i: number): Tensor => ({ name: `t${i}`, dtype: 'int8', shape: i % 2 === 0 ? [1, 4] : [4] });
  const count = 20_000;
  const graph: Graph = {
    name: 'chain',
    tensors: Array.from({ length: count + 1 }, (_, i) => t(i)),
    nodes: Array.from({ length: count }, (_, i) => ({
      op: 'reshape',
      attrs: { shape: t(i + 1).shape },
      inputs: [i],
      outputs: [i + 1],
      source: { index: i, name: 'RESHAPE' },
    })),
    inputs: [0],
    outputs: [count],
  };
  // With a walk along the chain from each of its links this would take longer than any test may.
  expect(runPasses(graph, { optional: 'all' }).nodes.length).toBe(1);
});

test('every truncation of a file is refused', () => {
  const [file = new Uint8Array()] = seeds();
  const step = samples(7, 1);
  for (let n = 0; n < file.length - 4; n += step) {
    const read = importModel(file.subarray(0, n), 'cut');
    if (read.ok) expect(n, 'only padding may be missing').toBeGreaterThan(file.length - 16);
  }
});

test('one vector that many tables share is not read without end', () => {
  // A description (vtable) at 8, its table at 16, and behind it the vector of 1,000 numbers that its field leads to.
  const file = new Uint8Array(28 + 4000);
  const view = new DataView(file.buffer);
  view.setUint16(8, 6, true);
  view.setUint16(10, 8, true);
  view.setUint16(12, 4, true);
  view.setInt32(16, 8, true);
  view.setUint32(20, 4, true);
  view.setUint32(24, 1000, true);
  const bytes = new Bytes(file);
  const read = (times: number): void => {
    for (let i = 0; i < times; i++) expect(new Table(bytes, 16).i32s(0).length).toBe(1000);
  };
  read(10);
  expect(() => read(1000)).toThrow(/overlap too often/);
});
