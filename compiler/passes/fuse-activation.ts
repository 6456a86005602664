/**
 * RELU and RELU6 become the clamp of the node before them. Exact where both tensors mean the same numbers: then the
 * activation only clamps, and two clamps in a row are one. With another scale between them rounding differs: left alone.
 */
import { type Graph, type Node, tensorOf } from '../graph/graph.ts';
import { type Pass, readersOf, sameMeaning, writersOf } from './pass.ts';

const clamping: ReadonlySet<string> = new Set([
  'conv2d',
  'depthwise_conv2d',
  'fully_connected',
  'average_pool2d',
  'max_pool2d',
  'add',
  'mul',
]);
/** The clamp that two in a row make; undefined where no single activation says it. */
function both(first: unknown, second: string): string | undefined {
  if (first === 'none' || first === second) return second;
  return (first === 'relu' && second === 'relu6') || (first === 'relu6' && second === 'relu') ? 'relu6' : undefined;
}

/** The first activation that can go, with the node that takes it over. */
function find(graph: Graph): { readonly before: Node; readonly after: Node; readonly activation: string } | undefined {
  const [readers, writers] = [readersOf(graph), writersOf(graph)];
  for (const after of graph.nodes) {
    const from = after.inputs[0] ?? -1;
    const before = writers.get(from);
    if ((after.op !== 'relu' && after.op !== 'relu6') || before === undefined || !clamping.has(before.op)) continue;
    const activation = both(before.attrs.activation, after.op);
    const alone = readers[from]?.length === 1;
    if (alone && activation !== undefined && sameMeaning(tensorOf(graph, from), tensorOf(graph, after.outputs[0])))
      return { before, after, activation };
  }
  return undefined;
}

function fuse(graph: Graph): Graph {
  for (let current = graph; ; ) {
    const found = find(current);
    if (found === undefined) return current;
    const { before, after, activation } = found;
    const fused = { ...before, attrs: { ...before.attrs, activation }, outputs: after.outputs };
    current = {
      ...current,
      nodes: current.nodes.filter((n) => n !== after).map((n) => (n === before ? fused : n)),
    };
  }
}

export const fuseActivation: Pass = {
  name: 'fuse-activation',
  reason: 'a clamp is free inside a kernel and a pass over memory outside',
  required: false,
  run: fuse,
};
