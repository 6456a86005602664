/**
 * How a tensor lies between two layers, where not as bytes in the order of its channels. A Program's in and out buffers say so, and
 * their shape, type and indices are those of what lies there. Must stay true: every byte of such a memory is a function of the
 * tensor's values, so that one producer's bytes are any other's; and values are what they were.
 */
import type { Buffer } from './program.ts';
import { bytesOf, elements } from './walk.ts';

export type TensorLayout =
  /** In order, each byte as an int16. */
  | { readonly kind: 'wide' }
  /** [H, W, C] as rows of channel planes [H, C, pitch]: `left` columns of `outside`, a row of `width`, and `outside` up to the pitch. */
  | { readonly kind: 'planes'; readonly width: number; readonly left: number; readonly outside: number };

/** A buffer by what lies in it. */
export type Held = Pick<Buffer, 'shape' | 'dtype' | 'tensor'>;

/** What must be equal on both sides of a tensor; a number of bytes where it lies in order. */
export const layoutKey = ({ tensor }: Held): string => (tensor === undefined ? plainKey : JSON.stringify(tensor));
export const plainKey = 'plain';

/** Bytes that a tensor takes in memory; `inOrder` where it lies in order, or nobody says how. */
export const heldBytes = (h: Held | undefined, inOrder: number): number =>
  h?.tensor === undefined ? inOrder : elements(h.shape) * bytesOf(h.dtype);

/** A tensor's bytes as they lie in a buffer. */
export function laidOut(b: Held, values: Uint8Array): Uint8Array {
  switch (b.tensor?.kind) {
    case undefined:
      return values;
    case 'wide':
      return new Uint8Array(Int16Array.from(new Int8Array(values)).buffer);
    case 'planes': {
      const [rows = 1, channels = 1, pitch = 1] = b.shape;
      const { width, left, outside } = b.tensor;
      const out = new Uint8Array(rows * channels * pitch).fill(outside);
      for (let r = 0; r < rows; r++)
        for (let q = 0; q < width; q++)
          for (let c = 0; c < channels; c++)
            out[(r * channels + c) * pitch + left + q] = values[(r * width + q) * channels + c] ?? 0;
      return out;
    }
  }
}
