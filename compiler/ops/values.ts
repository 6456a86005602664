/** Values of tensors: typed arrays that match their dtype, and the small helpers that every operator uses. */
import { type DType, elements, type Graph, type Node, type Tensor, type TensorType } from '../graph/graph.ts';
import type { DType as StorageType } from '../program/program.ts';
import { OperatorError, type Value } from './operator.ts';

/** An empty value of a dtype. */
export function emptyValue(dtype: DType, length: number): Value {
  switch (dtype) {
    case 'int8':
      return new Int8Array(length);
    case 'uint8':
    case 'bool':
      return new Uint8Array(length);
    case 'int16':
      return new Int16Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'int64':
      return new BigInt64Array(length);
    case 'float32':
      return new Float32Array(length);
  }
}

/** A constant's bytes as a value. */
export function decode(t: Tensor): Value | undefined {
  if (t.data === undefined) return undefined;
  const out = emptyValue(t.dtype, elements(t.shape));
  new Uint8Array(out.buffer).set(t.data.subarray(0, out.byteLength));
  return out;
}

/** A value's bytes, little-endian. */
export const encode = (v: Value): Uint8Array => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);

/** A value's elements as numbers; int64 must be in the safe range. */
export const numbers = (v: Value): ArrayLike<number> => (v instanceof BigInt64Array ? Array.from(v, Number) : v);

/** Types that kernels store. */
export const stored: readonly DType[] = ['int8', 'uint8', 'int16', 'int32', 'float32'];

/** Storage type of the loop IR. */
export function storageOf(dtype: DType): StorageType {
  switch (dtype) {
    case 'int8':
      return 'i8';
    case 'uint8':
      return 'u8';
    case 'int16':
      return 'i16';
    case 'int32':
      return 'i32';
    case 'float32':
      return 'f32';
    case 'int64':
    case 'bool':
      throw new OperatorError(`${dtype} has no storage type`);
  }
}

export const rangeOf = (dtype: DType): readonly [number, number] => {
  switch (dtype) {
    case 'int8':
      return [-128, 127];
    case 'uint8':
      return [0, 255];
    case 'int16':
      return [-32768, 32767];
    default:
      return [-(2 ** 31), 2 ** 31 - 1];
  }
};

/** The tensor an operand names; throws OperatorError where it is missing. */
export function operand(graph: Graph, node: Node, i: number): Tensor {
  const t = graph.tensors[node.inputs[i] ?? -1];
  if (t === undefined) throw new OperatorError(`input ${i} is missing`);
  return t;
}
export function result(graph: Graph, node: Node, i = 0): Tensor {
  const t = graph.tensors[node.outputs[i] ?? -1];
  if (t === undefined) throw new OperatorError(`output ${i} is missing`);
  return t;
}

export interface Scalar {
  readonly scale: number;
  readonly zero: number;
}
/** Per-tensor quantization; throws where it is absent or per channel. */
export function scalar(t: TensorType, what: string): Scalar {
  const [scale, ...more] = t.quant?.scale ?? [];
  if (scale === undefined)
    throw new OperatorError(`${what} has no scale and zero point; convert the model with full int8 quantization`);
  if (more.length > 0)
    throw new OperatorError(
      `${what} has ${more.length + 1} scales; only weights may be quantized per channel, all else per tensor`,
    );
  return { scale, zero: t.quant?.zeroPoint[0] ?? 0 };
}

/** Throws unless all operands have one of the types. */
export function needType(types: readonly DType[], ...operands: readonly (TensorType | undefined)[]): void {
  const wrong = operands.find((t) => t !== undefined && !types.includes(t.dtype));
  if (wrong === undefined) return;
  const hint = wrong.dtype === 'float32' ? '; convert the model with full int8 quantization' : '';
  throw new OperatorError(
    `operands of type ${wrong.dtype} are not supported, ${types.join(', ')} ${types.length > 1 ? 'are' : 'is'}${hint}`,
    'TYPE_UNSUPPORTED',
  );
}
/** Throws unless both tensors mean the same numbers by the same bytes. */
export function needSameMeaning(x: TensorType, y: TensorType, what: string): void {
  need(x.dtype === y.dtype, `${what} is ${x.dtype}, the output is ${y.dtype}`);
  const same =
    JSON.stringify([x.quant?.scale, x.quant?.zeroPoint]) === JSON.stringify([y.quant?.scale, y.quant?.zeroPoint]);
  need(same, `${what} has another scale or zero point than the output`);
}

export const need: (ok: boolean, why: string) => asserts ok = (ok, why) => {
  if (!ok) throw new OperatorError(why);
};

/** Reads attributes with their types. */
export const ints = (node: { readonly attrs: Node['attrs'] }, name: string): readonly number[] => {
  const v = node.attrs[name];
  if (!Array.isArray(v)) throw new OperatorError(`attribute ${name} is missing`);
  return v;
};
export const int = (node: { readonly attrs: Node['attrs'] }, name: string): number => {
  const v = node.attrs[name];
  if (typeof v !== 'number') throw new OperatorError(`attribute ${name} is missing`);
  return v;
};
export const text = (node: { readonly attrs: Node['attrs'] }, name: string): string => {
  const v = node.attrs[name];
  if (typeof v !== 'string') throw new OperatorError(`attribute ${name} is missing`);
  return v;
};

/** dtype and shape of a runtime operand, as it stands in a workload. */
export const operandType = (t: TensorType): { readonly dtype: string; readonly shape: readonly number[] } => ({
  dtype: t.dtype,
  shape: t.shape,
});
