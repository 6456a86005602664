/**
 * Every operator against TensorFlow Lite itself: random node -> .tflite -> TFLite (WebAssembly) and our reference. TFLite has
 * several kernels an operator: most round once where the microcontroller kernels round twice, so the reference runs with the
 * rounding of the kernel that ran. What still differs is in `table` with its reason, and must differ that much and no more.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { elements, type Graph, type Node, type Tensor } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { activationRange } from '../../compiler/ops/fixed-point.ts';
import { operators } from '../../compiler/ops/index.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { ints, rangeOf, text } from '../../compiler/ops/values.ts';
import type { Rounding } from '../../compiler/workload.ts';
import { samples } from '../samples.ts';
import { randomInputs, randomNetwork, randomNode } from './graphs.ts';
import { Random } from './random.ts';
import { loadTflite, type Tflite } from './tflite-wasm.ts';

/** What a kernel of TFLite is known to compute. */
type Expected =
  /** Our reference, byte for byte, under this rounding. */
  | { readonly exact: Rounding }
  /** Something else that we can compute as well: then that, byte for byte. */
  | { readonly exactly: (g: Graph, inputs: readonly Value[]) => ArrayLike<number>; readonly why: string }
  /** Off by one in up to this share of outputs, and in at least one of them (a seed in `rare` shows it). */
  | { readonly offByOne: number; readonly why: string };

const xnnpack = 'TfLiteXNNPackDelegate';
const once = { exact: 'single' } as const;
const twice = { exact: 'double' } as const;

/** Operator -> kernel that ran (TFLite's name for it) -> what it computes. */
const table: Readonly<Record<string, Readonly<Record<string, Expected>>>> = {
  conv2d: { [xnnpack]: once, CONV_2D: once },
  depthwise_conv2d: { [xnnpack]: once, DEPTHWISE_CONV_2D: twice },
  fully_connected: { [xnnpack]: once, FULLY_CONNECTED: once },
  average_pool2d: { AVERAGE_POOL_2D: once },
  max_pool2d: { [xnnpack]: once, MAX_POOL_2D: once },
  add: {
    ADD: once,
    [xnnpack]: { exactly: coarseSum, why: 'multipliers of 20 bits, one shift for the sum instead of one an operand' },
  },
  mul: { [xnnpack]: once, MUL: once },
  mean: { [xnnpack]: once, MEAN: once },
  softmax: {
    SOFTMAX: { offByOne: 0.002, why: 'exp() of floats from a table, not the fixed-point exp of the reference' },
  },
  relu: { RELU: twice },
  relu6: { RELU6: twice },
  leaky_relu: { LEAKY_RELU: twice, [xnnpack]: { exactly: coarseRescale, why: 'multipliers of 8 fractional bits' } },
  quantize: {
    QUANTIZE: { exactly: wideQuotient, why: 'floats are divided in double where the reference divides in float32' },
    [xnnpack]: { exactly: coarseRescale, why: 'a multiplier of 8 fractional bits between integer types' },
  },
  dequantize: { [xnnpack]: once, DEQUANTIZE: once },
  reshape: { RESHAPE: once },
  squeeze: { SQUEEZE: once },
  transpose: { [xnnpack]: once },
  pad: { [xnnpack]: once, PADV2: once, PAD: once },
  concat: { [xnnpack]: once },
};

/** Seeds that show a rare difference. They are run besides the first ones. */
const rare: Readonly<Record<string, readonly number[]>> = {
  softmax: [3270],
  add: [4758],
  quantize: [1872],
  pad: [406],
};

/** Nodes that this build of TFLite refuses, and why that is no fault of the file. */
const refusals: Readonly<Record<string, { readonly message: RegExp; readonly why: string }>> = {
  quantize: {
    message: /kTfLite(UInt8|Int8|Int16) .*was not true/,
    why: 'its QUANTIZE takes no int8 or uint8 to int16, and no int16 to uint8',
  },
};

const tensorOf = (g: Graph, id: number | undefined): Tensor => {
  const t = g.tensors[id ?? -1];
  if (t === undefined) throw new Error(`no tensor ${id}`);
  return t;
};
const only = (g: Graph): Node => {
  const [node] = g.nodes;
  if (node === undefined) throw new Error('no node');
  return node;
};

/** XNNPACK between integers: 256 times the ratio of the scales, rounded; then one rounding shift. Floats as the reference. */
function coarseRescale(g: Graph, inputs: readonly Value[]): ArrayLike<number> {
  const x = tensorOf(g, g.inputs[0]);
  if (x.dtype === 'float32') return runReference(g, inputs, { rounding: 'single' }).outputs[0] as Int8Array;
  const node = only(g);
  const y = tensorOf(g, g.outputs[0]);
  const ratio = Math.fround((x.quant?.scale[0] ?? 1) / (y.quant?.scale[0] ?? 1));
  const below = node.op === 'leaky_relu' ? Math.fround(ratio * Number(node.attrs.alpha)) : ratio;
  const [xZero, yZero] = [x.quant?.zeroPoint[0] ?? 0, y.quant?.zeroPoint[0] ?? 0];
  const [lo, hi] = rangeOf(y.dtype);
  return Array.from(inputs[0] as Int8Array, (v) => {
    const multiplier = Math.round(256 * (v >= xZero ? ratio : below));
    return Math.max(lo, Math.min(hi, (yZero * 256 + 128 + (v - xZero) * multiplier) >> 8));
  });
}

/** TFLite's own kernel: integers as the reference does, rounding twice; floats divided in double. */
function wideQuotient(g: Graph, inputs: readonly Value[]): ArrayLike<number> {
  const [x, y] = [tensorOf(g, g.inputs[0]), tensorOf(g, g.outputs[0])];
  if (x.dtype !== 'float32') return runReference(g, inputs, { rounding: 'double' }).outputs[0] as Int8Array;
  const [lo, hi] = rangeOf(y.dtype);
  const { scale, zero } = { scale: y.quant?.scale[0] ?? 1, zero: y.quant?.zeroPoint[0] ?? 0 };
  return Array.from(inputs[0] as Float32Array, (v) => {
    const steps = Math.sign(v) * Math.floor(Math.abs(v / scale) + 0.5);
    return Math.max(lo, Math.min(hi, steps + zero));
  });
}

/** XNNPACK's ADD: both operands times their scale as a 21-bit number, one sum, one shift. */
function coarseSum(g: Graph, inputs: readonly Value[]): ArrayLike<number> {
  const node = only(g);
  const [a, b, y] = [tensorOf(g, node.inputs[0]), tensorOf(g, node.inputs[1]), tensorOf(g, node.outputs[0])];
  const ratios = [a, b].map((t) => Math.fround((t.quant?.scale[0] ?? 1) / (y.quant?.scale[0] ?? 1)));
  const shift = 20 - Math.floor(Math.log2(Math.max(...ratios)));
  const factors = ratios.map((r) => Math.round(r * 2 ** shift));
  const at = [a, b].map((t) => placesOf(t.shape, y.shape));
  const values = [a, b].map((t, i) =>
    t.data === undefined ? (inputs[g.inputs.indexOf(node.inputs[i] ?? -1)] as Int8Array) : new Int8Array(t.data),
  );
  const [lo, hi] = activationRange(
    text(node, 'activation'),
    'int8',
    y.quant?.scale[0] ?? 1,
    y.quant?.zeroPoint[0] ?? 0,
  );
  return Array.from({ length: elements(y.shape) }, (_, k) => {
    const terms = [a, b].map(
      (t, i) => ((values[i]?.[at[i]?.[k] ?? 0] ?? 0) - (t.quant?.zeroPoint[0] ?? 0)) * (factors[i] ?? 0),
    );
    const sum = Math.floor(((terms[0] ?? 0) + (terms[1] ?? 0)) / 2 ** shift + 0.5);
    return Math.max(lo, Math.min(hi, sum + (y.quant?.zeroPoint[0] ?? 0)));
  });
}
/** For each element of `whole`, where it comes from in a tensor of `shape` that is stretched to it. */
function placesOf(shape: readonly number[], whole: readonly number[]): readonly number[] {
  const own = [...Array<number>(whole.length - shape.length).fill(1), ...shape];
  return Array.from({ length: elements(whole) }, (_, k) =>
    own.reduce((at, n, d) => {
      const i = Math.floor(k / elements(whole.slice(d + 1))) % (whole[d] ?? 1);
      return at * n + (n === 1 ? 0 : i);
    }, 0),
  );
}

/**
 * XNNPACK under SAME where a stride is larger than its window: the border it needs comes out negative, and it reads as
 * if every pixel lay outside. What is left is the bias, so that is compared.
 */
function withoutPixels(g: Graph): Graph {
  const node = only(g);
  if (node.op !== 'conv2d' && node.op !== 'depthwise_conv2d') return g;
  const [x, w, y] = [tensorOf(g, node.inputs[0]), tensorOf(g, node.inputs[1]), tensorOf(g, node.outputs[0])];
  const same = ints(node, 'pad').some((p) => p > 0);
  const negative = [0, 1].some((d) => {
    const reach = (ints(node, 'dilation')[d] ?? 1) * ((w.shape[d + 1] ?? 1) - 1) + 1;
    return ((y.shape[d + 1] ?? 1) - 1) * (ints(node, 'stride')[d] ?? 1) + reach < (x.shape[d + 1] ?? 1);
  });
  if (!same || !negative) return g;
  const zeros = new Uint8Array(elements(w.shape));
  return { ...g, tensors: g.tensors.map((t) => (t === w ? { ...t, data: zeros } : t)) };
}

/** CONV_2D of this TFLite wants a bias: one of zeros where the node has none. */
function withBias(g: Graph): Graph {
  const node = only(g);
  if (node.op !== 'conv2d' || node.inputs[2] !== -1) return g;
  const [x, w] = [tensorOf(g, node.inputs[0]), tensorOf(g, node.inputs[1])];
  const scale = (w.quant?.scale ?? []).map((s) => Math.fround(s * (x.quant?.scale[0] ?? 1)));
  const bias: Tensor = {
    name: 'bias',
    dtype: 'int32',
    shape: [w.shape[0] ?? 1],
    data: new Uint8Array(4 * (w.shape[0] ?? 1)),
    quant: { scale, zeroPoint: scale.map(() => 0), axis: 0 },
  };
  const nodes = [{ ...node, inputs: [...node.inputs.slice(0, 2), g.tensors.length] }];
  return { ...g, tensors: [...g.tensors, bias], nodes };
}

/** Floats that no integer holds are left to each implementation: they become 1. */
const fair = (v: Value): Value =>
  v instanceof Float32Array ? v.map((x) => (Number.isFinite(x) && Math.abs(x) < 1e4 ? x : 1)) : v;

interface Seen {
  readonly total: number;
  /** Outputs that are not the reference's. */
  readonly off: number;
}

let tflite: Tflite;
beforeAll(async () => {
  tflite = await loadTflite();
});

/** What a row of the table says to one sample: the outputs it asks for, and how many of them are not the reference's. */
interface Verdict {
  readonly kernel: string;
  readonly want: readonly number[];
  readonly off: number;
}
function judge(
  kernel: string,
  expected: Expected,
  graph: Graph,
  inputs: readonly Value[],
  got: readonly number[],
): Verdict {
  const asked = kernel === xnnpack ? withoutPixels(graph) : graph;
  const rounding = 'exact' in expected ? expected.exact : 'single';
  const ours = Array.from(runReference(asked, inputs, { rounding }).outputs[0] as Int8Array);
  const near = (v: number, i: number): number => (Math.abs(v - (got[i] ?? Number.NaN)) <= 1 ? (got[i] ?? v) : v);
  const want =
    'exactly' in expected
      ? Array.from(expected.exactly(asked, inputs))
      : ours.map((v, i) => ('offByOne' in expected ? near(v, i) : v));
  return { kernel, want, off: got.filter((v, i) => v !== ours[i]).length };
}

/** Runs one sample; what it saw is added up by kernel. */
function compare(op: string, seed: number, seen: Map<string, Seen>): void {
  const random = new Random(seed);
  const graph = withBias(randomNode(op, random));
  const inputs = randomInputs(graph, random).map(fair);
  const label = (): string => `${op} seed ${seed}\n${printGraph(graph)}`;
  const answer = tflite.run(writeTflite(graph), inputs);
  if ('refused' in answer) return expect(answer.refused, label()).toMatch(refusals[op]?.message ?? /^never$/);
  const got = Array.from(answer.outputs[0] as Int8Array);
  const ran = answer.kernels.join(', ');
  // The profile of a model stays empty now and then: then it was one of them.
  const rows = Object.entries(table[op] ?? {}).filter(([kernel]) => ran === '' || kernel === ran);
  const verdicts = rows.map(([kernel, expected]) => judge(kernel, expected, graph, inputs, got));
  const verdict = verdicts.find((v) => v.want.every((w, i) => w === got[i])) ?? verdicts[0];
  if (verdict === undefined) throw new Error(`${label()}: kernel ${ran} is not in the table`);
  expect(got, label()).toEqual(verdict.want);
  const { total, off } = seen.get(verdict.kernel) ?? { total: 0, off: 0 };
  seen.set(verdict.kernel, { total: total + got.length, off: off + verdict.off });
}

test('the table has every operator', () => {
  expect(Object.keys(table).sort()).toEqual(Object.keys(operators).sort());
});

describe.each(Object.keys(table))('%s', (op) => {
  test('computes what TFLite computes', () => {
    const seen = new Map<string, Seen>();
    const seeds = new Set([...(rare[op] ?? []), ...Array.from({ length: samples(300, 5000) }, (_, i) => i + 1)]);
    for (const seed of seeds) compare(op, seed, seen);
    for (const [kernel, expected] of Object.entries(table[op] ?? {})) {
      const counts = seen.get(kernel) ?? { total: 0, off: 0 };
      // The delegate takes some nodes now and leaves them then: only a claimed difference has to be seen.
      if ('why' in expected) expect(counts.off, `${kernel} needs no excuse`).toBeGreaterThan(0);
      if ('offByOne' in expected)
        expect(counts.off / counts.total, expected.why).toBeLessThanOrEqual(expected.offByOne);
    }
  });
});

test('TFLite runs the networks that the writer makes', () => {
  let refused = 0;
  for (let seed = 1; seed <= samples(100, 2000); seed++) {
    const random = new Random(seed);
    const graph = randomNetwork(random);
    const inputs = randomInputs(graph, random).map(fair);
    const answer = tflite.run(writeTflite(graph), inputs);
    const [want] = runReference(graph, inputs, { rounding: 'single' }).outputs;
    if ('outputs' in answer) {
      expect(answer.outputs[0]?.length, printGraph(graph)).toBe(want?.length);
      continue;
    }
    // As above: a convolution without bias, a QUANTIZE between types.
    expect(answer.refused, printGraph(graph)).toMatch(/has_bias was not true|kTfLite(UInt8|Int8|Int16) .*was not true/);
    refused++;
  }
  expect(refused).toBeLessThan(samples(40, 800));
});
