/** A graph as text: a line a node, constants by their size. */
import { type Graph, type Tensor, tensorBytes } from './graph.ts';

const typeText = (t: Tensor | undefined): string => (t === undefined ? '-' : `${t.dtype}[${t.shape}]`);

export function printGraph(g: Graph): string {
  const name = (id: number): string => (id < 0 ? '-' : `%${id}`);
  const constant = (id: number): string => {
    const t = g.tensors[id];
    return t?.data === undefined ? name(id) : `${name(id)}:const ${typeText(t)}`;
  };
  const nodes = g.nodes.map((n) => {
    const attrs = Object.entries(n.attrs).map(([k, v]) => `${k}=${Array.isArray(v) ? `[${v}]` : v}`);
    return `  ${n.outputs.map((id) => `${name(id)}: ${typeText(g.tensors[id])}`).join(', ')} = ${n.op}(${n.inputs.map(constant).join(', ')}) ${attrs.join(' ')}`.trimEnd();
  });
  const constants = g.tensors.reduce((sum, t) => sum + (t.data === undefined ? 0 : tensorBytes(t)), 0);
  const list = (ids: readonly number[]): string =>
    ids.map((id) => `${name(id)}: ${typeText(g.tensors[id])}`).join(', ');
  return `graph ${g.name}(${list(g.inputs)}) -> ${list(g.outputs)}  constants ${constants} bytes\n${nodes.join('\n')}\n`;
}
