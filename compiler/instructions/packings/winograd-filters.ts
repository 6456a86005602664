/**
 * winograd_filters: what winograd_sums streams for two output channels: product by product, both start values as words, then for each
 * pair of input channels a word of each output channel. Must stay true: pairs are those that SXTB16 makes of four bytes
 * (0 and 2, 1 and 3); filters fit int16.
 */
import { refuse } from '../../program/build.ts';
import type { Packing, PackingRecipe } from './packing.ts';

/** Bytes of one product of two output channels. */
export const productBytes = (channels: number): number => 8 + 4 * channels;

/** Position, in the order of pairs, of channel c. */
const stored = (c: number): number => (c & ~3) | ((c & 1) << 1) | ((c & 2) >> 1);

export const winogradFilters: PackingRecipe = {
  name: 'winograd_filters',
  make(_params, shape): Packing {
    const [N = 0, products = 0, length = 0] = shape;
    const C = length - 1;
    if (shape.length !== 3 || N % 2 !== 0 || C < 4 || C % 4 !== 0)
      refuse('filters of pairs of channels, and fours of inputs');
    const groupBytes = products * productBytes(C);
    /** Byte where element `i` of product p of channel o lies; a start value is element 0. */
    const place = (o: number, p: number, i: number): number => {
      const product = (o >> 1) * groupBytes + p * productBytes(C);
      if (i === 0) return product + 4 * (o & 1);
      const at = stored(i - 1);
      return product + 8 + 8 * (at >> 1) + 4 * (o & 1) + 2 * (at & 1);
    };
    const each = (f: (index: number, at: number, start: boolean) => void): void => {
      for (let row = 0; row < N * products; row++)
        for (let i = 0; i < length; i++)
          f(row * length + i, place(Math.floor(row / products), row % products, i), i === 0);
    };
    return {
      rows: 2,
      groupBytes,
      encode(values) {
        const view = new DataView(new ArrayBuffer((N / 2) * groupBytes));
        each((index, at, start) => {
          const v = values[index] ?? 0;
          if (start) view.setInt32(at, v, true);
          else view.setInt16(at, v, true);
        });
        return new Uint8Array(view.buffer);
      },
      decode(bytes) {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        const values = new Int32Array(N * products * length);
        each((index, at, start) => {
          values[index] = start ? view.getInt32(at, true) : view.getInt16(at, true);
        });
        return values;
      },
    };
  },
};
