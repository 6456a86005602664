/**
 * depthwise_taps: a depthwise window [KH, KW, C] as kernels multiply it: int16 lanes, a channel's words side by side, each weight times
 * `scale`. Must stay true: lanes follow SXTB16, which leaves bytes 0 and 2 of a word in one register and 1 and 3 in another; what
 * has no weight is 0.
 */
import { refuse } from '../../program/build.ts';
import type { Packing, PackingRecipe } from './packing.ts';

/** Row and column of a weight. */
export type Tap = readonly [number, number];

/**
 * The weights of a channel, two a word. 'rows': row by row, columns 0 2, 1 3, 4 6, …; 'rolling' (three columns): columns 0 2 of each
 * row, then the middle column, two rows a word.
 */
export function tapLanes(KH: number, KW: number, order: 'rows' | 'rolling'): readonly (Tap | undefined)[] {
  const rows = Array.from({ length: KH }, (_, ky) => ky);
  const tap = (ky: number, kx: number): Tap | undefined => (ky < KH && kx < KW ? [ky, kx] : undefined);
  if (order === 'rolling') {
    const middle = rows.filter((ky) => ky % 2 === 0).flatMap((ky) => [tap(ky, 1), tap(ky + 1, 1)]);
    return [...rows.flatMap((ky) => [tap(ky, 0), tap(ky, 2)]), ...middle];
  }
  const columns = Array.from({ length: Math.ceil(KW / 4) }, (_, n) => [4 * n, 4 * n + 2, 4 * n + 1, 4 * n + 3]).flat();
  // A last group of one column has no second word.
  const used = KW % 4 === 1 ? columns.slice(0, -2) : columns;
  return rows.flatMap((ky) => used.map((kx) => tap(ky, kx)));
}

export const depthwiseTaps: PackingRecipe = {
  name: 'depthwise_taps',
  make({ rolling = 0, scale = 1 }, shape): Packing {
    const [KH = 1, KW = 1, C = 1] = shape;
    if (shape.length !== 3 || (rolling === 1 && KW !== 3)) refuse('depthwise_taps: no such window');
    const lanes = tapLanes(KH, KW, rolling === 1 ? 'rolling' : 'rows');
    const places = lanes.flatMap((tap, lane) => (tap === undefined ? [] : [{ tap, lane }]));
    const visit = (f: (index: number, byte: number) => void): void => {
      for (let c = 0; c < C; c++)
        for (const { tap, lane } of places) f((tap[0] * KW + tap[1]) * C + c, 2 * (c * lanes.length + lane));
    };
    return {
      axis: 2,
      rows: 1,
      groupBytes: 2 * lanes.length,
      encode(values) {
        const bytes = new Uint8Array(2 * lanes.length * C);
        const view = new DataView(bytes.buffer);
        visit((i, at) => view.setInt16(at, (values[i] ?? 0) * scale, true));
        return bytes;
      },
      decode(bytes) {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        const values = new Int32Array(KH * KW * C);
        visit((i, at) => {
          values[i] = view.getInt16(at, true) / scale;
        });
        return values;
      },
    };
  },
};
