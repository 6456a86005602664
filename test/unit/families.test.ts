import { expect, test } from 'vitest';
import { Pace } from '../../toolchain/families.ts';

/** At which looks, from 1, the families of a system are counted that has so many tasks at first, and at each look. */
function looks(limit: number, tasks: readonly number[]): readonly number[] {
  const [first = 0, ...then] = tasks;
  let now = first;
  const pace = new Pace(() => now);
  return then.flatMap((count, look) => {
    now = count;
    return pace.due(limit) ? [look + 1] : [];
  });
}
const steady = (count: number, looks: number): readonly number[] => Array<number>(looks).fill(count);

test('families are counted at every tenth look', () => {
  expect(looks(64, steady(200, 31))).toEqual([10, 20, 30]);
});

test('families are counted at once when the system has more than the limit beyond what it had since the last count', () => {
  expect(looks(64, [200, 264, 265, 265, 329, 330, 120, 184, 185, ...steady(120, 4)])).toEqual([2, 5, 8, 10]);
});

test('a system that does not tell has them counted at every tenth look', () => {
  expect(looks(64, steady(0, 21))).toEqual([10, 20]);
});
