/** The structure every graph must have; passes are checked by it after each step. */
import { type Graph, tensorBytes } from './graph.ts';

/** What is wrong with a graph, in words, or undefined. */
export function verifyGraph(g: Graph): string | undefined {
  const ready = g.tensors.map((t) => t.data !== undefined);
  for (const [i, t] of g.tensors.entries()) {
    if (t.shape.some((d) => !Number.isInteger(d) || d < 1)) return `tensor ${i} ${t.name} has shape [${t.shape}]`;
    if (t.data !== undefined && t.data.length !== tensorBytes(t))
      return `tensor ${i} ${t.name} has ${t.data.length} bytes, its type needs ${tensorBytes(t)}`;
  }
  for (const id of g.inputs) {
    if (g.tensors[id] === undefined) return `graph input ${id} does not exist`;
    if (ready[id]) return `graph input ${id} is a constant or stands twice`;
    ready[id] = true;
  }
  for (const node of g.nodes) {
    const where = `${node.source.name} (operator ${node.source.index})`;
    for (const id of node.inputs) {
      if (id === -1) continue;
      if (g.tensors[id] === undefined) return `${where} reads tensor ${id}, which does not exist`;
      if (!ready[id]) return `${where} reads tensor ${id} before it is computed`;
    }
    for (const id of node.outputs) {
      if (g.tensors[id] === undefined) return `${where} writes tensor ${id}, which does not exist`;
      if (ready[id]) return `${where} writes tensor ${id}, which has a value already`;
      ready[id] = true;
    }
  }
  if (g.outputs.length === 0) return 'the graph has no output';
  const missing = g.outputs.find((id) => !ready[id]);
  return missing === undefined ? undefined : `graph output ${missing} is never computed`;
}
