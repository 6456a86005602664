/**
 * Weights whose two channels share the lanes of a word: what is packed comes back, but for the values that do not fit and that
 * `replace` therefore refuses; and a group lies where its first row says.
 */
import { expect, test } from 'vitest';
import { packingOf } from '../../compiler/instructions/packings/index.ts';
import { elements } from '../../compiler/program/walk.ts';
import { Random } from './random.ts';

interface Case {
  readonly name: string;
  readonly params: Readonly<Record<string, number>>;
  readonly shape: readonly number[];
}
const cases: readonly Case[] = [
  { name: 'lane_groups', params: { rows: 8, quad: 1 }, shape: [16, 12] },
  { name: 'lane_groups', params: { rows: 4 }, shape: [11, 7] },
  { name: 'lane_groups', params: { rows: 6 }, shape: [1, 1] },
  { name: 'window_lanes', params: { phases: 1, pass: 3 }, shape: [4, 3, 3, 3] },
  { name: 'window_lanes', params: { phases: 2, pass: 1 }, shape: [5, 3, 3, 3] },
  { name: 'window_lanes', params: { phases: 2, pass: 2 }, shape: [2, 4, 4, 1] },
];

const drawn = (shape: readonly number[], seed: number): Int32Array => {
  const r = new Random(seed);
  return Int32Array.from({ length: elements(shape) }, () => r.int(-127, 127));
};

test.each(cases)('$name $params $shape: weights come back', ({ name, params, shape }) => {
  const packing = packingOf(name, params, shape);
  for (let seed = 1; seed <= 20; seed++) {
    const values = drawn(shape, seed);
    expect(packing.decode(packing.encode(values, shape), shape)).toEqual(values);
  }
});

test.each(cases.slice(0, 4))(
  '$name $params $shape: a group lies where its first row says',
  ({ name, params, shape }) => {
    const values = drawn(shape, 7);
    const { rows, groupBytes, encode } = packingOf(name, params, shape);
    const length = elements(shape.slice(1));
    const all = encode(values, shape);
    for (let first = 0; first + rows <= (shape[0] ?? 0); first += rows) {
      const own = [rows, ...shape.slice(1)];
      const alone = packingOf(name, params, own).encode(values.slice(first * length, (first + rows) * length), own);
      const at = (first / rows) * groupBytes;
      expect(all.slice(at, at + groupBytes)).toEqual(alone);
    }
  },
);

test.each(cases)('$name $params $shape: a pair that no lane holds does not come back as if it did', (c) => {
  if ((c.shape[0] ?? 1) < 2) return;
  const packing = packingOf(c.name, c.params, c.shape);
  const length = elements(c.shape.slice(1));
  for (let even = -128; even <= 127; even++) {
    const values = drawn(c.shape, 3);
    [values[0], values[length]] = [even, -128];
    const same = packing.decode(packing.encode(values, c.shape), c.shape).every((v, i) => v === values[i]);
    expect([even, same]).toEqual([even, even >= 0]);
  }
});
