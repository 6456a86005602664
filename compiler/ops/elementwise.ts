/** ADD and MUL, int8, with different scales and broadcasting; either operand may be a constant. */
import { elements, type Graph, type Node, type Tensor } from '../graph/graph.ts';
import { multiplyQuantized } from '../program/arithmetic.ts';
import {
  add,
  bin,
  buffer,
  type Expr,
  iter,
  load,
  loop,
  mul,
  num,
  type Program,
  program,
  type Stmt,
  store,
  sub,
} from '../program/index.ts';
import type { Rounding, Workload } from '../workload.ts';
import { activationRange, type Multiplier, quantizeMultiplier, rescale } from './fixed-point.ts';
import { type Operator, OperatorError } from './operator.ts';
import { decode, int, ints, need, needType, numbers, operand, operandType, result, scalar, text } from './values.ts';

/** Bits that ADD gains before rescaling, as TFLite does. */
const addShift = 20;

type Which = 'add' | 'mul';

/** Shapes aligned at their last dimension; throws where they do not broadcast. */
function broadcast(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  const [x, y] = [a, b].map((s) => [...Array<number>(rank - s.length).fill(1), ...s]) as [number[], number[]];
  return x.map((d, i) => {
    const e = y[i] as number;
    if (d !== e && d !== 1 && e !== 1) throw new OperatorError(`[${a}] and [${b}] do not broadcast`);
    return Math.max(d, e);
  });
}

/** Index into an operand for an index into the result. */
const project = (shape: readonly number[], index: readonly Expr[]): readonly Expr[] =>
  shape.map((d, i) => (d === 1 ? num(0) : (index[index.length - shape.length + i] as Expr)));

interface Scales {
  readonly zeros: readonly [number, number];
  readonly yZero: number;
  readonly min: number;
  readonly max: number;
  /** Rescale of each input (ADD only) and of the result. */
  readonly inputs: readonly Multiplier[];
  readonly output: Multiplier;
}
function scalesOf(which: Which, node: Node, graph: Graph): Scales {
  const [a, b, y] = [operand(graph, node, 0), operand(graph, node, 1), result(graph, node)];
  needType(['int8'], a, b, y);
  const [qa, qb, qy] = [scalar(a, 'input 0'), scalar(b, 'input 1'), scalar(y, 'the output')];
  const [min, max] = activationRange(text(node, 'activation'), 'int8', qy.scale, qy.zero);
  const common = { zeros: [qa.zero, qb.zero] as const, yZero: qy.zero, min, max };
  if (which === 'mul') return { ...common, inputs: [], output: quantizeMultiplier((qa.scale * qb.scale) / qy.scale) };
  const twice = 2 * Math.max(qa.scale, qb.scale);
  return {
    ...common,
    inputs: [quantizeMultiplier(qa.scale / twice), quantizeMultiplier(qb.scale / twice)],
    output: quantizeMultiplier(twice / (2 ** addShift * qy.scale)),
  };
}

function elementwise(which: Which): Operator {
  return {
    name: which,

    infer(_node, [a, b], [y]) {
      need(a !== undefined && b !== undefined && y !== undefined, `${which} needs two inputs`);
      return [{ ...y, shape: broadcast(a.shape, b.shape) }];
    },

    reference(node, graph, [a, b], { rounding }) {
      const s = scalesOf(which, node, graph);
      const [left, right] = [numbers(a as Int8Array), numbers(b as Int8Array)];
      const shape = result(graph, node).shape;
      const places = [operand(graph, node, 0), operand(graph, node, 1)].map((t) => strides(t.shape, shape)) as [
        number[],
        number[],
      ];
      const out = new Int8Array(elements(shape));
      const at = shape.map(() => 0);
      for (let i = 0; i < out.length; i++) {
        const [u, v] = places.map((p) => p.reduce((sum, stride, d) => sum + stride * (at[d] as number), 0)) as [
          number,
          number,
        ];
        const [x0, x1] = [(left[u] as number) - s.zeros[0], (right[v] as number) - s.zeros[1]];
        const raw =
          which === 'mul' ? x0 * x1 : rescaled(x0, s.inputs[0], rounding) + rescaled(x1, s.inputs[1], rounding);
        const q = multiplyQuantized(raw, s.output.mult, s.output.shift, rounding) + s.yZero;
        out[i] = Math.max(s.min, Math.min(s.max, q));
        for (let d = shape.length - 1; d >= 0; d--) {
          at[d] = (at[d] as number) + 1;
          if ((at[d] as number) < (shape[d] as number)) break;
          at[d] = 0;
        }
      }
      return [out];
    },

    lower(node, graph, { rounding }) {
      const s = scalesOf(which, node, graph);
      const tensors = [operand(graph, node, 0), operand(graph, node, 1)];
      const constant = tensors.map((t) => t.data !== undefined);
      need(!constant.every((c) => c), 'both operands are constant: constant folding comes first');
      const [m0, m1] = s.inputs;
      const scalars = {
        mult: s.output.mult,
        shift: s.output.shift,
        ...(m0 !== undefined &&
          m1 !== undefined && { mult0: m0.mult, shift0: m0.shift, mult1: m1.mult, shift1: m1.shift }),
      };
      return {
        workload: {
          op: which,
          attrs: {
            zeros: s.zeros,
            yZero: s.yZero,
            min: s.min,
            max: s.max,
            rounding,
            constant: constant.indexOf(true),
            shape0: tensors[0]?.shape ?? [],
            shape1: tensors[1]?.shape ?? [],
          },
          inputs: tensors.filter((_, i) => !constant[i]).map(operandType),
          outputs: [operandType(result(graph, node))],
        },
        constants: {
          ...Object.fromEntries(Object.entries(scalars).map(([k, v]) => [k, Int32Array.of(v)])),
          ...Object.fromEntries(tensors.flatMap((t, i) => (constant[i] ? [[`x${i}`, constantValues(t)]] : []))),
        },
      };
    },

    programs: (w) => ({ direct: naive(which, w) }),
    macs: (w) => elements(w.outputs[0]?.shape ?? []),
    inPlace: (w) => w.inputs.flatMap((t, i) => (elements(t.shape) === elements(w.outputs[0]?.shape ?? []) ? [i] : [])),
  };
}

const constantValues = (t: Tensor): Int32Array => Int32Array.from(numbers(decode(t) as Int8Array));
const rescaled = (x: number, m: Multiplier | undefined, rounding: Rounding): number =>
  multiplyQuantized(x * 2 ** addShift, m?.mult ?? 0, m?.shift ?? 0, rounding);

/** Elements to move in an operand for one step in each dimension of the result. */
function strides(shape: readonly number[], whole: readonly number[]): number[] {
  let step = 1;
  const own = shape.map(() => 0);
  for (let d = shape.length - 1; d >= 0; d--) {
    own[d] = shape[d] === 1 ? 0 : step;
    step *= shape[d] as number;
  }
  return [...Array<number>(whole.length - shape.length).fill(0), ...own];
}

function naive(which: Which, w: Workload): Program {
  const shapes = [ints(w, 'shape0'), ints(w, 'shape1')] as const;
  const whole = w.outputs[0]?.shape ?? [];
  // Equal counts are not enough: [3, 1] and [1, 3] make [3, 3].
  const same = shapes.every((s) => elements(s) === elements(whole));
  const names = same ? ['i'] : whole.map((_, d) => `i${d}`);
  const extents = same ? [elements(whole)] : whole;
  const flatShape = (s: readonly number[]): readonly number[] => (same ? [elements(s)] : s);
  const space = (i: number): 'in' | 'const' => (int(w, 'constant') === i ? 'const' : 'in');
  const index = names.map(iter);
  const zeros = ints(w, 'zeros');
  const x = ([0, 1] as const).map((i) =>
    sub(load(`x${i}`, ...project(flatShape(shapes[i]), index)), num(zeros[i] ?? 0)),
  ) as [Expr, Expr];
  const common = (i: 0 | 1): Expr => rescale(w, bin('<<', x[i], num(addShift)), { suffix: `${i}` });
  const acc = which === 'mul' ? mul(x[0], x[1]) : add(common(0), common(1));
  const value = rescale(w, acc, { zero: int(w, 'yZero'), min: int(w, 'min'), max: int(w, 'max') });
  const scalars = which === 'mul' ? ['mult', 'shift'] : ['mult0', 'shift0', 'mult1', 'shift1', 'mult', 'shift'];
  return program(
    which,
    [
      ...([0, 1] as const).map((i) => buffer(`x${i}`, 'i8', flatShape(shapes[i]), space(i))),
      buffer('y', 'i8', flatShape(whole), 'out'),
      ...scalars.map((n) => buffer(n, 'i32', [], 'const')),
    ],
    names.reduceRight<Stmt>((body, n, d) => loop(n, extents[d] as number, body), store('y', index, value)),
  );
}
export const addOp = elementwise('add');
export const mulOp = elementwise('mul');
