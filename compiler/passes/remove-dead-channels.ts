/**
 * Channels go that no input reaches or that nobody reads. What a removed channel added to a convolution's sums goes into
 * its bias, and only where that is the same number at every pixel: beside a border a channel that is not at its zero point
 * adds less, and then it stays. Some dead ones stay to fill up fours. Exact for every input; graph inputs and outputs keep
 * their channels.
 */
import { type Graph, type Node, type TensorId, tensorOf } from '../graph/graph.ts';
import type { Value } from '../ops/operator.ts';
import { ints, numbers } from '../ops/values.ts';
import type { Rounding } from '../workload.ts';
import { channelsOf, type Flow, flowOf, oneRun, operandsOf, unreached, weightsOf } from './channels.ts';
import { cutChannels, type Mixer } from './cut-channels.ts';
import type { Pass } from './pass.ts';

/** Per tensor and channel: does it stay? */
type Keep = readonly boolean[][];

function remove(graph: Graph, rounding: Rounding): Graph {
  const known = unreached(graph);
  const mixers = mixersOf(graph, known, rounding);
  const keep = graph.tensors.map((t): boolean[] => Array(channelsOf(t)).fill(t.data !== undefined));
  for (const id of [...graph.inputs, ...graph.outputs]) keep[id]?.fill(true);
  settle(graph, keep, mixers);
  return keep.every((channels) => channels.every((k) => k)) ? graph : cutChannels(graph, keep, mixers);
}

/** The nodes that mix channels, with their weights and what they see of unreached channels. */
function mixersOf(graph: Graph, known: readonly (readonly boolean[])[], rounding: Rounding): ReadonlyMap<Node, Mixer> {
  const mixing = graph.nodes.filter((node) => flowOf(node, graph).kind === 'mix');
  const seesUnreached = (node: Node): boolean => known[node.inputs[0] ?? -1]?.includes(true) ?? false;
  const values = mixing.some(seesUnreached) ? oneRun(graph, rounding) : new Map<TensorId, Value>();
  return new Map(
    mixing.map((node): [Node, Mixer] => {
      const x = node.inputs[0] ?? -1;
      const value = values.get(x);
      const seen = seesUnreached(node) && value !== undefined ? seenBy(node, graph, value, known[x] ?? []) : [];
      return [node, { weights: weightsOf(node, graph), constant: (channel, tap) => seen[channel]?.[tap] }];
    }),
  );
}

/** Unreached channels minus zero point as each tap sees them; undefined where that differs from pixel to pixel, as beside a border. */
function seenBy(
  node: Node,
  graph: Graph,
  value: Value,
  known: readonly boolean[],
): readonly (readonly (number | undefined)[])[] {
  const [values, zero] = [numbers(value), tensorOf(graph, node.inputs[0]).quant?.zeroPoint[0] ?? 0];
  const taps = placesOf(node, graph);
  const at = (place: number | undefined, channel: number): number =>
    place === undefined ? 0 : (values[place * known.length + channel] as number) - zero;
  return known.map((isKnown, channel) =>
    isKnown
      ? taps.map((places) => {
          const first = at(places[0], channel);
          return places.every((place) => at(place, channel) === first) ? first : undefined;
        })
      : [],
  );
}

/** For each tap the pixels of the input that it meets, one for each pixel of the result; undefined: outside. */
function placesOf(node: Node, graph: Graph): readonly (readonly (number | undefined)[])[] {
  const [x, w, y] = [
    tensorOf(graph, node.inputs[0]),
    tensorOf(graph, node.inputs[1]),
    tensorOf(graph, node.outputs[0]),
  ];
  if (node.op === 'fully_connected') {
    const { taps } = weightsOf(node, graph);
    const rows = y.shape.slice(0, -1).reduce((n, d) => n * d, 1);
    return Array.from({ length: taps }, (_, t) => Array.from({ length: rows }, (_unused, r) => r * taps + t));
  }
  const [n = 1, h = 1, wd = 1] = x.shape;
  const [, kh = 1, kw = 1] = w.shape;
  const [, oh = 1, ow = 1] = y.shape;
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

/** Begins with nothing but inputs and outputs kept, and keeps what those need, until nothing changes. */
function settle(graph: Graph, keep: Keep, mixers: ReadonlyMap<Node, Mixer>): void {
  const flows = new Map(graph.nodes.map((node) => [node, flowOf(node, graph)]));
  for (;;) {
    const before = count(keep);
    for (const node of graph.nodes.toReversed()) keepFor(node, graph, flows.get(node) as Flow, keep, mixers.get(node));
    if (count(keep) > before) continue;
    const uneven = keep.find((channels) => !channels.includes(true) || isUneven(channels));
    if (uneven === undefined) return;
    uneven[uneven.indexOf(false)] = true;
  }
}
/** Channels that kernels take at a time. A dead channel costs less than its neighbours without their fast kernel. */
const lanes = 4;
function isUneven(channels: readonly boolean[]): boolean {
  const kept = channels.filter((k) => k).length;
  return kept > lanes && kept < channels.length && kept % lanes !== 0;
}
const count = (keep: Keep): number => keep.reduce((n, channels) => n + channels.filter((k) => k).length, 0);

function keepFor(node: Node, graph: Graph, flow: Flow, keep: Keep, mixer: Mixer | undefined): void {
  const results = keep[node.outputs[0] ?? -1] ?? [];
  const operands = operandsOf(node).map((id) => (tensorOf(graph, id).data === undefined ? (keep[id] ?? []) : []));
  switch (flow.kind) {
    case 'mix': {
      const outputs = results.flatMap((k, o) => (k ? [o] : []));
      for (const channels of operands)
        channels.forEach((k, c) => {
          channels[c] = k || (mixer !== undefined && isNeeded(mixer, c, outputs));
        });
      return;
    }
    case 'along':
      operands.forEach((channels, i) => {
        channels.forEach((k, c) => {
          const together = flow.to(i, c);
          if (!k && !together.some((o) => results[o])) return;
          channels[c] = true;
          for (const o of together) results[o] = true;
        });
      });
      return;
    case 'whole':
      for (const channels of [results, ...operands]) channels.fill(true);
  }
}

/** Does an output that stays read this channel, by a tap at which it is not the same number at every pixel? */
function isNeeded({ weights, constant }: Mixer, channel: number, outputs: readonly number[]): boolean {
  for (let tap = 0; tap < weights.taps; tap++) {
    if (constant(channel, tap) === undefined && outputs.some((o) => weights.at(o, tap, channel) !== 0)) return true;
  }
  return false;
}

export const removeDeadChannels: Pass = {
  name: 'remove-dead-channels',
  reason: 'after fusing: activations and borders are inside the layers that channels run through',
  required: false,
  run: remove,
};
