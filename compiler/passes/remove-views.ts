/**
 * Readers look through RESHAPE and SQUEEZE where they can: a view of a view, a view that changes nothing, and a view before
 * a fully connected layer (which reads rows of elements, whatever their shape). Views themselves move nothing; they stay
 * at graph outputs, and remove-unused takes those that nobody reads any more.
 */
import { type Graph, type Node, tensorOf } from '../graph/graph.ts';
import { viewOps } from '../ops/index.ts';
import { type Pass, sameMeaning, sameShape, writersOf } from './pass.ts';

/** May `reader` read `from` instead of its view? */
function sees(reader: Node, graph: Graph, view: Node): boolean {
  const [from, to] = [tensorOf(graph, view.inputs[0]), tensorOf(graph, view.outputs[0])];
  if (!sameMeaning(from, to)) return false;
  if (sameShape(from, to) || viewOps.has(reader.op)) return true;
  return reader.op === 'fully_connected' && reader.attrs.keepDims !== true;
}

function through(reader: Node, graph: Graph, writers: ReadonlyMap<number, Node>): Node {
  const inputs = reader.inputs.map((id, i) => {
    let at = id;
    // Weights and biases keep their shape: only what a node computes on is looked through.
    const runtime = i === 0 || !['conv2d', 'depthwise_conv2d', 'fully_connected'].includes(reader.op);
    for (let view = writers.get(at); runtime && view !== undefined; view = writers.get(at)) {
      if (!viewOps.has(view.op) || !sees(reader, graph, view)) break;
      at = view.inputs[0] ?? -1;
    }
    return at;
  });
  if (inputs.every((id, i) => id === reader.inputs[i])) return reader;
  // The axes of a squeeze name dimensions that are no longer there.
  return viewOps.has(reader.op)
    ? { ...reader, op: 'reshape', attrs: { shape: tensorOf(graph, reader.outputs[0]).shape }, inputs }
    : { ...reader, inputs };
}

export const removeViews: Pass = {
  name: 'remove-views',
  reason: 'what reads a view directly can have its channels removed and its buffer reused',
  required: false,
  run(graph) {
    const writers = new Map(writersOf(graph));
    const nodes = graph.nodes.map((node) => {
      const seeing = through(node, graph, writers);
      // Later readers begin where this one ended: a chain of views, however long, is walked once.
      for (const id of node.outputs) writers.set(id, seeing);
      return seeing;
    });
    return { ...graph, nodes };
  },
};
