/** Random graphs that give passes something to do: dead and unread channels, constant inputs, residuals, activations and PADs apart. */
import type { Graph, Node, Tensor } from '../../compiler/graph/graph.ts';
import { bytesOf, elements } from '../../compiler/graph/graph.ts';
import { encode } from '../../compiler/ops/values.ts';
import { growers } from './graph-layers.ts';
import { Draft, randomValue } from './graphs.ts';
import type { Random } from './random.ts';

/** A chain of layers that channels run through, with residual sums, products and concatenations of what came before. */
export function channelNetwork(random: Random): Graph {
  const d = new Draft(random, random.next() < 0.5 ? 'any' : 'tflite');
  let at = growers.conv2d?.start(d) ?? 0;
  const chain = ['conv2d', 'conv2d', 'depthwise_conv2d', 'depthwise_conv2d', 'average_pool2d', 'max_pool2d', 'relu'];
  const others = ['relu6', 'quantizeInt8', 'bordered', 'bordered', 'join', 'join', 'join'];
  for (let left = random.int(3, 8); left > 0; left--) {
    const op = random.pick([...chain, ...others]);
    if (op === 'join') at = join(d, at);
    else if (op === 'bordered') at = bordered(d, at);
    else if (op === 'quantizeInt8') at = d.node('quantize', {}, [at], { dtype: 'int8', quant: quantOf(d, at) });
    else if (growers[op]?.fits(d.at(at)) && elements(d.at(at).shape) < 4096) at = growers[op].grow(d, at);
  }
  if (random.next() < 0.3) at = growers.mean?.grow(d, at) ?? at;
  if (random.next() < 0.3 && d.at(at).shape.length > 1) {
    const { shape, quant } = d.at(at);
    const flat = [shape[0] ?? 1, elements(shape) / (shape[0] ?? 1)];
    at = d.node('reshape', { shape: flat }, [at], { dtype: 'int8', shape: flat, ...(quant && { quant }) });
  }
  if (random.next() < 0.5 && growers.fully_connected?.fits(d.at(at))) at = growers.fully_connected.grow(d, at);
  return d.finish('channels', random.next() < 0.2 ? [at, random.pick(d.runtime())] : [at]);
}

const quantOf = (d: Draft, id: number): NonNullable<Tensor['quant']> => ({
  scale: [Math.fround((d.at(id).quant?.scale[0] ?? 1) * (0.5 + d.random.next()))],
  zeroPoint: [d.random.int(-128, 127)],
  axis: 0,
});

/** A layer with a window behind a PAD that writes the zero point or, now and then, something else. */
function bordered(d: Draft, at: number): number {
  const [r, t] = [d.random, d.at(at)];
  const op = r.pick(['conv2d', 'depthwise_conv2d', 'max_pool2d']);
  const value = op === 'max_pool2d' ? -128 : r.next() < 0.8 ? (t.quant?.zeroPoint[0] ?? 0) : r.int(-128, 127);
  const pads = [0, 0, r.int(0, 1), r.int(0, 2), r.int(0, 1), r.int(0, 1), 0, 0];
  const padded = d.node('pad', { pads, value }, [at], { dtype: 'int8', ...(t.quant && { quant: t.quant }) });
  return growers[op]?.grow(d, padded) ?? padded;
}

/** Puts an earlier tensor of the same shape to `at`, by a sum, a product, or side by side. */
function join(d: Draft, at: number): number {
  const t = d.at(at);
  const partners = d.runtime().filter((id) => d.at(id).shape.join() === t.shape.join() && d.at(id).dtype === 'int8');
  const other = d.random.pick(partners);
  const op = d.random.pick(['add', 'mul', 'concat']);
  if (op !== 'concat') return d.node(op, { activation: 'relu' }, [at, other], { dtype: 'int8', quant: quantOf(d, at) });
  const like = d.node('quantize', {}, [other], { dtype: 'int8', ...(t.quant && { quant: t.quant }) });
  const axis = d.random.pick([t.shape.length - 1, t.shape.length - 1, 1]);
  return d.node('concat', { axis, activation: 'none' }, [at, like], {
    dtype: 'int8',
    ...(t.quant && { quant: t.quant }),
  });
}

/** The graph with whole rows (result channels) and columns (input channels) of its weights set to 0, and some biases with them. */
export function withDeadChannels(g: Graph, random: Random): Graph {
  const tensors = [...g.tensors];
  const write = (id: number, data: Int8Array | Int32Array): void => {
    tensors[id] = { ...(tensors[id] as Tensor), data: encode(data) };
  };
  for (const node of g.nodes) {
    const [w, bias] = [node.inputs[1] ?? -1, node.inputs[2] ?? -1];
    const shape = tensors[w]?.shape ?? [];
    if (!['conv2d', 'depthwise_conv2d', 'fully_connected'].includes(node.op)) continue;
    const values = new Int8Array((tensors[w]?.data ?? new Uint8Array()).slice().buffer);
    const columns = node.op === 'depthwise_conv2d' ? 1 : (g.tensors[node.inputs[0] ?? -1]?.shape.at(-1) ?? 1);
    const rows = node.op === 'depthwise_conv2d' ? (shape[3] ?? 1) : (shape[0] ?? 1);
    const row = (i: number): number =>
      node.op === 'depthwise_conv2d' ? i % rows : Math.floor(i / (values.length / rows));
    const [deadRow, deadColumn] = [rows, columns].map((n) =>
      Array.from({ length: n }, () => random.next() < (node.op === 'depthwise_conv2d' ? 0.1 : 0.35)),
    ) as [boolean[], boolean[]];
    if (columns === 1) deadColumn.fill(false);
    write(
      w,
      values.map((v, i) => (deadRow[row(i)] || deadColumn[i % columns] ? 0 : v)),
    );
    if (bias < 0 || random.next() < 0.5) continue;
    const biases = new Int32Array((tensors[bias]?.data ?? new Uint8Array()).slice().buffer);
    write(
      bias,
      biases.map((v, o) => (deadRow[o] ? 0 : v)),
    );
  }
  return { ...g, tensors };
}

/**
 * The graph with result channels that hardly move or not at all: weights of a tiny scale, biases that lie far outside of what the
 * clamp shows or near the ends of int32, where accumulators wrap.
 */
export function withStuckChannels(g: Graph, random: Random): Graph {
  const tensors = [...g.tensors];
  for (const node of g.nodes) {
    const [w, bias] = [g.tensors[node.inputs[1] ?? -1], g.tensors[node.inputs[2] ?? -1]];
    if (!['conv2d', 'depthwise_conv2d', 'fully_connected'].includes(node.op) || w === undefined || bias === undefined)
      continue;
    const axis = node.op === 'depthwise_conv2d' ? 3 : 0;
    const [scale, n] = [w.quant?.scale ?? [1], w.shape[axis] ?? 1];
    const stuck = Array.from({ length: n }, () => random.next() < 0.3);
    const values = new Int32Array((bias.data ?? new Uint8Array()).slice().buffer);
    stuck.forEach((is, o) => {
      if (is) values[o] = random.pick([1, -1]) * random.pick([2 ** 31 - 1, 2 ** 31 - 5000, 2 ** 20, 2 ** 24, 3000]);
    });
    tensors[node.inputs[2] ?? -1] = { ...bias, data: encode(values) };
    const scales = stuck.map((is, o) =>
      Math.fround((scale[scale.length > 1 ? o : 0] ?? 1) * 2 ** (is ? -random.pick([0, 4, 12, 20]) : 0)),
    );
    tensors[node.inputs[1] ?? -1] = { ...w, quant: { scale: scales, zeroPoint: scales.map(() => 0), axis } };
  }
  return { ...g, tensors };
}

/** The graph with some of its inputs turned into constants; at least one stays. */
export function withFrozenInputs(g: Graph, random: Random): Graph {
  const frozen = g.inputs.slice(1).filter(() => random.next() < 0.7);
  const tensors = g.tensors.map((t, id) =>
    frozen.includes(id) && bytesOf(t.dtype) === 1 ? { ...t, data: encode(randomValue(t, random)) } : t,
  );
  return { ...g, tensors, inputs: g.inputs.filter((id) => tensors[id]?.data === undefined) };
}

/** Nodes without what names them, for comparing graphs. */
export const opsOf = (g: Graph): readonly Node['op'][] => g.nodes.map((n) => n.op);
