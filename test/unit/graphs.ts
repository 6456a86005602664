/**
 * Random graphs for tests: one node of a given operator, or a small network of several. Every graph verifies, lowers, and can
 * be written as a TFLite file (with borders 'tflite'; 'any' also takes borders that only passes make).
 */
import {
  bytesOf,
  type DType,
  elements,
  type Graph,
  type Node,
  type Quantization,
  type Tensor,
  type TensorId,
} from '../../compiler/graph/graph.ts';
import { operatorOf } from '../../compiler/ops/index.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { emptyValue, rangeOf } from '../../compiler/ops/values.ts';
import { growers, type Layer } from './graph-layers.ts';
import type { Random } from './random.ts';

export type Borders = 'tflite' | 'any';

/** A graph that is being built; tensor ids are positions. */
export class Draft {
  readonly random: Random;
  readonly borders: Borders;
  private readonly tensors: Tensor[] = [];
  private readonly nodes: Node[] = [];
  private readonly inputs: TensorId[] = [];

  constructor(random: Random, borders: Borders) {
    this.random = random;
    this.borders = borders;
  }
  at(id: TensorId): Tensor {
    const t = this.tensors[id];
    if (t === undefined) throw new Error(`no tensor ${id}`);
    return t;
  }
  /** Tensors that are computed or fed, latest last. */
  runtime(): readonly TensorId[] {
    return this.tensors.flatMap((t, id) => (t.data === undefined ? [id] : []));
  }
  input(dtype: DType, shape: readonly number[], quant?: Quantization): TensorId {
    const id = this.tensors.push({ name: `in${this.inputs.length}`, dtype, shape, ...(quant && { quant }) }) - 1;
    this.inputs.push(id);
    return id;
  }
  constant(
    dtype: 'int8' | 'int32',
    shape: readonly number[],
    range: readonly [number, number],
    quant?: Quantization,
  ): TensorId {
    const data = new Uint8Array(elements(shape) * bytesOf(dtype));
    const values = dtype === 'int8' ? new Int8Array(data.buffer) : new Int32Array(data.buffer);
    for (let i = 0; i < values.length; i++) values[i] = this.random.int(...range);
    return this.tensors.push({ name: `c${this.tensors.length}`, dtype, shape, data, ...(quant && { quant }) }) - 1;
  }
  /** Adds a node; the operator says the output's shape (views take `shape`). */
  node(
    op: string,
    attrs: Node['attrs'],
    inputs: readonly TensorId[],
    y: { readonly dtype: DType; readonly quant?: Quantization; readonly shape?: readonly number[] },
  ): TensorId {
    const index = this.nodes.length;
    const id = this.tensors.length;
    const node: Node = { op, attrs, inputs, outputs: [id], source: { index, name: op.toUpperCase() } };
    const [type] = operatorOf(op).infer(
      node,
      inputs.map((i) => this.tensors[i]),
      [{ shape: [], ...y }],
    );
    if (type === undefined) throw new Error(`${op} has no output`);
    this.nodes.push(node);
    this.tensors.push({ name: `t${id}`, ...type });
    return id;
  }
  finish(name: string, outputs: readonly TensorId[]): Graph {
    return { name, tensors: this.tensors, nodes: this.nodes, inputs: this.inputs, outputs };
  }
}

/** A graph of one node of `op` with random attributes, shapes, scales and zero points. */
export function randomNode(op: string, random: Random, borders: Borders = 'tflite'): Graph {
  const layer = layerOf(op);
  const draft = new Draft(random, borders);
  return draft.finish(`one_${op}`, [layer.grow(draft, layer.start(draft))]);
}

/** A small network: two to six layers on an int8 image, perhaps between borders of another type, perhaps with a classifier. */
export function randomNetwork(random: Random): Graph {
  const draft = new Draft(random, 'tflite');
  let at = layerOf('conv2d').start(draft);
  if (random.next() < 0.3) at = bordered(draft, at);
  const names = Object.keys(growers).filter((op) => op !== 'quantize' && op !== 'dequantize' && op !== 'softmax');
  for (let left = random.int(2, 6); left > 0; ) {
    const layer = layerOf(random.pick(names));
    const t = draft.at(at);
    if (!layer.fits(t) || elements(t.shape) > 4096) {
      if (random.next() < 0.1) left--;
      continue;
    }
    at = layer.grow(draft, at);
    left--;
  }
  if (random.next() < 0.5) at = layerOf('fully_connected').grow(draft, at);
  if (random.next() < 0.5 && layerOf('softmax').fits(draft.at(at))) at = layerOf('softmax').grow(draft, at);
  if (random.next() < 0.4) at = layerOf(random.pick(['dequantize', 'dequantize', 'quantize'])).grow(draft, at);
  return draft.finish('random_network', [at]);
}

/** A graph input of another type before an int8 tensor of the same shape. */
function bordered(draft: Draft, like: TensorId): TensorId {
  const { shape, quant } = draft.at(like);
  const dtype = draft.random.pick(['float32', 'uint8', 'int16'] as const);
  const own = { float32: undefined, uint8: steps(0.03125, 130), int16: steps(2 ** -13, 0) }[dtype];
  const from = draft.input(dtype, shape, own);
  return draft.node('quantize', {}, [from], { dtype: 'int8', ...(quant && { quant }) });
}

const steps = (scale: number, zero: number): Quantization => ({ scale: [scale], zeroPoint: [zero], axis: 0 });

function layerOf(op: string): Layer {
  const layer = growers[op];
  if (layer === undefined) throw new Error(`no random layer for ${op}`);
  return layer;
}

/** Random values for a tensor: all of an integer type's range; floats around its range and a few that are no fair numbers. */
export function randomValue(t: Tensor, random: Random): Value {
  const out = emptyValue(t.dtype, elements(t.shape));
  if (out instanceof BigInt64Array) throw new Error('no random int64 values');
  const [lo, hi] = rangeOf(t.dtype);
  for (let i = 0; i < out.length; i++) out[i] = t.dtype === 'float32' ? randomFloat(random) : random.int(lo, hi);
  return out;
}

const oddFloats: readonly number[] = [0, -0, 0.5, -0.5, 1.5, 1e30, -1e30, Number.POSITIVE_INFINITY, Number.NaN];
const randomFloat = (r: Random): number => (r.next() < 0.05 ? r.pick(oddFloats) : (r.next() - 0.5) * 12);

/** Values for all inputs of a graph, in order. */
export const randomInputs = (g: Graph, random: Random): readonly Value[] =>
  g.inputs.map((id) => randomValue(g.tensors[id] as Tensor, random));
