/**
 * The graph IR: what a model is once its file format is forgotten. A Graph is immutable; passes return new ones.
 * Must stay true (see verify.ts): nodes stand in execution order, every tensor is written by at most one node, a
 * tensor with `data` is a constant and written by none, and ids are positions in `tensors`.
 */
export type DType = 'int8' | 'uint8' | 'int16' | 'int32' | 'int64' | 'float32' | 'bool';

/** Affine quantization: real = scale * (q - zeroPoint). One entry per tensor, or one a channel along `axis`. */
export interface Quantization {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number;
}

/** Position of a tensor in Graph.tensors. */
export type TensorId = number;

export interface TensorType {
  readonly dtype: DType;
  /** Outermost first, NHWC for images. A scalar is []. All dimensions are static. */
  readonly shape: readonly number[];
  readonly quant?: Quantization;
}

export interface Tensor extends TensorType {
  readonly name: string;
  /** Little-endian bytes of a constant; absent for what is computed or fed. */
  readonly data?: Uint8Array;
}

/** Attribute values are plain data, so that a node can be printed, compared and hashed. */
export type Attr = number | string | boolean | readonly number[];
export type Attrs = Readonly<Record<string, Attr>>;

export interface Node {
  /** Name of an Operator in compiler/ops, e.g. 'conv2d'. */
  readonly op: string;
  readonly attrs: Attrs;
  /** Tensor ids; an absent optional input (a missing bias) is -1. */
  readonly inputs: readonly TensorId[];
  readonly outputs: readonly TensorId[];
  /** Where it stood in the model: operator index in the file and its name there, for errors and reports. */
  readonly source: { readonly index: number; readonly name: string };
}

export interface Graph {
  readonly name: string;
  readonly tensors: readonly Tensor[];
  readonly nodes: readonly Node[];
  readonly inputs: readonly TensorId[];
  readonly outputs: readonly TensorId[];
}

const widths: Record<DType, number> = { int8: 1, uint8: 1, bool: 1, int16: 2, int32: 4, float32: 4, int64: 8 };

/** Bytes of one element. */
export const bytesOf = (dtype: DType): number => widths[dtype];
/** Number of elements of a shape. */
export const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
/** Bytes of a whole tensor. */
export const tensorBytes = (t: TensorType): number => elements(t.shape) * bytesOf(t.dtype);

/** The tensor that an id names. Throws for one that does not exist: in a verified graph, a mistake of the caller. */
export function tensorOf(graph: Graph, id: TensorId | undefined): Tensor {
  const t = graph.tensors[id ?? -1];
  if (t === undefined) throw new Error(`tensor ${id} does not exist`);
  return t;
}
