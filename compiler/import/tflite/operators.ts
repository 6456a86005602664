/**
 * From TFLite operators to graph nodes: one entry an operator. Paddings become numbers, axes become non-negative, operands
 * that only carry attributes (a shape, a permutation) become attributes. To add an operator: a line in schema.ts, one here.
 */
import type { Attrs, Tensor } from '../../graph/graph.ts';
import { decode, numbers } from '../../ops/values.ts';
import type { Table } from './flatbuffer.ts';
import { activations, type BuiltinName } from './schema.ts';

/** A reason why a node cannot be imported; the caller adds operator name, index and byte offset. */
export class Refused extends Error {}

export interface Source {
  readonly options: Table | undefined;
  /** Operands; undefined where an optional one is absent. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
}
export interface Made {
  readonly op: string;
  readonly attrs: Attrs;
  /** Which of the operands are the node's inputs; -1: an absent one. */
  readonly take: readonly number[];
}

const dim = (t: Tensor | undefined, i: number): number => t?.shape[i] ?? 0;
const need = (ok: boolean, why: string): void => {
  if (!ok) throw new Refused(why);
};
const activation = (s: Source, field: number): string => {
  const code = s.options?.i8(field) ?? 0;
  const name = activations[code];
  if (name === undefined)
    throw new Refused(`fused activation ${code} is not supported (none, relu, relu6, relu_n1_to_1 are)`);
  return name;
};
const optional = (s: Source, i: number): number => (s.inputs[i] === undefined ? -1 : i);

/** The numbers of an operand that must be constant. */
function constant(s: Source, i: number, what: string): readonly number[] {
  const t = s.inputs[i];
  const value = t === undefined ? undefined : decode(t);
  if (value === undefined) throw new Refused(`${what} must be a constant`);
  return Array.from(numbers(value));
}
const axis = (a: number, rank: number): number => {
  need(Number.isInteger(a) && a >= -rank && a < rank, `axis ${a} is out of range for ${rank} dimensions`);
  return a < 0 ? a + rank : a;
};

/** Window geometry of a convolution or pooling: [top, bottom, left, right]. */
function padding(
  s: Source,
  kind: 'same' | 'valid',
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): readonly number[] {
  for (const [what, values] of Object.entries({ stride, dilation, kernel }))
    need(
      values.every((v) => v >= 1 && v <= 65535),
      `${what} ${values.join('x')} is out of range`,
    );
  return [0, 1].flatMap((d) => {
    const n = dim(s.inputs[0], d + 1);
    const [k, st, dl] = [kernel[d] ?? 1, stride[d] ?? 1, dilation[d] ?? 1];
    const reach = dl * (k - 1) + 1;
    need(kind === 'same' || reach <= n, `a window of ${reach} is larger than the input (${n})`);
    if (kind === 'valid') return [0, 0];
    const total = Math.max(0, (Math.ceil(n / st) - 1) * st + reach - n);
    const before = Math.floor(total / 2);
    return [before, total - before];
  });
}
const paddingKind = (s: Source): 'same' | 'valid' => {
  const code = s.options?.i8(0) ?? 0;
  need(code === 0 || code === 1, `padding ${code} is unknown`);
  return code === 0 ? 'same' : 'valid';
};

function pool(op: string): (s: Source) => Made {
  return (s) => {
    const stride = [s.options?.i32(2) ?? 0, s.options?.i32(1) ?? 0];
    const filter = [s.options?.i32(4) ?? 0, s.options?.i32(3) ?? 0];
    need(s.inputs[0]?.shape.length === 4, 'the input must have four dimensions');
    return {
      op,
      attrs: { filter, stride, pad: padding(s, paddingKind(s), filter, stride, [1, 1]), activation: activation(s, 5) },
      take: [0],
    };
  };
}
const binary =
  (op: string) =>
  (s: Source): Made => ({ op, attrs: { activation: activation(s, 0) }, take: [0, 1] });
const unary = (op: string) => (): Made => ({ op, attrs: {}, take: [0] });

function pads(s: Source, value: number): Made {
  const rank = s.inputs[0]?.shape.length ?? 0;
  const list = constant(s, 1, 'the paddings');
  need(
    list.length === 2 * rank && list.every((p) => p >= 0 && p <= 65535),
    `paddings [${list.slice(0, 16)}] do not fit ${rank} dimensions`,
  );
  return { op: 'pad', attrs: { pads: list, value }, take: [0] };
}

export const importers: { readonly [N in BuiltinName]: (s: Source) => Made } = {
  CONV_2D(s) {
    need(
      s.inputs[0]?.shape.length === 4 && s.inputs[1]?.shape.length === 4,
      'input and weights must have four dimensions',
    );
    const kernel = [dim(s.inputs[1], 1), dim(s.inputs[1], 2)];
    const [stride, dilation] = [
      [s.options?.i32(2) ?? 0, s.options?.i32(1) ?? 0],
      [s.options?.i32(5, 1) ?? 1, s.options?.i32(4, 1) ?? 1],
    ];
    return {
      op: 'conv2d',
      attrs: {
        stride,
        dilation,
        pad: padding(s, paddingKind(s), kernel, stride, dilation),
        activation: activation(s, 3),
      },
      take: [0, 1, optional(s, 2)],
    };
  },
  DEPTHWISE_CONV_2D(s) {
    need(
      s.inputs[0]?.shape.length === 4 && s.inputs[1]?.shape.length === 4,
      'input and weights must have four dimensions',
    );
    const kernel = [dim(s.inputs[1], 1), dim(s.inputs[1], 2)];
    const [stride, dilation] = [
      [s.options?.i32(2) ?? 0, s.options?.i32(1) ?? 0],
      [s.options?.i32(6, 1) ?? 1, s.options?.i32(5, 1) ?? 1],
    ];
    const multiplier = dim(s.inputs[1], 3) / dim(s.inputs[0], 3);
    need(
      Number.isInteger(multiplier) && multiplier >= 1,
      `${dim(s.inputs[1], 3)} weight channels are no multiple of ${dim(s.inputs[0], 3)} input channels`,
    );
    return {
      op: 'depthwise_conv2d',
      attrs: {
        multiplier,
        stride,
        dilation,
        pad: padding(s, paddingKind(s), kernel, stride, dilation),
        activation: activation(s, 4),
      },
      take: [0, 1, optional(s, 2)],
    };
  },
  FULLY_CONNECTED(s) {
    need((s.options?.i8(1) ?? 0) === 0, 'shuffled weights are not supported');
    need(s.inputs[1]?.shape.length === 2, 'the weights must have two dimensions');
    return {
      op: 'fully_connected',
      attrs: { activation: activation(s, 0), keepDims: s.options?.u8(2) === 1 },
      take: [0, 1, optional(s, 2)],
    };
  },
  AVERAGE_POOL_2D: pool('average_pool2d'),
  MAX_POOL_2D: pool('max_pool2d'),
  ADD: binary('add'),
  MUL: binary('mul'),
  RESHAPE: (s) => ({ op: 'reshape', attrs: { shape: s.outputs[0]?.shape ?? [] }, take: [0] }),
  SQUEEZE: (s) => ({ op: 'squeeze', attrs: { axes: s.options?.i32s(0) ?? [] }, take: [0] }),
  SOFTMAX: (s) => ({ op: 'softmax', attrs: { beta: s.options?.f32(0) ?? 0 }, take: [0] }),
  PAD: (s) => pads(s, s.inputs[0]?.quant?.zeroPoint[0] ?? 0),
  PADV2(s) {
    need(s.inputs[2]?.dtype === s.inputs[0]?.dtype, 'the padding value has another type than the input');
    return pads(s, constant(s, 2, 'the padding value')[0] ?? 0);
  },
  MEAN(s) {
    const rank = s.inputs[0]?.shape.length ?? 0;
    const axes = [...new Set(constant(s, 1, 'the axes').map((a) => axis(a, rank)))].sort((a, b) => a - b);
    return { op: 'mean', attrs: { axes, keepDims: s.options?.u8(0) === 1 }, take: [0] };
  },
  RELU: unary('relu'),
  RELU6: unary('relu6'),
  LEAKY_RELU: (s) => ({ op: 'leaky_relu', attrs: { alpha: s.options?.f32(0) ?? 0 }, take: [0] }),
  TRANSPOSE(s) {
    const rank = s.inputs[0]?.shape.length ?? 0;
    return { op: 'transpose', attrs: { perm: constant(s, 1, 'the permutation').map((a) => axis(a, rank)) }, take: [0] };
  },
  CONCATENATION(s) {
    const rank = s.inputs[0]?.shape.length ?? 0;
    return {
      op: 'concat',
      attrs: { axis: axis(s.options?.i32(0) ?? 0, rank), activation: activation(s, 1) },
      take: s.inputs.map((_, i) => i),
    };
  },
  QUANTIZE: unary('quantize'),
  DEQUANTIZE: unary('dequantize'),
};
