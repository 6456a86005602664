/** MEAN, int8, over any axes: the sum of (x - zero) times one multiplier that holds the scales and the count. */
import { elements, type Graph, type Node } from '../graph/graph.ts';
import { multiplyQuantized } from '../program/arithmetic.ts';
import {
  buffer,
  iter,
  load,
  loop,
  num,
  type Program,
  program,
  register,
  type Stmt,
  store,
  sub,
} from '../program/index.ts';
import type { Workload } from '../workload.ts';
import { type Multiplier, quantizeMultiplier, rescale } from './fixed-point.ts';
import type { Operator } from './operator.ts';
import { int, ints, need, needType, numbers, operand, operandType, result, scalar } from './values.ts';

/** TFLite folds 1/count into the scale's multiplier, keeping as many bits as fit. */
function meanMultiplier(scale: number, count: number): Multiplier {
  const { mult, shift } = quantizeMultiplier(scale);
  const bits = Math.min(31 - Math.clz32(count), 32, 31 + shift);
  return { mult: Number((BigInt(mult) << BigInt(bits)) / BigInt(count)), shift: shift - bits };
}

const kept = (shape: readonly number[], axes: readonly number[]): readonly number[] =>
  shape.map((_, d) => d).filter((d) => !axes.includes(d));
const countOf = (shape: readonly number[], axes: readonly number[]): number =>
  axes.reduce((n, d) => n * (shape[d] as number), 1);

function plan(node: Node, graph: Graph): { readonly m: Multiplier; readonly xZero: number; readonly yZero: number } {
  const [x, y] = [operand(graph, node, 0), result(graph, node)];
  needType(['int8'], x, y);
  const [xq, yq] = [scalar(x, 'the input'), scalar(y, 'the output')];
  return {
    m: meanMultiplier(xq.scale / yq.scale, countOf(x.shape, ints(node, 'axes'))),
    xZero: xq.zero,
    yZero: yq.zero,
  };
}

export const mean: Operator = {
  name: 'mean',

  infer(node, [x], [y]) {
    need(x !== undefined && y !== undefined, 'mean needs an input');
    const axes = ints(node, 'axes');
    need(
      axes.every((a) => a >= 0 && a < x.shape.length),
      `axes [${axes}] are out of range`,
    );
    const shape =
      node.attrs.keepDims === true
        ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
        : kept(x.shape, axes).map((d) => x.shape[d] as number);
    return [{ ...y, shape }];
  },

  reference(node, graph, [x], { rounding }) {
    const { m, xZero, yZero } = plan(node, graph);
    const { shape } = operand(graph, node, 0);
    const keep = kept(shape, ints(node, 'axes'));
    const input = numbers(x as Int8Array);
    const sums = new Int32Array(keep.reduce((n, d) => n * (shape[d] as number), 1));
    for (let i = 0; i < input.length; i++) {
      let rest = i;
      const at = [...shape].map(() => 0);
      for (let d = shape.length - 1; d >= 0; d--) {
        at[d] = rest % (shape[d] as number);
        rest = Math.floor(rest / (shape[d] as number));
      }
      const place = keep.reduce((sum, d) => sum * (shape[d] as number) + (at[d] as number), 0);
      sums[place] = (sums[place] as number) + (input[i] as number) - xZero;
    }
    return [
      Int8Array.from(sums, (s) =>
        Math.max(-128, Math.min(127, multiplyQuantized(s, m.mult, m.shift, rounding) + yZero)),
      ),
    ];
  },

  lower(node, graph, { rounding }) {
    const { m, xZero, yZero } = plan(node, graph);
    return {
      workload: {
        op: 'mean',
        attrs: { axes: ints(node, 'axes'), xZero, yZero, rounding },
        inputs: [operandType(operand(graph, node, 0))],
        outputs: [operandType(result(graph, node))],
      },
      constants: { mult: Int32Array.of(m.mult), shift: Int32Array.of(m.shift) },
    };
  },

  programs: (w) => ({ direct: naive(w) }),
  macs: (w) => elements(w.inputs[0]?.shape ?? []),
};

function naive(w: Workload): Program {
  const shape = w.inputs[0]?.shape ?? [];
  const axes = ints(w, 'axes');
  const keep = kept(shape, axes);
  const nest = (dims: readonly number[], inner: readonly Stmt[]): readonly Stmt[] => {
    const [d, ...rest] = dims;
    return d === undefined ? inner : [loop(`i${d}`, shape[d] as number, ...nest(rest, inner))];
  };
  const sum = store('acc', [], sub(load('x', ...shape.map((_, d) => iter(`i${d}`))), num(int(w, 'xZero'))), '+');
  const done = store(
    'y',
    keep.map((d) => iter(`i${d}`)),
    rescale(w, load('acc'), { zero: int(w, 'yZero'), min: -128, max: 127 }),
  );
  return program(
    'mean',
    [
      buffer('x', 'i8', shape, 'in'),
      buffer(
        'y',
        'i8',
        keep.map((d) => shape[d] as number),
        'out',
      ),
      buffer('mult', 'i32', [], 'const'),
      buffer('shift', 'i32', [], 'const'),
    ],
    ...nest(keep, [register('acc'), store('acc', [], num(0)), ...nest(axes, [sum]), done]),
  );
}
