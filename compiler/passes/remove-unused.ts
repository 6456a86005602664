/** Nodes whose results nobody reads go, and tensors that nobody names; ids are positions, so the rest moves up. */
import type { Graph, Node } from '../graph/graph.ts';
import type { Pass } from './pass.ts';

function usedNodes(graph: Graph): readonly Node[] {
  const wanted = new Set(graph.outputs);
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((id) => wanted.has(id))) continue;
    kept.push(node);
    for (const id of node.inputs) wanted.add(id);
  }
  return kept.reverse();
}

function removeFrom(graph: Graph): Graph {
  const nodes = usedNodes(graph);
  const named = new Set([...graph.inputs, ...graph.outputs, ...nodes.flatMap((n) => [...n.inputs, ...n.outputs])]);
  const old = graph.tensors.flatMap((_, id) => (named.has(id) ? [id] : []));
  const position = new Map(old.map((id, i) => [id, i]));
  const moved = (ids: readonly number[]): readonly number[] => ids.map((id) => position.get(id) ?? -1);
  return {
    name: graph.name,
    tensors: old.flatMap((id) => graph.tensors[id] ?? []),
    nodes: nodes.map((n) => ({ ...n, inputs: moved(n.inputs), outputs: moved(n.outputs) })),
    inputs: moved(graph.inputs),
    outputs: moved(graph.outputs),
  };
}

export const removeUnused: Pass = {
  name: 'remove-unused',
  reason: 'what was fused away must not count as a reader',
  required: false,
  run: removeFrom,
};
