/** The estimate of the time left, for jobs whose rate is scripted, and beside others. */
import { expect, test } from 'vitest';
import { Pace, untilQuiet } from '../../server/jobs/estimate.ts';
import { type Burden, doneIn } from '../../server/jobs/forecast.ts';
import { seeded } from '../../tuner/random.ts';
import { samples } from '../samples.ts';

test('after a change of rate, or of the share, the estimate is within a factor of two once 24 trials have passed', () => {
  for (let seed = 0; seed < samples(50, 2000); seed++) {
    const random = seeded(seed);
    const pace = new Pace();
    let [now, done] = [random.next() * 1e9, random.below(1000)];
    pace.note(now, done, 1);
    for (let phase = 0; phase < 5; phase++) {
      const perTrial = 10 ** (1 + 3 * random.next());
      const share = random.pick([1, 1 / 5, 16 / 17, 1 / 33]);
      const length = 24 + random.below(100);
      for (let i = 0; i < length; i++) {
        // A share is had of devices and cores: a trial takes as much longer.
        now += (perTrial * (0.5 + random.next())) / share;
        pace.note(now, ++done, share);
      }
      const estimate = pace.msPerTrial(now, share) ?? 0;
      expect([seed, phase, estimate / perTrial > 0.5, estimate / perTrial < 2]).toEqual([seed, phase, true, true]);
      // What it takes of the farm is the same when the others end at this moment.
      expect(pace.msPerTrial(now, 1)).toBeCloseTo(estimate);
    }
  }
});

test('nothing is said before a trial came; time without work says nothing; a job that stalls is seen', () => {
  const pace = new Pace();
  expect(pace.msPerTrial(0, 1)).toBeNull();
  pace.note(0, 0, 1);
  expect(pace.msPerTrial(5000, 1)).toBeNull();
  for (let i = 1; i <= 30; i++) pace.note(i * 100, i, 1);
  expect(pace.msPerTrial(3000, 1)).toBeCloseTo(100);
  pace.rest(1_000_000);
  expect(pace.msPerTrial(1_000_000, 1)).toBeCloseTo(100);
  for (let i = 1; i <= 30; i++) pace.note(1_000_000 + i * 100, 30 + i, 1);
  expect(pace.msPerTrial(1_003_000, 1)).toBeCloseTo(100);
  expect(pace.msPerTrial(1_063_000, 1)).toBeGreaterThan(2000);
});

/** The same, by the ear: a millisecond after the other. */
function stepwise(mine: Burden, beside: readonly Burden[], next: readonly Burden[]): number {
  const left = { ...mine };
  let others = beside.map((b) => ({ ...b }));
  const waiting = next.map((b) => ({ ...b }));
  const over = (b: Burden): boolean => b.farmMs <= 1e-9 || b.endsIn <= 1e-9;
  for (let ms = 0; ; ms++) {
    if (over(left)) return ms;
    const all = others.reduce((sum, b) => sum + b.weight, left.weight);
    for (const b of [left, ...others]) Object.assign(b, { farmMs: b.farmMs - b.weight / all, endsIn: b.endsIn - 1 });
    others = others.flatMap((b) => (over(b) ? waiting.splice(0, 1) : [b]));
  }
}

test('a forecast is what a farm in shares comes to, whoever ends before and begins meanwhile', () => {
  for (let seed = 0; seed < samples(200, 5000); seed++) {
    const random = seeded(seed);
    const burden = (): Burden => ({
      weight: random.pick([1, 4, 16]),
      farmMs: 1 + random.below(2000),
      endsIn: random.pick([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1 + random.below(5000)]),
    });
    const some = (most: number): readonly Burden[] => Array.from({ length: random.below(most) }, burden);
    const [mine, beside, next] = [burden(), some(5), some(8)];
    const [found, want] = [doneIn(mine, beside, next), stepwise(mine, beside, next)];
    // Each end is noticed up to a millisecond later.
    expect([seed, Math.abs(found - want) <= 2 * (1 + beside.length + next.length)]).toEqual([seed, true]);
  }
});

test('a forecast alone is what is left; beside one of which nobody knows the end, a share of it', () => {
  const mine = { weight: 4, farmMs: 1000, endsIn: Number.POSITIVE_INFINITY };
  expect(doneIn(mine, [], [])).toBe(1000);
  expect(doneIn(mine, [{ ...mine, farmMs: Number.POSITIVE_INFINITY }], [mine])).toBe(2000);
  expect(doneIn({ ...mine, farmMs: 0 }, [mine], [])).toBe(0);
  const unknown = { ...mine, farmMs: Number.POSITIVE_INFINITY };
  expect(doneIn(unknown, [unknown], [])).toBe(Number.POSITIVE_INFINITY);
  expect(doneIn({ ...mine, endsIn: 10 }, [mine], [])).toBe(10);
});

test('until nothing gets better: as long as it must be quiet at least, not much more once gains are rare', () => {
  expect(untilQuiet(100_000, 0, 50)).toBeLessThan(51);
  expect(untilQuiet(10, 10, 50)).toBeGreaterThan(40);
  expect(untilQuiet(500, 50, 50)).toBe(0);
});
