/**
 * A packing: how an instruction wants a whole constant laid out, decided at compile time. Not a permutation of elements, as other
 * layouts are: several values may share a word. Legal for the values at hand exactly if decode(encode(v)) = v, which `replace`
 * checks. Must stay true: rows (along dimension `axis`) are packed in groups of `rows`, each group `groupBytes` long, one behind another,
 * the last filled up; so the address of a group follows from its first row. `groupBytes` is a multiple of `rows`.
 */
import type { Params } from '../instruction.ts';

export interface Packing {
  /** Dimension whose indices are called rows here; left out: the first. */
  readonly axis?: number;
  /** Rows of the constant in a group. */
  readonly rows: number;
  readonly groupBytes: number;
  /** Values by logical flat index of a constant of that shape -> bytes in the device's memory. */
  encode(values: Int32Array, shape: readonly number[]): Uint8Array;
  /** The values that an instruction will compute with. */
  decode(bytes: Uint8Array, shape: readonly number[]): Int32Array;
}
export interface PackingRecipe {
  readonly name: string;
  /** For a constant of that shape. Throws Illegal where it cannot be packed so. */
  make(params: Params, shape: readonly number[]): Packing;
}
