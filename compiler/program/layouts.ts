/**
 * Layouts are values. An element layout permutes addresses inside a buffer; a record layout encodes several constants into
 * words and can decode them again, which is both its test and its legality check: decode(encode(v)) must be v.
 */
export type Layout =
  /** Each aligned group of four elements stored in this order. */
  { readonly kind: 'quad'; readonly order: readonly number[] };
