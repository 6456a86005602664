/**
 * What every element of every tensor can be, over all inputs: the graph runs once on intervals. Must stay true: for any input an
 * element lies within its bounds, and equal bounds are its value in every run. An operator that is not known here may give
 * anything of its type, so a new one is safe before it is listed.
 */
import { elements, type Graph, type Node, type Tensor, tensorOf } from '../graph/graph.ts';
import { operatorOf } from '../ops/index.ts';
import type { Value } from '../ops/operator.ts';
import { decode, emptyValue, int, ints, numbers, rangeOf } from '../ops/values.ts';
import { clamp, multiplyQuantized } from '../program/arithmetic.ts';
import type { Lowered, Rounding } from '../workload.ts';
import { placesOf, type Weights, weightsOf } from './channels.ts';

/** Lowest and highest value, element by element. */
export interface Bounds {
  readonly low: Value;
  readonly high: Value;
}

/** Bounds by tensor id. */
export function boundsOf(graph: Graph, rounding: Rounding): readonly Bounds[] {
  const known = graph.tensors.map((t): Bounds => {
    const value = decode(t);
    return value === undefined ? anything(t) : { low: value, high: value };
  });
  for (const node of graph.nodes) {
    const of = { node, graph, rounding, lowered: (): Lowered => operatorOf(node.op).lower(node, graph, { rounding }) };
    const inputs = node.inputs.map((id) => known[id]);
    node.outputs.forEach((id, i) => {
      known[id] = resultsOf(of, inputs)[i] ?? anything(tensorOf(graph, id));
    });
  }
  return known;
}

/** All that a type can hold. */
function anything(t: Tensor): Bounds {
  const [low, high] = [emptyValue(t.dtype, elements(t.shape)), emptyValue(t.dtype, elements(t.shape))];
  if (low instanceof BigInt64Array || high instanceof BigInt64Array) {
    low.fill(-(2n ** 63n) as never);
    high.fill((2n ** 63n - 1n) as never);
  } else {
    const [least, most] = t.dtype === 'float32' ? [-Infinity, Infinity] : rangeOf(t.dtype);
    low.fill(least);
    high.fill(most);
  }
  return { low, high };
}

/** A node and what it is asked for. */
interface Of {
  readonly node: Node;
  readonly graph: Graph;
  readonly rounding: Rounding;
  lowered(): Lowered;
}
type Inputs = readonly (Bounds | undefined)[];

/** Bounds of a node's outputs; none: anything. */
function resultsOf(of: Of, inputs: Inputs): readonly Bounds[] {
  switch (of.node.op) {
    case 'conv2d':
    case 'depthwise_conv2d':
    case 'fully_connected':
      return [weightedSum(of, inputs[0] as Bounds)];
    case 'average_pool2d':
    case 'max_pool2d':
    case 'dequantize':
    case 'reshape':
    case 'squeeze':
    case 'transpose':
    case 'pad':
    case 'concat':
      return rising(of, inputs);
    case 'relu':
    case 'relu6':
    case 'leaky_relu':
    case 'quantize':
    case 'mean':
    case 'add':
      return shiftsInRange(of) ? rising(of, inputs) : settled(of, inputs);
    case 'mul':
      return shiftsInRange(of) ? corners(of, inputs) : settled(of, inputs);
    default:
      return settled(of, inputs);
  }
}

const run = ({ node, graph, rounding }: Of, inputs: readonly (Value | undefined)[]): readonly Value[] =>
  operatorOf(node.op).reference(node, graph, inputs, { rounding });

/** Operators that rise with each of their inputs: the lowest inputs give the lowest results. */
function rising(of: Of, inputs: Inputs): readonly Bounds[] {
  const high = run(
    of,
    inputs.map((b) => b?.high),
  );
  return run(
    of,
    inputs.map((b) => b?.low),
  ).map((low, i) => ({ low, high: high[i] as Value }));
}

/** A product of two bounded factors lies between the products of their bounds, and so does what rises with it. */
function corners(of: Of, [a, b]: Inputs): readonly Bounds[] {
  const ends = [a?.low, a?.high].flatMap((x) => [b?.low, b?.high].map((y) => numbers(run(of, [x, y])[0] as Value)));
  const t = tensorOf(of.graph, of.node.outputs[0]);
  const [low, high] = [emptyValue(t.dtype, elements(t.shape)), emptyValue(t.dtype, elements(t.shape))];
  for (let i = 0; i < low.length; i++) {
    const values = ends.map((e) => e[i] as number);
    (low as Int8Array)[i] = Math.min(...values);
    (high as Int8Array)[i] = Math.max(...values);
  }
  return [{ low, high }];
}

/** Any operator, where its inputs are the same in every run. */
function settled(of: Of, inputs: Inputs): readonly Bounds[] {
  const same = inputs.every((b) => b === undefined || b.low.every((v, i) => v === b.high[i]));
  return same ? rising(of, inputs) : [];
}

/** A rescale rises with what it gets while its shift to the left loses no bits. */
function shiftsInRange(of: Of): boolean {
  const { constants } = of.lowered();
  const shifts = Object.entries(constants).flatMap(([name, v]) => (name.startsWith('shift') ? [...v] : []));
  return mostRescaled(of) * 2 ** Math.max(0, ...shifts) < 2 ** 31;
}
/** Largest magnitude that an operator rescales. */
function mostRescaled({ node, graph }: Of): number {
  switch (node.op) {
    case 'add':
      // Two operands of nine bits, shifted by 20.
      return 2 ** 30;
    case 'mean':
      return 256 * ints(node, 'axes').reduce((n, d) => n * (tensorOf(graph, node.inputs[0]).shape[d] ?? 1), 1);
    default:
      return 2 ** 17;
  }
}

/** Sums of products with constant weights, requantised: each term has its bounds, whatever the other terms are. */
function weightedSum(of: Of, { low, high }: Bounds): Bounds {
  const { node, graph, rounding } = of;
  const { workload, constants } = of.lowered();
  const [zero, min, max] = ['xZero', 'min', 'max'].map((name) => int(workload, name)) as [number, number, number];
  const y = tensorOf(graph, node.outputs[0]);
  const [least, most] = [emptyValue(y.dtype, elements(y.shape)), emptyValue(y.dtype, elements(y.shape))];
  const [bias, mult, shift] = ['bias', 'mult', 'shift'].map((name) => constants[name] as Int32Array);
  const sums = sumsOf(node, graph, { low, high }, zero);
  const n = bias?.length ?? 1;
  for (let i = 0; i < least.length; i++) {
    const o = i % n;
    const [m, s, b] = [mult?.[o] ?? 0, shift?.[o] ?? 0, bias?.[o] ?? 0];
    const [from, to] = wrapped(b + (sums.low[i] as number), b + (sums.high[i] as number));
    const scaled = (acc: number): number =>
      clamp(multiplyQuantized(acc, m, s, rounding) + int(workload, 'yZero'), min, max);
    const inRange = from === to || Math.max(-from, to) * 2 ** Math.max(0, s) < 2 ** 31;
    (least as Int8Array)[i] = inRange ? scaled(from) : min;
    (most as Int8Array)[i] = inRange ? scaled(to) : max;
  }
  return { low: least, high: most };
}

/** Accumulators wrap at 32 bits: the interval as they hold it, all of them where its ends wrap differently. */
function wrapped(low: number, high: number): readonly [number, number] {
  const turns = Math.floor((low + 2 ** 31) / 2 ** 32) * 2 ** 32;
  return high - turns < 2 ** 31 ? [low - turns, high - turns] : [-(2 ** 31), 2 ** 31 - 1];
}

/** Bounds of the sums without bias, for each element of the result. */
function sumsOf(
  node: Node,
  graph: Graph,
  x: Bounds,
  zero: number,
): { readonly low: Float64Array; readonly high: Float64Array } {
  const weights = weightsOf(node, graph);
  const { outputs, channels, taps } = weights;
  const [lows, highs] = [x.low, x.high].map((v) => Int32Array.from(numbers(v), (n) => n - zero));
  const places = placesOf(node, graph);
  const pixels = places[0]?.length ?? 0;
  const [low, high] = [new Float64Array(pixels * outputs), new Float64Array(pixels * outputs)];
  for (let p = 0; p < pixels; p++) {
    for (let tap = 0; tap < taps; tap++) {
      const place = places[tap]?.[p];
      if (place !== undefined)
        addTerms(weights, tap, [lows, highs, place * channels] as Seen, [low, high, p * outputs]);
    }
  }
  return { low, high };
}
/** Lowest and highest inputs minus the zero point, and where a pixel begins in them. */
type Seen = readonly [Int32Array, Int32Array, number];

/** Adds what one tap sees of a pixel to the sums of all result channels of another. */
function addTerms(
  { outputs, reads, first, at }: Weights,
  tap: number,
  [lows, highs, pixel]: Seen,
  [low, high, result]: readonly [Float64Array, Float64Array, number],
): void {
  for (let o = 0; o < outputs; o++) {
    let least = 0;
    let most = 0;
    const start = first(o);
    for (let c = start; c < start + reads; c++) {
      const w = at(o, tap, c);
      const a = Math.imul(w, lows[pixel + c] as number);
      const b = Math.imul(w, highs[pixel + c] as number);
      least += Math.min(a, b);
      most += Math.max(a, b);
    }
    low[result + o] = (low[result + o] as number) + least;
    high[result + o] = (high[result + o] as number) + most;
  }
}
