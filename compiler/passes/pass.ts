/** What a pass is, and the questions that all of them ask of a graph. A pass is a pure function and exact for every input. */
import type { Graph, Node, Tensor, TensorId } from '../graph/graph.ts';
import type { Value } from '../ops/operator.ts';
import { encode } from '../ops/values.ts';
import type { Rounding } from '../workload.ts';

export interface Pass {
  readonly name: string;
  /** Why it stands where it stands. */
  readonly reason: string;
  /** Required passes run always; the others only with optional: 'all'. */
  readonly required: boolean;
  /** The rounding matters where a pass computes values that the model would compute when it runs. */
  run(graph: Graph, rounding: Rounding): Graph;
}

/** Positions of the nodes that read each tensor; a graph output counts as one more reader, at -1. */
export function readersOf(graph: Graph): readonly (readonly number[])[] {
  const readers: number[][] = graph.tensors.map(() => []);
  graph.nodes.forEach((node, i) => {
    for (const id of new Set(node.inputs)) if (id >= 0) readers[id]?.push(i);
  });
  for (const id of graph.outputs) readers[id]?.push(-1);
  return readers;
}

/** The node that writes each tensor. */
export function writersOf(graph: Graph): ReadonlyMap<TensorId, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((id): [TensorId, Node] => [id, node])));
}

/** Do equal bytes mean equal numbers? Same type and same quantization. */
export const sameMeaning = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype && JSON.stringify(a.quant) === JSON.stringify(b.quant);

export const sameShape = (a: Tensor, b: Tensor): boolean =>
  a.shape.length === b.shape.length && a.shape.every((d, i) => d === b.shape[i]);

/** A constant's bytes, as a copy of their own. */
export const bytesOfValue = (v: Value): Uint8Array => encode(v).slice();
