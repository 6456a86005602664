/**
 * lane_groups: int8 weights [N, K] as a kernel streams them, `rows` rows at a time: for each pair of x's elements, a word for each two
 * rows. A 16-bit lane holds both: even row + 256 * odd row, so that one SXTB16 parts them. Must stay true: elements follow x's
 * stored order (`quad` 1: 0 2 1 3); the last group holds only the rows that are left; absent rows and elements are 0.
 */
import { refuse } from '../../program/build.ts';
import type { Packing, PackingRecipe } from './packing.ts';
import { type EachLane, pairLanes } from './pair-lanes.ts';

const order = [0, 2, 1, 3] as const;

/** Every lane of a constant of that shape. */
const lanes =
  ([N = 1, K = 1]: readonly number[], rows: number, quad: number): EachLane =>
  (f) => {
    const pairs = Math.ceil(K / 2);
    for (let first = 0; first < N; first += rows) {
      const here = Math.min(rows, N - first);
      const words = Math.ceil(here / 2);
      for (let stored = 0; stored < K; stored++) {
        const k = quad === 1 ? (stored & ~3) + (order[stored & 3] as number) : stored;
        for (let j = 0; j < words; j++) {
          const word = (first / 2) * pairs + (stored >> 1) * words + j;
          const row = first + 2 * j;
          f(4 * word + 2 * (stored & 1), row * K + k, row + 1 < N ? (row + 1) * K + k : undefined);
        }
      }
    }
  };

export const laneGroups: PackingRecipe = {
  name: 'lane_groups',
  make({ rows = 2, quad = 0 }, shape): Packing {
    const [N = 1, K = 1] = shape;
    if (shape.length !== 2 || rows < 2 || rows % 2 !== 0) refuse('lane_groups: an even number of rows of a matrix');
    if (quad === 1 && K % 4 !== 0) refuse('lane_groups: quads of elements');
    const pairs = Math.ceil(K / 2);
    return {
      rows,
      groupBytes: 2 * rows * pairs,
      ...pairLanes(4 * Math.ceil(N / 2) * pairs, N * K, lanes(shape, rows, quad)),
    };
  },
};
