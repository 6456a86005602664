/** The estimate of the time left, for jobs whose rate is scripted. */
import { expect, test } from 'vitest';
import { Pace, untilQuiet } from '../../server/jobs/estimate.ts';
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
      const left = 1 + random.below(10_000);
      const estimate = pace.msFor(left, now, share) ?? 0;
      const true_ = (perTrial * left) / share;
      expect([seed, phase, estimate / true_ > 0.5, estimate / true_ < 2]).toEqual([seed, phase, true, true]);
      // The others end at this moment.
      expect(pace.msFor(left, now, 1)).toBeCloseTo(estimate * share, 0);
    }
  }
});

test('nothing is said before a trial came; time without work says nothing; a job that stalls is seen', () => {
  const pace = new Pace();
  expect(pace.msFor(10, 0, 1)).toBeNull();
  pace.note(0, 0, 1);
  expect(pace.msFor(10, 5000, 1)).toBeNull();
  for (let i = 1; i <= 30; i++) pace.note(i * 100, i, 1);
  expect(pace.msFor(10, 3000, 1)).toBeCloseTo(1000);
  pace.rest(1_000_000);
  expect(pace.msFor(10, 1_000_000, 1)).toBeCloseTo(1000);
  for (let i = 1; i <= 30; i++) pace.note(1_000_000 + i * 100, 30 + i, 1);
  expect(pace.msFor(10, 1_003_000, 1)).toBeCloseTo(1000);
  expect(pace.msFor(10, 1_063_000, 1)).toBeGreaterThan(20_000);
  expect(pace.msFor(0, 1_003_000, 1)).toBe(0);
});

test('until nothing gets better: as long as it must be quiet at least, not much more once gains are rare', () => {
  expect(untilQuiet(100_000, 0, 50)).toBeLessThan(51);
  expect(untilQuiet(10, 10, 50)).toBeGreaterThan(40);
  expect(untilQuiet(500, 50, 50)).toBe(0);
});
