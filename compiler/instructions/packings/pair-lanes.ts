/**
 * Lanes of 16 bits that hold two int8 values, even + 256 * odd, as one SXTB16 parts them. Must stay true: -128 of an odd value beside an
 * even one below zero does not come back, so whoever packs must look.
 */
import type { Packing } from './packing.ts';

/** Calls `f` with the byte of each lane and the flat indices of its values; the odd one may not exist. */
export type EachLane = (f: (at: number, even: number, odd: number | undefined) => void) => void;

/** Packs `count` values into `size` bytes. */
export const pairLanes = (size: number, count: number, each: EachLane): Pick<Packing, 'encode' | 'decode'> => ({
  encode(values) {
    const view = new DataView(new ArrayBuffer(size));
    each((at, even, odd) => {
      view.setInt16(at, (values[even] ?? 0) + 256 * (odd === undefined ? 0 : (values[odd] ?? 0)), true);
    });
    return new Uint8Array(view.buffer);
  },
  decode(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const values = new Int32Array(count);
    each((at, even, odd) => {
      values[even] = view.getInt8(at);
      if (odd !== undefined) values[odd] = (view.getInt16(at, true) - view.getInt8(at)) >> 8;
    });
    return values;
  },
});
