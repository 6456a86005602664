/** relu, relu6, quantize, dequantize: one element in, one element out, perhaps with another scale or type. The file to copy. */

import type { DType } from '../graph/graph.ts';
import { elements, type Graph, type Node } from '../graph/graph.ts';
import { quantize as fromReal, multiplyQuantized, dequantize as toReal } from '../program/arithmetic.ts';
import { buffer, type Expr, iter, load, loop, num, type Program, program, store, sub } from '../program/index.ts';
import type { Lowered, Rounding, Workload } from '../workload.ts';
import { activationRange, quantizeMultiplier, rescale } from './fixed-point.ts';
import type { Operator, Value } from './operator.ts';
import {
  emptyValue,
  int,
  need,
  needType,
  numbers,
  operand,
  operandType,
  rangeOf,
  result,
  scalar,
  storageOf,
} from './values.ts';

const sameShape: Operator['infer'] = (_node, [x], [y]) => {
  need(x !== undefined && y !== undefined, 'one input and one output are needed');
  return [{ ...y, shape: x.shape }];
};

interface Plan {
  readonly form: 'integer' | 'from-real' | 'to-real';
  readonly xZero: number;
  readonly yZero: number;
  readonly min: number;
  readonly max: number;
  readonly mult: number;
  readonly shift: number;
  /** Of the float side. */
  readonly scale: number;
}
const integers: readonly DType[] = ['int8', 'uint8', 'int16'];
/** Operator -> types that it reads and writes. Activations keep the type, quantize and dequantize are there to change it. */
const types: Readonly<Record<string, readonly [readonly DType[], readonly DType[]]>> = {
  quantize: [['float32', ...integers], integers],
  dequantize: [integers, ['float32']],
};
function planOf(node: Node, graph: Graph, activation: string): Plan {
  const [x, y] = [operand(graph, node, 0), result(graph, node)];
  const [from, to] = types[node.op] ?? [integers, [x.dtype]];
  needType(from, x);
  needType(to, y);
  if (x.dtype === 'float32') {
    const q = scalar(y, 'the output');
    const [min, max] = rangeOf(y.dtype);
    return { form: 'from-real', xZero: 0, yZero: q.zero, min, max, mult: 0, shift: 0, scale: q.scale };
  }
  const xq = scalar(x, 'the input');
  if (y.dtype === 'float32')
    return { form: 'to-real', xZero: xq.zero, yZero: 0, min: 0, max: 0, mult: 0, shift: 0, scale: xq.scale };
  const yq = scalar(y, 'the output');
  const [min, max] = activationRange(activation, y.dtype, yq.scale, yq.zero);
  return {
    form: 'integer',
    xZero: xq.zero,
    yZero: yq.zero,
    min,
    max,
    ...quantizeMultiplier(xq.scale / yq.scale),
    scale: 0,
  };
}

function lower(op: string, node: Node, graph: Graph, activation: string, rounding: Rounding): Lowered {
  const { mult, shift, ...attrs } = planOf(node, graph, activation);
  return {
    workload: {
      op,
      attrs: { ...attrs, rounding },
      inputs: [operandType(operand(graph, node, 0))],
      outputs: [operandType(result(graph, node))],
    },
    constants: attrs.form === 'integer' ? { mult: Int32Array.of(mult), shift: Int32Array.of(shift) } : {},
  };
}

function naive(w: Workload): Program {
  const n = elements(w.outputs[0]?.shape ?? []);
  const at = load('x', iter('i'));
  const scale = typeof w.attrs.scale === 'number' ? w.attrs.scale : 1;
  const value: Expr =
    w.attrs.form === 'from-real'
      ? { kind: 'quantize', value: at, scale, zero: int(w, 'yZero'), min: int(w, 'min'), max: int(w, 'max') }
      : w.attrs.form === 'to-real'
        ? { kind: 'dequantize', value: at, scale, zero: int(w, 'xZero') }
        : rescale(w, sub(at, num(int(w, 'xZero'))), {
            zero: int(w, 'yZero'),
            min: int(w, 'min'),
            max: int(w, 'max'),
          });
  const constants = w.attrs.form === 'integer' ? ['mult', 'shift'].map((name) => buffer(name, 'i32', [], 'const')) : [];
  const type = (t: Workload['inputs'][number] | undefined): ReturnType<typeof storageOf> =>
    storageOf((t?.dtype ?? 'int8') as DType);
  return program(
    w.op,
    [buffer('x', type(w.inputs[0]), [n], 'in'), buffer('y', type(w.outputs[0]), [n], 'out'), ...constants],
    loop('i', n, store('y', [iter('i')], value)),
  );
}

function oneToOne(name: string, activation: string): Operator {
  return {
    name,
    infer: sameShape,
    reference(node, graph, [x], { rounding }) {
      const p = planOf(node, graph, activation);
      const input = numbers(x as Value);
      const out = emptyValue(result(graph, node).dtype, input.length);
      for (let i = 0; i < input.length; i++) {
        const v = input[i] as number;
        const y =
          p.form === 'from-real'
            ? fromReal(v, p.scale, p.yZero, p.min, p.max)
            : p.form === 'to-real'
              ? toReal(v, p.scale, p.xZero)
              : Math.max(p.min, Math.min(p.max, multiplyQuantized(v - p.xZero, p.mult, p.shift, rounding) + p.yZero));
        (out as Float32Array)[i] = y;
      }
      return [out];
    },
    lower: (node, graph, { rounding }) => lower(name, node, graph, activation, rounding),
    programs: (w) => ({ direct: naive(w) }),
    macs: (w) => elements(w.outputs[0]?.shape ?? []),
    inPlace: (w) => (w.inputs[0]?.dtype === w.outputs[0]?.dtype ? [0] : []),
  };
}
export const relu = oneToOne('relu', 'relu');
export const relu6 = oneToOne('relu6', 'relu6');
export const quantizeOp = oneToOne('quantize', 'none');
export const dequantizeOp = oneToOne('dequantize', 'none');
