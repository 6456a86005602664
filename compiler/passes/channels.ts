/** How channels (the last dimension) run through a graph, and the weights by which layers read them. */
import { elements, type Graph, type Node, type Tensor, type TensorId, tensorOf } from '../graph/graph.ts';
import type { Value } from '../ops/operator.ts';
import { decode, int, ints, numbers } from '../ops/values.ts';

/** Of a tensor: its last dimension; a scalar has one channel. */
export const channelsOf = (t: Tensor): number => t.shape.at(-1) ?? 1;

export type Flow =
  /** Every result channel is a weighted sum over taps of all channels: conv2d, fully_connected. */
  | { readonly kind: 'mix' }
  /** A channel of an operand meets only these channels of the result. */
  | { readonly kind: 'along'; to(operand: number, channel: number): readonly number[] }
  /** Anything may depend on anything. */
  | { readonly kind: 'whole' };

const whole: Flow = { kind: 'whole' };
const same: Flow = { kind: 'along', to: (_, channel) => [channel] };

export function flowOf(node: Node, graph: Graph): Flow {
  const [x, y] = [tensorOf(graph, node.inputs[0]), tensorOf(graph, node.outputs[0])];
  const last = x.shape.length - 1;
  switch (node.op) {
    case 'conv2d':
      return { kind: 'mix' };
    case 'fully_connected':
      return channelsOf(tensorOf(graph, node.inputs[1])) % channelsOf(x) === 0 ? { kind: 'mix' } : whole;
    case 'depthwise_conv2d': {
      const m = int(node, 'multiplier');
      return { kind: 'along', to: (_, c) => Array.from({ length: m }, (_unused, q) => c * m + q) };
    }
    case 'average_pool2d':
    case 'max_pool2d':
    case 'relu':
    case 'relu6':
    case 'leaky_relu':
    case 'quantize':
    case 'dequantize':
      return same;
    case 'pad':
      return ints(node, 'pads')
        .slice(2 * last)
        .some((p) => p > 0)
        ? whole
        : same;
    case 'transpose':
      return ints(node, 'perm').at(-1) === last ? same : whole;
    case 'mean':
      return ints(node, 'axes').includes(last) ? whole : same;
    case 'reshape':
    case 'squeeze':
      return channelsOf(x) === channelsOf(y) ? same : whole;
    case 'add':
    case 'mul':
      return node.inputs.every((id) => followsResult(tensorOf(graph, id), y)) ? same : whole;
    case 'concat':
      return int(node, 'axis') === last ? sideBySide(node, graph) : same;
    default:
      return whole;
  }
}

/** Does an operand have the result's channels, or is it a constant that serves them all? */
const followsResult = (operand: Tensor, y: Tensor): boolean =>
  channelsOf(operand) === channelsOf(y) || (operand.data !== undefined && channelsOf(operand) === 1);

function sideBySide(node: Node, graph: Graph): Flow {
  let next = 0;
  const starts = node.inputs.map((id) => {
    const start = next;
    next += channelsOf(tensorOf(graph, id));
    return start;
  });
  return { kind: 'along', to: (operand, c) => [(starts[operand] ?? 0) + c] };
}

/** What a node computes on; weights and biases are not among it. */
export const operandsOf = (node: Node): readonly TensorId[] =>
  ['conv2d', 'depthwise_conv2d', 'fully_connected'].includes(node.op) ? node.inputs.slice(0, 1) : node.inputs;

/** Weights as [result channel][tap][channel]; a result channel of a depthwise layer reads one channel, of the others all. */
export interface Weights {
  readonly outputs: number;
  readonly taps: number;
  /** Channels of the input. */
  readonly channels: number;
  /** Result channel `o` reads `reads` channels from `first(o)` on. */
  readonly reads: number;
  first(o: number): number;
  at(o: number, tap: number, channel: number): number;
}

/** Of a conv2d (OHWI), a fully_connected (rows of whole pixels) or a depthwise_conv2d. */
export function weightsOf(node: Node, graph: Graph): Weights {
  const [x, w] = [tensorOf(graph, node.inputs[0]), tensorOf(graph, node.inputs[1])];
  const values = numbers(decode(w) as Value);
  if (node.op === 'depthwise_conv2d') {
    const [outputs, m] = [channelsOf(w), int(node, 'multiplier')];
    const at = (o: number, tap: number): number => values[tap * outputs + o] as number;
    const first = (o: number): number => Math.floor(o / m);
    return { outputs, taps: values.length / outputs, channels: channelsOf(x), reads: 1, first, at };
  }
  const [outputs, row] = [w.shape[0] ?? 1, elements(w.shape.slice(1))];
  // Rows of part of a pixel mix all they see: as one tap.
  const channels = row % channelsOf(x) === 0 ? channelsOf(x) : row;
  const at = (o: number, tap: number, channel: number): number => values[o * row + tap * channels + channel] as number;
  return { outputs, taps: row / channels, channels, reads: channels, first: () => 0, at };
}

/** For each tap the pixels of the input that it meets, one for each pixel of the result; undefined: outside. */
export function placesOf(node: Node, graph: Graph): readonly (readonly (number | undefined)[])[] {
  const [x, w, y] = [node.inputs[0], node.inputs[1], node.outputs[0]].map((id) => tensorOf(graph, id).shape) as [
    readonly number[],
    readonly number[],
    readonly number[],
  ];
  if (node.op === 'fully_connected') {
    const { taps } = weightsOf(node, graph);
    const rows = elements(x) / (w[1] ?? 1);
    return Array.from({ length: taps }, (_, t) => Array.from({ length: rows }, (_unused, r) => r * taps + t));
  }
  const [n = 1, h = 1, wd = 1] = x;
  const [, kh = 1, kw = 1] = w;
  const [, oh = 1, ow = 1] = y;
  const [[sy = 1, sx = 1], [dy = 1, dx = 1]] = [ints(node, 'stride'), ints(node, 'dilation')];
  const [top = 0, , left = 0] = ints(node, 'pad');
  return Array.from({ length: kh * kw }, (_, tap) =>
    Array.from({ length: n * oh * ow }, (_unused, p) => {
      const [b, oy, ox] = [Math.floor(p / (oh * ow)), Math.floor(p / ow) % oh, p % ow];
      const [iy, ix] = [oy * sy - top + Math.floor(tap / kw) * dy, ox * sx - left + (tap % kw) * dx];
      return iy < 0 || ix < 0 || iy >= h || ix >= wd ? undefined : (b * h + iy) * wd + ix;
    }),
  );
}
