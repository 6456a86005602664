/**
 * How channels (the last dimension) run through a graph, and which of them no input reaches. Such a channel holds the same
 * values in every run, perhaps others at the border than inside; any run of the reference shows them.
 */
import { elements, type Graph, type Node, type Tensor, type TensorId, tensorOf } from '../graph/graph.ts';
import type { Value } from '../ops/operator.ts';
import { runReference } from '../ops/run-reference.ts';
import { decode, emptyValue, int, ints, numbers } from '../ops/values.ts';
import type { Rounding } from '../workload.ts';

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
    case 'quantize':
    case 'dequantize':
      return same;
    case 'pad':
      return ints(node, 'pads')
        .slice(2 * last)
        .some((p) => p > 0)
        ? whole
        : same;
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

/** Weights of conv2d and fully_connected as [result channel][tap][channel]: OHWI, and rows of whole pixels. */
export interface Weights {
  readonly taps: number;
  at(o: number, tap: number, channel: number): number;
}
export function weightsOf(node: Node, graph: Graph): Weights {
  const [x, w] = [tensorOf(graph, node.inputs[0]), tensorOf(graph, node.inputs[1])];
  const values = numbers(decode(w) as Value);
  const [outputs, channels] = [w.shape[0] ?? 1, channelsOf(x)];
  const taps = elements(w.shape) / (outputs * channels);
  return { taps, at: (o, tap, channel) => values[(o * taps + tap) * channels + channel] as number };
}

/** Per tensor and channel: true where no graph input has a way to it. */
export function unreached(graph: Graph): readonly (readonly boolean[])[] {
  const known = graph.tensors.map((t): readonly boolean[] => Array(channelsOf(t)).fill(t.data !== undefined));
  for (const node of graph.nodes) known[node.outputs[0] ?? -1] = unreachedResults(node, graph, known);
  return known;
}

function unreachedResults(node: Node, graph: Graph, known: readonly (readonly boolean[])[]): readonly boolean[] {
  const flow = flowOf(node, graph);
  const results = Array<boolean>(channelsOf(tensorOf(graph, node.outputs[0]))).fill(true);
  switch (flow.kind) {
    case 'mix': {
      const w = weightsOf(node, graph);
      const reached = (known[node.inputs[0] ?? -1] ?? []).flatMap((k, c) => (k ? [] : [c]));
      return results.map((_, o) => reached.every((c) => !readsChannel(w, o, c)));
    }
    case 'along': {
      operandsOf(node).forEach((id, i) => {
        known[id]?.forEach((k, c) => {
          if (!k) for (const o of flow.to(i, c)) results[o] = false;
        });
      });
      return node.op === 'depthwise_conv2d' ? results.map((k, o) => k || isZeroColumn(node, graph, o)) : results;
    }
    case 'whole':
      return results.fill(operandsOf(node).every((id) => known[id]?.every((k) => k)));
  }
}

/** Has result channel `o` a weight that is not 0 on this channel? */
function readsChannel(w: Weights, o: number, channel: number): boolean {
  for (let tap = 0; tap < w.taps; tap++) if (w.at(o, tap, channel) !== 0) return true;
  return false;
}

function isZeroColumn(depthwise: Node, graph: Graph, o: number): boolean {
  const w = tensorOf(graph, depthwise.inputs[1]);
  return (w.data ?? []).every((byte, i) => byte === 0 || i % channelsOf(w) !== o);
}

/** Values of every tensor in one run, on zeros: those of unreached channels are the same in all runs. */
export function oneRun(graph: Graph, rounding: Rounding): ReadonlyMap<TensorId, Value> {
  const zeros = graph.inputs.map((id) => emptyValue(tensorOf(graph, id).dtype, elements(tensorOf(graph, id).shape)));
  const run = runReference(graph, zeros, { rounding });
  return new Map(
    graph.nodes.flatMap((node, i) => node.outputs.map((id, k): [TensorId, Value] => [id, run.nodes[i]?.[k] as Value])),
  );
}
