/**
 * Channels go that never change, whatever the input, or that nobody reads. What a removed channel added to a convolution's sums
 * goes into its bias, and only where that is the same number at every pixel: beside a border a channel that is not at its zero
 * point adds less, and then it stays. Some dead ones stay to fill up fours. Exact for every input; graph inputs and outputs
 * keep their channels.
 */
import { type Graph, type Node, tensorOf } from '../graph/graph.ts';
import { numbers } from '../ops/values.ts';
import type { Rounding } from '../workload.ts';
import { type Bounds, boundsOf } from './bounds.ts';
import { channelsOf, type Flow, flowOf, operandsOf, placesOf, weightsOf } from './channels.ts';
import { cutChannels, type Mixer } from './cut-channels.ts';
import type { Pass } from './pass.ts';

/** Per tensor and channel: does it stay? */
type Keep = readonly boolean[][];

function remove(graph: Graph, rounding: Rounding): Graph {
  const mixers = mixersOf(graph, boundsOf(graph, rounding));
  const keep = graph.tensors.map((t): boolean[] => Array(channelsOf(t)).fill(t.data !== undefined));
  for (const id of [...graph.inputs, ...graph.outputs]) keep[id]?.fill(true);
  settle(graph, keep, mixers);
  return keep.every((channels) => channels.every((k) => k)) ? graph : cutChannels(graph, keep, mixers);
}

/** The nodes that mix channels, with their weights and what they see of channels that never change. */
function mixersOf(graph: Graph, bounds: readonly Bounds[]): ReadonlyMap<Node, Mixer> {
  const mixing = graph.nodes.filter((node) => flowOf(node, graph).kind === 'mix');
  return new Map(
    mixing.map((node): [Node, Mixer] => {
      const weights = weightsOf(node, graph);
      const seen = seenBy(node, graph, bounds[node.inputs[0] ?? -1] as Bounds, weights.channels);
      return [node, { weights, constant: (channel, tap) => seen[channel]?.[tap] }];
    }),
  );
}

/** For each channel and tap what the tap meets minus the zero point, if it is one number at every pixel and in every run. */
function seenBy(
  node: Node,
  graph: Graph,
  { low, high }: Bounds,
  channels: number,
): readonly (readonly (number | undefined)[])[] {
  const [lows, highs] = [numbers(low), numbers(high)];
  const zero = tensorOf(graph, node.inputs[0]).quant?.zeroPoint[0] ?? 0;
  const taps = placesOf(node, graph);
  const at = (place: number | undefined, channel: number): number | undefined => {
    if (place === undefined) return 0;
    const i = place * channels + channel;
    return lows[i] === highs[i] ? (lows[i] as number) - zero : undefined;
  };
  return Array.from({ length: channels }, (_, channel) =>
    taps.map((places) => {
      const first = at(places[0], channel);
      return places.every((place) => at(place, channel) === first) ? first : undefined;
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
