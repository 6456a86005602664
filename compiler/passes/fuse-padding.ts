/**
 * A PAD before a convolution becomes the convolution's own border: legal where PAD writes what the border means (the input's
 * zero point; for max pooling the smallest value). The PAD stays for other readers; nobody left, remove-unused takes it.
 */
import { type Graph, type Node, tensorOf } from '../graph/graph.ts';
import { int, ints } from '../ops/values.ts';
import { type Pass, sameMeaning, writersOf } from './pass.ts';

/** Window that a node slides over its input, as far as it reaches; undefined for other operators. */
function reachOf(node: Node, graph: Graph): readonly number[] | undefined {
  switch (node.op) {
    case 'conv2d':
    case 'depthwise_conv2d': {
      const kernel = tensorOf(graph, node.inputs[1]).shape.slice(1, 3);
      const dilation = ints(node, 'dilation');
      return kernel.map((k, d) => (dilation[d] ?? 1) * (k - 1) + 1);
    }
    case 'max_pool2d':
      return ints(node, 'filter');
    default:
      return undefined;
  }
}

/** The node with the border in place of its PAD, or the node as it was. */
function absorb(node: Node, pad: Node | undefined, graph: Graph): Node {
  const reach = reachOf(node, graph);
  if (pad?.op !== 'pad' || reach === undefined) return node;
  const [x, padded] = [tensorOf(graph, pad.inputs[0]), tensorOf(graph, node.inputs[0])];
  const border = node.op === 'max_pool2d' ? -128 : (padded.quant?.zeroPoint[0] ?? 0);
  const [n0 = 0, n1 = 0, top = 0, bottom = 0, left = 0, right = 0, c0 = 0, c1 = 0] = ints(pad, 'pads');
  const spatial = x.shape.length === 4 && [n0, n1, c0, c1].every((p) => p === 0);
  if (!spatial || int(pad, 'value') !== border || !sameMeaning(x, padded)) return node;
  const sum = [top, bottom, left, right].map((p, i) => p + (ints(node, 'pad')[i] ?? 0));
  // A window that lies wholly in the border is nothing a kernel should have to think about.
  if (sum.some((p, i) => p >= (reach[i >> 1] ?? 0))) return node;
  return { ...node, attrs: { ...node.attrs, pad: sum }, inputs: [pad.inputs[0] ?? -1, ...node.inputs.slice(1)] };
}

export const fusePadding: Pass = {
  name: 'fuse-padding',
  reason: 'kernels handle borders themselves; a padded copy costs memory and time',
  required: false,
  run(graph) {
    const writers = writersOf(graph);
    return { ...graph, nodes: graph.nodes.map((node) => absorb(node, writers.get(node.inputs[0] ?? -1), graph)) };
  },
};
