/** Sums in lanes of words: they come apart again, and weights that might leave a lane are refused. */
import { expect, test } from 'vitest';
import { packingOf } from '../../compiler/instructions/packings/index.ts';
import { startsOf } from '../../compiler/instructions/packings/sum-lanes.ts';
import { laneCounts, lanesOf, packLanes, unpackLanes } from '../../compiler/instructions/sum-lanes.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

test.each(laneCounts)('%i sums of any value that fits come apart', (sums) => {
  const r = new Random(sums);
  const lanes = lanesOf(sums);
  const most = 2 ** lanes.bits - 1;
  expect(lanes.bits * sums).toBeLessThanOrEqual(32 * lanes.words);
  for (let n = 0; n < samples(300, 20000); n++) {
    const values = Array.from({ length: sums }, () =>
      r.pick([0, 1, most, most - 1, Math.floor(r.next() * 2 ** lanes.bits)]),
    );
    expect(
      unpackLanes(
        lanes,
        packLanes(
          lanes,
          values.map((v) => v | 0),
        ),
      ),
    ).toEqual(values);
  }
});

test.each(laneCounts)('products of bytes with packed weights of %i channels are summed word by word', (sums) => {
  const r = new Random(100 + sums);
  const lanes = lanesOf(sums);
  const K = 7;
  const w = Array.from({ length: sums }, () => Array.from({ length: K }, () => r.int(-128, 127)));
  const x = Array.from({ length: K }, () => r.int(0, 255));
  const starts = [...startsOf(Int32Array.from(w.flat()), sums)];
  const words = x.reduce(
    (acc, value, k) =>
      packLanes(
        lanes,
        w.map((row) => row[k] ?? 0),
      ).map((word, i) => (Math.imul(word, value) + (acc[i] ?? 0)) | 0),
    packLanes(lanes, starts),
  );
  const want = w.map((row, o) => row.reduce((sum, v, k) => sum + v * (x[k] ?? 0), starts[o] ?? 0));
  expect(unpackLanes(lanes, words)).toEqual(want);
});

test('weights survive the packing, whatever the chunk, or are refused for what a lane holds', () => {
  const r = new Random(3);
  for (const [rows, chunk] of [
    [8, 9],
    [7, 4],
    [5, 1],
    [3, 5],
    [1, 2],
  ] as const) {
    const shape = [11, 3, 3, 1];
    const values = Int32Array.from({ length: 99 }, () => r.int(-128, 127));
    const packing = packingOf('sum_lanes', { rows, chunk }, shape);
    const bytes = packing.encode(values, shape);
    expect([bytes.length % packing.groupBytes, packing.groupBytes % packing.rows]).toEqual([0, 0]);
    expect(packing.decode(bytes, shape)).toEqual(values);
  }
  const large = [8, 40];
  const packing = packingOf('sum_lanes', { rows: 8, chunk: 40 }, large);
  const filled = (v: number): Int32Array => new Int32Array(320).fill(v);
  // 255 * 40 * 102 is the last that fits 20 bits.
  expect(packing.decode(packing.encode(filled(-102), large), large)).toEqual(filled(-102));
  expect(() => packing.encode(filled(103), large)).toThrow(/lanes of 20 bits/);
});
