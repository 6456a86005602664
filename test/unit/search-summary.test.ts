/** What the bench of searches says of its curves. */
import { expect, test } from 'vitest';
import type { Run } from '../../bench/search/run.ts';
import { bestAfter, firstWithin, median, summaryOf, type TaskRuns } from '../../bench/search/summary.ts';

const run = (policy: string, seed: number, ...steps: readonly (readonly [number, number])[]): Run => ({
  policy,
  seed,
  trials: 100,
  failed: 0,
  pruned: seed,
  steps,
});
const about = { network: 'net', task: 't', layer: 'conv2d', occurrences: 2, space: 100 };

test('a curve holds from one step to the next, and is infinite before the first', () => {
  const r = run('guided', 1, [2, 500], [30, 400]);
  expect([1, 2, 29, 30, 100].map((n) => bestAfter(r, n))).toEqual([Number.POSITIVE_INFINITY, 500, 500, 400, 400]);
  expect([600, 450, 399].map((c) => firstWithin(r, c))).toEqual([2, 30, Number.POSITIVE_INFINITY]);
  expect(median([9, 1, 5])).toBe(5);
});

const fast: TaskRuns = {
  ...about,
  shipped: 390,
  runs: [
    run('guided', 1, [1, 800], [10, 400]),
    run('guided', 2, [1, 800], [40, 390]),
    run('guided', 3, [1, 800], [20, 400]),
    run('random', 1, [1, 800], [90, 500]),
    run('random', 2, [1, 800]),
    run('random', 3, [1, 800], [50, 392]),
  ],
};

test('medians over seeds stand beside the best that anybody found or shipped', () => {
  const { tasks, at, guidedWithin5 } = summaryOf([fast], ['guided', 'random'], [25, 100]);
  expect(tasks[0]).toMatchObject({
    bestKnown: 390,
    above: { guided: { 25: 1.0256, 100: 1.0256 }, random: { 25: 2.0513, 100: 1.2821 } },
    reached: { guided: null, random: null },
    guidedPruned: 2,
    guidedWithin5: true,
  });
  expect(guidedWithin5).toBe(1);
  expect(at[100]).toEqual({ above: { guided: 1.0256, random: 1.2821 }, guidedAgainst: { random: [1, 0, 0] } });
});

test('a record that ships and that no search reaches counts against guided', () => {
  const { tasks } = summaryOf([{ ...fast, shipped: 300 }], ['guided', 'random'], [25, 100]);
  expect(tasks[0]).toMatchObject({ bestKnown: 300, guidedWithin5: false });
});

test('means over tasks are geometric, and a tie is neither better nor worse', () => {
  const even: TaskRuns = { ...about, shipped: null, runs: [run('guided', 1, [1, 200]), run('random', 1, [1, 200])] };
  const odd: TaskRuns = { ...about, shipped: 100, runs: [run('guided', 1, [1, 900]), run('random', 1, [1, 400])] };
  const { at } = summaryOf([even, odd], ['guided', 'random'], [10]);
  expect(at[10]).toEqual({ above: { guided: 3, random: 2 }, guidedAgainst: { random: [0, 1, 1] } });
});
