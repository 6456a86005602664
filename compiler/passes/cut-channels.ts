/** Rewrites a graph without the channels that do not stay: shapes, weights, per-channel scales, biases. Decides nothing. */
import {
  elements,
  type Graph,
  type Node,
  type Quantization,
  type Tensor,
  type TensorId,
  tensorOf,
} from '../graph/graph.ts';
import type { Value } from '../ops/operator.ts';
import { decode, encode, numbers } from '../ops/values.ts';
import { channelsOf, flowOf, type Weights } from './channels.ts';

/** A node whose results are weighted sums over channels: conv2d, fully_connected. */
export interface Mixer {
  readonly weights: Weights;
  /** A channel that never changes, minus its zero point, as a tap sees it at every pixel; undefined where that differs. */
  constant(channel: number, tap: number): number | undefined;
}

export function cutChannels(
  graph: Graph,
  keep: readonly (readonly boolean[])[],
  mixers: ReadonlyMap<Node, Mixer>,
): Graph {
  const tensors = graph.tensors.map((t, id) =>
    t.data === undefined
      ? { ...t, shape: [...t.shape.slice(0, -1), kept(keep[id]).length].slice(0, t.shape.length) }
      : t,
  );
  const added = (t: Tensor): TensorId => tensors.push(t) - 1;
  const nodes = graph.nodes.map((node) => {
    const [x = -1, y = -1] = [node.inputs[0], node.outputs[0]];
    const cut: Cut = { graph, inputs: keep[x] ?? [], results: keep[y] ?? [], added };
    switch (node.op) {
      case 'conv2d':
      case 'fully_connected': {
        const mixer = mixers.get(node);
        return mixer === undefined ? node : mixing(node, cut, mixer);
      }
      case 'depthwise_conv2d':
        return depthwise(node, cut);
      case 'add':
      case 'mul':
      case 'concat':
        return { ...node, inputs: node.inputs.flatMap((_, i) => operand(node, i, cut)) };
      case 'reshape':
        return { ...node, attrs: { ...node.attrs, shape: tensors[y]?.shape ?? [] } };
      default:
        return node;
    }
  });
  return { ...graph, tensors, nodes };
}

interface Cut {
  readonly graph: Graph;
  /** Which channels of input and result stay. */
  readonly inputs: readonly boolean[];
  readonly results: readonly boolean[];
  added(t: Tensor): TensorId;
}

const kept = (keep: readonly boolean[] | undefined): readonly number[] =>
  (keep ?? []).flatMap((k, i) => (k ? [i] : []));
const all = (keep: readonly boolean[]): boolean => keep.every((k) => k);

/** conv2d and fully_connected: weights lose rows and columns, what removed channels added goes into the bias. */
function mixing(node: Node, cut: Cut, { weights: { taps, at }, constant }: Mixer): Node {
  if (all(cut.inputs) && all(cut.results)) return node;
  const w = tensorOf(cut.graph, node.inputs[1]);
  const [rows, columns] = [kept(cut.results), kept(cut.inputs)];
  const gone = cut.inputs.flatMap((k, c) => (k ? [] : [c]));
  const values = rows
    .flatMap((o) => Array.from({ length: taps }, (_, tap) => columns.map((c) => at(o, tap, c))))
    .flat();
  const sums = rows.map((o) => {
    let sum = 0;
    for (const c of gone) for (let tap = 0; tap < taps; tap++) sum += at(o, tap, c) * (constant(c, tap) ?? 0);
    return sum;
  });
  const shape =
    node.op === 'conv2d' ? [rows.length, ...w.shape.slice(1, 3), columns.length] : [rows.length, taps * columns.length];
  const weights = cut.added({ ...picked(w, rows), shape, data: encode(Int8Array.from(values)) });
  return { ...node, inputs: [node.inputs[0] ?? -1, weights, bias(node, cut, sums)] };
}

function depthwise(node: Node, cut: Cut): Node {
  if (all(cut.results)) return node;
  const w = tensorOf(cut.graph, node.inputs[1]);
  const weights = cut.added(pickChannels(w, cut.results));
  return { ...node, inputs: [node.inputs[0] ?? -1, weights, bias(node, cut, [])] };
}

/** The bias of the channels that stay plus `sums`, modulo 2^32 as the accumulator; an absent one stays absent if it can. */
function bias(node: Node, cut: Cut, sums: readonly number[]): TensorId {
  const old = cut.graph.tensors[node.inputs[2] ?? -1];
  if (old === undefined && sums.every((s) => s === 0)) return -1;
  const values = old === undefined ? [] : numbers(decode(old) as Value);
  const data = kept(cut.results).map((o, i) => ((values[o] ?? 0) + (sums[i] ?? 0)) | 0);
  const base: Tensor = old ?? { name: `${node.source.name}/bias`, dtype: 'int32', shape: [] };
  return cut.added({ ...picked(base, kept(cut.results)), shape: [data.length], data: encode(Int32Array.from(data)) });
}

/** Operand `i` of a node that channels run along; a constant is cut as the result is, and goes when nothing is left of it. */
function operand(node: Node, i: number, cut: Cut): readonly TensorId[] {
  const id = node.inputs[i] ?? -1;
  const [t, flow] = [tensorOf(cut.graph, id), flowOf(node, cut.graph)];
  const servesAll = node.op !== 'concat' && channelsOf(t) === 1;
  if (t.data === undefined || flow.kind !== 'along' || servesAll || all(cut.results)) return [id];
  const keep = Array.from({ length: channelsOf(t) }, (_, c) => flow.to(i, c).some((o) => cut.results[o]));
  return keep.includes(true) ? [cut.added(pickChannels(t, keep))] : [];
}

/** A constant without some of its last dimension. */
function pickChannels(t: Tensor, keep: readonly boolean[]): Tensor {
  const size = (t.data?.length ?? 0) / elements(t.shape);
  const data = t.data?.filter((_, i) => keep[Math.floor(i / size) % keep.length]) ?? new Uint8Array();
  const shape = [...t.shape.slice(0, -1), kept(keep).length];
  return { ...(t.quant?.axis === t.shape.length - 1 ? picked(t, kept(keep)) : t), shape, data };
}

/** With the scales and zero points of some channels, where there is one for each. */
function picked(t: Tensor, channels: readonly number[]): Tensor {
  const of = (list: readonly number[]): readonly number[] =>
    list.length > 1 ? channels.map((c) => list[c] as number) : list;
  const quant: Quantization | undefined = t.quant && {
    ...t.quant,
    scale: of(t.quant.scale),
    zeroPoint: of(t.quant.zeroPoint),
  };
  return { ...t, ...(quant !== undefined && { quant }) };
}
