/**
 * lane_pairs: int8 weights, rows in pairs, as a kernel walks over a window. A word holds two elements of both rows: each 16-bit
 * lane is even row + 256 * odd row, so that one word and one SXTB16 feed the sums of both. Must stay true: the kernel's laps
 * come last first (its pointer to the weights steps down), and `laneOrder` is the one place that knows the order within.
 */
import { refuse } from '../../program/build.ts';
import type { Params } from '../instruction.ts';
import type { Packing, PackingRecipe } from './packing.ts';
import { type EachLane, pairLanes } from './pair-lanes.ts';

/** How a kernel walks over a row of weights: stretches of `run` elements that lie side by side in x as well. */
export interface Walk {
  /** Stretches whose elements a lap takes side by side; after the last lap over them the next `stretches`, `groups` times. */
  readonly groups: number;
  readonly stretches: number;
  readonly run: number;
  /** Words of each stretch in a lap. */
  readonly pairs: number;
  /** 1: x lies in quads 0 2 1 3. */
  readonly quad: number;
}
const walkOf = ({ groups = 1, stretches = 1, run = 2, pairs = 1, quad = 0 }: Params): Walk => ({
  groups,
  stretches,
  run,
  pairs,
  quad,
});
/** Laps over one group of stretches. */
export const lapsOf = ({ run, pairs }: Walk): number => run / 2 / pairs;
export const wordsOf = ({ groups, stretches, run }: Walk): number => (groups * stretches * run) / 2;

/**
 * The words of one lap in the order of the kernel's reads: which stretch, which word of it. Where there are more laps, the
 * first word comes last: the read of it moves x's pointer on.
 */
export function lapOrder(walk: Walk): readonly { readonly stretch: number; readonly pair: number }[] {
  const order = Array.from({ length: walk.stretches * walk.pairs }, (_, n) => ({
    stretch: Math.floor(n / walk.pairs),
    pair: n % walk.pairs,
  }));
  return walk.groups * lapsOf(walk) > 1 ? [...order.slice(1), ...order.slice(0, 1)] : order;
}

/** For each word in memory, the elements of a row in its low and its high lane. */
function laneOrder(walk: Walk): readonly (readonly [number, number])[] {
  const { groups, stretches, run, pairs, quad } = walk;
  const laps = lapsOf(walk);
  return Array.from({ length: groups * laps }, (_, n) => groups * laps - 1 - n).flatMap((lap) => {
    const [group, part] = [Math.floor(lap / laps), lap % laps];
    return lapOrder(walk).map(({ stretch, pair }): readonly [number, number] => {
      const [from, word] = [(group * stretches + stretch) * run, part * pairs + pair];
      const [first, apart] = quad === 1 ? [4 * (word >> 1) + (word & 1), 2] : [2 * word, 1];
      return [from + first, from + first + apart];
    });
  });
}

export const lanePairs: PackingRecipe = {
  name: 'lane_pairs',
  make(params, shape): Packing {
    const walk = walkOf(params);
    const [N = 1] = shape;
    const K = shape.slice(1).reduce((n, d) => n * d, 1);
    if (2 * wordsOf(walk) !== K || !Number.isInteger(lapsOf(walk)))
      refuse('lane_pairs: the walk is not over these weights');
    const order = laneOrder(walk).flat();
    const groups = Math.ceil(N / 2);
    const each: EachLane = (f) => {
      for (let g = 0; g < groups; g++) {
        order.forEach((k, n) => {
          f(2 * (g * K + n), 2 * g * K + k, 2 * g + 1 < N ? (2 * g + 1) * K + k : undefined);
        });
      }
    };
    return {
      rows: 2,
      groupBytes: 2 * K,
      ...pairLanes(2 * K * groups, N * K, each),
    };
  },
};
