/** LEAKY_RELU, int8: one multiplier above the zero point, another (with alpha) below. */
import { elements, type Graph, type Node } from '../graph/graph.ts';
import { multiplyQuantized } from '../program/arithmetic.ts';
import {
  add,
  buffer,
  clamp,
  iter,
  load,
  loop,
  max,
  min,
  num,
  type Program,
  program,
  store,
  sub,
} from '../program/index.ts';
import type { Workload } from '../workload.ts';
import { type Multiplier, quantizeMultiplier, rescale } from './fixed-point.ts';
import type { Operator } from './operator.ts';
import { int, need, needType, numbers, operand, operandType, result, scalar } from './values.ts';

interface Plan {
  readonly xZero: number;
  readonly yZero: number;
  readonly above: Multiplier;
  readonly below: Multiplier;
}

/** TFLite forms both multipliers in float32. */
function planOf(node: Node, graph: Graph): Plan {
  const [x, y] = [operand(graph, node, 0), result(graph, node)];
  needType(['int8'], x, y);
  const [xq, yq] = [scalar(x, 'the input'), scalar(y, 'the output')];
  const alpha = node.attrs.alpha;
  need(typeof alpha === 'number', 'alpha is missing');
  return {
    xZero: xq.zero,
    yZero: yq.zero,
    above: quantizeMultiplier(Math.fround(xq.scale / yq.scale)),
    below: quantizeMultiplier(Math.fround(Math.fround(xq.scale * alpha) / yq.scale)),
  };
}

export const leakyRelu: Operator = {
  name: 'leaky_relu',

  infer(_node, [x], [y]) {
    need(x !== undefined && y !== undefined, 'leaky_relu needs an input');
    return [{ ...y, shape: x.shape }];
  },

  reference(node, graph, [x], { rounding }) {
    const { xZero, yZero, above, below } = planOf(node, graph);
    return [
      Int8Array.from(numbers(x as Int8Array), (v) => {
        const { mult, shift } = v >= xZero ? above : below;
        return Math.max(-128, Math.min(127, multiplyQuantized(v - xZero, mult, shift, rounding) + yZero));
      }),
    ];
  },

  lower(node, graph, { rounding }) {
    const { xZero, yZero, above, below } = planOf(node, graph);
    return {
      workload: {
        op: 'leaky_relu',
        attrs: { xZero, yZero, rounding },
        inputs: [operandType(operand(graph, node, 0))],
        outputs: [operandType(result(graph, node))],
      },
      constants: {
        mult: Int32Array.of(above.mult),
        shift: Int32Array.of(above.shift),
        multBelow: Int32Array.of(below.mult),
        shiftBelow: Int32Array.of(below.shift),
      },
    };
  },

  programs: (w) => ({ direct: naive(w) }),
  macs: (w) => elements(w.outputs[0]?.shape ?? []),
  inPlace: () => [0],
};

/** One of the two sides is always 0, and 0 rescales to 0: their sum needs no choice. */
function naive(w: Workload): Program {
  const n = elements(w.outputs[0]?.shape ?? []);
  const value = sub(load('x', iter('i')), num(int(w, 'xZero')));
  const above = rescale(w, max(value, num(0)), { zero: int(w, 'yZero') });
  const sum = add(above, rescale(w, min(value, num(0)), { suffix: 'Below' }));
  const constants = ['mult', 'shift', 'multBelow', 'shiftBelow'].map((name) => buffer(name, 'i32', [], 'const'));
  return program(
    'leaky_relu',
    [buffer('x', 'i8', [n], 'in'), buffer('y', 'i8', [n], 'out'), ...constants],
    loop('i', n, store('y', [iter('i')], clamp(sum, -128, 127))),
  );
}
