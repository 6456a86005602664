/**
 * Layouts are values. An element layout permutes addresses inside a buffer: position() says where a logical element lies.
 * The interpreter, the C printer and the constant encoder all go through it, so a wrong layout shows at once. A packing belongs to
 * constants that instructions alone read: it has no positions, only groups of rows (compiler/instructions/packings/).
 */
import { type Packing, packingOf } from '../instructions/packings/index.ts';
import type { Buffer, DType } from './program.ts';
import { bytesOf } from './walk.ts';

export type Layout =
  /** Each aligned group of four elements stored in this order. */
  | { readonly kind: 'quad'; readonly order: readonly number[] }
  | { readonly kind: 'packed'; readonly packing: string; readonly params: Readonly<Record<string, number>> };

/** Logical flat index -> stored position; a packed constant reads as if it were not packed. */
export function position(layout: Layout | undefined, at: number): number {
  return layout?.kind === 'quad' ? (at & ~3) + layout.order.indexOf(at & 3) : at;
}
/** What the innermost extent of a buffer must be a multiple of, so that groups do not cross rows. */
export const groupOf = (layout: Layout | undefined): number => (layout?.kind === 'quad' ? layout.order.length : 1);
/** The packing of a packed buffer. */
export const packingIn = ({ layout, shape }: Pick<Buffer, 'layout' | 'shape'>): Packing | undefined =>
  layout?.kind === 'packed' ? packingOf(layout.packing, layout.params, shape) : undefined;
export const sameLayout = (a: Layout | undefined, b: Layout | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

/** Is it a layout that a schedule may ask for? Packings are asked for by instructions. */
export function isLayout(value: unknown): value is Layout {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, order } = value as { kind?: unknown; order?: unknown };
  return kind === 'quad' && Array.isArray(order) && order.length === 4 && [0, 1, 2, 3].every((n) => order.includes(n));
}

/** Little-endian storage for elements of a dtype. */
export function storage(dtype: DType, length: number): Int8Array | Uint8Array | Int16Array | Int32Array | Float32Array {
  switch (dtype) {
    case 'i8':
      return new Int8Array(length);
    case 'u8':
      return new Uint8Array(length);
    case 'i16':
      return new Int16Array(length);
    case 'i32':
      return new Int32Array(length);
    case 'f32':
      return new Float32Array(length);
  }
}

/** The bytes of a bound constant as they lie in the device's memory. */
export function encodeBuffer(b: Buffer): Uint8Array {
  const values = b.values ?? new Int32Array(0);
  const packing = packingIn(b);
  if (packing !== undefined) return packing.encode(values, b.shape);
  const out = storage(b.dtype, values.length);
  values.forEach((v, i) => {
    out[position(b.layout, i)] = v;
  });
  if (bytesOf(b.dtype) * out.length !== out.byteLength)
    throw new Error(`${b.name}: storage of ${b.dtype} has another width`);
  return new Uint8Array(out.buffer);
}
