/** The front of a network's costs, against all networks there are. */
import { expect, test } from 'vitest';
import { type Cost, frontOf, type Point, ramOf } from '../../compiler/plan/front.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

/** Faster candidates mostly take more; a few are beaten, a few equal. */
function candidatesOf(r: Random, count: number): readonly Cost[] {
  const base = 10 ** r.int(2, 5);
  return Array.from({ length: count }, () => {
    const effort = r.int(1, 20);
    return {
      cycles: Math.round((base * r.int(20, 30)) / effort),
      flashBytes: effort * r.int(10, 400),
      placedBytes: r.int(0, 2) === 0 ? effort * r.int(1, 200) : 0,
      arenaBytes: 16 * r.int(1, 10) * r.int(1, effort),
      stackBytes: 8 * r.int(4, 12),
    };
  });
}
const networkOf = (seed: number, layers: number, most: number): readonly (readonly Cost[])[] => {
  const r = new Random(seed);
  return Array.from({ length: layers }, () => candidatesOf(r, r.int(1, most)));
};

/** Every network there is. */
function allOf(layers: readonly (readonly Cost[])[]): readonly Cost[] {
  return layers.reduce<readonly Cost[]>(
    (done, candidates) =>
      done.flatMap((p) =>
        candidates.map((c) => ({
          cycles: p.cycles + c.cycles,
          flashBytes: p.flashBytes + c.flashBytes,
          placedBytes: p.placedBytes + c.placedBytes,
          arenaBytes: Math.max(p.arenaBytes, c.arenaBytes),
          stackBytes: Math.max(p.stackBytes, c.stackBytes),
        })),
      ),
    [{ cycles: 0, flashBytes: 0, placedBytes: 0, arenaBytes: 0, stackBytes: 0 }],
  );
}
const fastestIn = (points: readonly Cost[], ram: number, flash: number): number =>
  Math.min(...points.filter((p) => ramOf(p) <= ram && p.flashBytes <= flash).map((p) => p.cycles));
const least = (points: readonly Cost[], of: (c: Cost) => number): number => Math.min(...points.map(of));

test('a small network: under every pair of budgets the front holds the fastest network there is', () => {
  for (let seed = 1; seed <= samples(40, 2000); seed++) {
    const layers = networkOf(seed, 1 + (seed % 5), 5);
    const [front, all] = [frontOf(layers), allOf(layers)];
    for (const p of all)
      expect(fastestIn(front, ramOf(p), p.flashBytes), `seed ${seed}`).toBe(fastestIn(all, ramOf(p), p.flashBytes));
  }
});

test('a point is the sum of what it picks', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const layers = networkOf(seed, 6, 6);
    for (const p of frontOf(layers)) {
      const picked = p.picks.map((pick, i) => layers[i]?.[pick] as Cost);
      const sum = (of: (c: Cost) => number): number => picked.reduce((n, c) => n + of(c), 0);
      expect(p).toMatchObject({
        cycles: sum((c) => c.cycles),
        flashBytes: sum((c) => c.flashBytes),
        placedBytes: sum((c) => c.placedBytes),
        arenaBytes: Math.max(...picked.map((c) => c.arenaBytes)),
        stackBytes: Math.max(...picked.map((c) => c.stackBytes)),
      } satisfies Partial<Point>);
    }
  }
});

test('thinned, the front keeps the fastest and the smallest, and is hardly behind where one memory is short', () => {
  for (let seed = 1; seed <= samples(12, 300); seed++) {
    const layers = networkOf(seed, 6, 5);
    const [thin, all] = [frontOf(layers, 32), allOf(layers)];
    for (const of of [ramOf, (c: Cost) => c.cycles, (c: Cost) => c.flashBytes])
      expect(least(thin, of), `seed ${seed}`).toBe(least(all, of));
    const behind = (ram: number, flash: number): number => fastestIn(thin, ram, flash) / fastestIn(all, ram, flash);
    for (const p of thin) {
      expect(behind(Number.POSITIVE_INFINITY, p.flashBytes), `seed ${seed}`).toBeLessThan(1.15);
      expect(behind(ramOf(p), Number.POSITIVE_INFINITY), `seed ${seed}`).toBeLessThan(1.15);
    }
  }
});

test('thirty layers of ten candidates are as good as with many more points', () => {
  const layers = networkOf(7, 30, 10);
  const [front, finer] = [frontOf(layers), frontOf(layers, 1024, 512)];
  const worse = finer.flatMap((p) =>
    [[Number.POSITIVE_INFINITY, p.flashBytes] as const, [ramOf(p), Number.POSITIVE_INFINITY] as const].map(
      (budgets) => fastestIn(front, ...budgets) / fastestIn(finer, ...budgets),
    ),
  );
  expect(Math.max(...worse)).toBeLessThan(1.02);
});
