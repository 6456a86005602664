/** What the multiply-accumulate operators (conv2d, depthwise_conv2d, fully_connected) share: constants, clamps, the nest's ends. */
import type { Graph, Node, Tensor } from '../graph/graph.ts';
import { type Expr, load, type Stmt, store } from '../program/index.ts';
import type { Constants, Rounding, Workload } from '../workload.ts';
import { activationRange, type Multiplier, multiplierConstants, quantizeMultiplier, rescale } from './fixed-point.ts';
import { decode, int, need, needType, numbers, operand, result, scalar, text } from './values.ts';

export interface Mac {
  readonly xZero: number;
  readonly yZero: number;
  readonly min: number;
  readonly max: number;
  readonly rounding: Rounding;
  readonly constants: Constants;
}

/**
 * Zero points, clamps and constants of a node with inputs x, w, bias. Multipliers are TFLite's: double products of the
 * scales, except fully connected per tensor, where TFLite multiplies the two input scales in float32. Output channels lie
 * along dimension `axis` of the weights.
 */
export function macOf(node: Node, graph: Graph, axis: number, rounding: Rounding, product: 'double' | 'float32'): Mac {
  const [x, w, y] = [operand(graph, node, 0), operand(graph, node, 1), result(graph, node)];
  needType(['int8'], x, w, y);
  const channels = w.shape[axis] ?? 0;
  const [xq, yq] = [scalar(x, 'the input'), scalar(y, 'the output')];
  const scales = w.quant?.scale ?? [];
  need(scales.length > 0, 'the weights have no scale; convert the model with full int8 quantization');
  need(
    scales.length === 1 || (scales.length === channels && w.quant?.axis === axis),
    `the weights have ${scales.length} scales along dimension ${w.quant?.axis}, ${channels} along ${axis} are needed`,
  );
  need(
    (w.quant?.zeroPoint ?? []).every((z) => z === 0),
    'the weights must have zero point 0',
  );
  const values = decode(w);
  need(values !== undefined, 'the weights must be constant');
  const perChannel = Array.from({ length: channels }, (_, o): Multiplier => {
    const scale = scales[scales.length === 1 ? 0 : o] ?? 0;
    const input = product === 'float32' && scales.length === 1 ? Math.fround(xq.scale * scale) : xq.scale * scale;
    return quantizeMultiplier(input / yq.scale);
  });
  const [min, max] = activationRange(text(node, 'activation'), y.dtype, yq.scale, yq.zero);
  return {
    xZero: xq.zero,
    yZero: yq.zero,
    min,
    max,
    rounding,
    constants: {
      w: Int32Array.from(numbers(values)),
      bias: biasOf(node, graph, channels),
      ...multiplierConstants(perChannel),
    },
  };
}

function biasOf(node: Node, graph: Graph, channels: number): Int32Array {
  const id = node.inputs[2] ?? -1;
  if (id < 0) return new Int32Array(channels);
  const bias: Tensor = operand(graph, node, 2);
  const values = decode(bias);
  need(values !== undefined, 'the bias must be constant');
  need(bias.dtype === 'int32', `the bias is ${bias.dtype}, int32 is needed`);
  need(values.length === channels, `the bias has ${values.length} values for ${channels} channels`);
  return Int32Array.from(numbers(values));
}

/** Workload attributes every one of them has. */
export const macAttrs = (m: Mac): Workload['attrs'] => ({
  xZero: m.xZero,
  yZero: m.yZero,
  min: m.min,
  max: m.max,
  rounding: m.rounding,
});

/** acc = bias[o]. */
export const initAcc = (o: Expr): Stmt => store('acc', [], load('bias', o));
/** y[...] = requantize(acc). */
export function finish(w: Workload, index: readonly Expr[], o: Expr): Stmt {
  const ends = { zero: int(w, 'yZero'), min: int(w, 'min'), max: int(w, 'max') };
  return store('y', index, rescale(w, load('acc'), { at: [o], ...ends }));
}
