/** What a cost model has understood, on counts that are made up: what moves them is found, what does not is not. */
import { expect, test } from 'vitest';
import { explain, type Measurement, spearman } from '../../tuner/cost-models/explain.ts';
import { Random } from './random.ts';

const names = ['rows', 'noise', 'lanes', 'constant'];

/** `rows` counts most, `lanes` a little, `noise` nothing. */
function made(count: number, seed: number, scatter = 0): readonly Measurement[] {
  const r = new Random(seed);
  return Array.from({ length: count }, (_, i) => {
    const [rows, noise, lanes] = [r.int(1, 8), r.int(1, 8), r.int(0, 1)];
    const cycles = Math.round(1000 * rows * (1 + 0.3 * lanes) * (1 + scatter * r.next()));
    const knobs = { rows, lanes: lanes === 1 ? 'two' : 'one', order: noise };
    return {
      record: `r${i}`,
      template: i % 2 === 0 ? 'conv' : 'loops',
      knobs,
      features: Float64Array.of(rows, noise, lanes, 7),
      cycles,
    };
  });
}

test('predictions follow the counts, and each is made without having seen its own', () => {
  const measured = made(200, 1);
  const { rank, points, trained } = explain(measured, names);
  expect(trained).toBe(200);
  expect(rank).toBeGreaterThan(0.97);
  expect(points.map((p) => [p.record, p.measured])).toEqual(measured.map((m) => [m.record, m.cycles]));
  const far = points.filter((p) => Math.abs(Math.log2(p.predicted / p.measured)) > 0.5);
  expect(far.length).toBeLessThan(10);
  // An outlier is not predicted by trees that have seen it.
  const odd = measured.map((m, i) => (i === 40 ? { ...m, cycles: 64 * m.cycles } : m));
  const outlier = explain(odd, names).points[40];
  expect((outlier?.predicted ?? 0) / (measured[40]?.cycles ?? 1)).toBeLessThan(8);
});

test('importance: what moves counts comes first, what does not has next to nothing; shares add up to one', () => {
  const { importance, knobs } = explain(made(300, 2, 0.05), names);
  expect(importance.slice(0, 2).map((i) => i.feature)).toEqual(['rows', 'lanes']);
  expect(importance[0]?.share).toBeGreaterThan(0.7);
  expect(importance.find((i) => i.feature === 'noise')?.share ?? 0).toBeLessThan(0.02);
  expect(importance.some((i) => i.feature === 'constant')).toBe(false);
  expect(importance.reduce((n, i) => n + i.share, 0)).toBeCloseTo(1, 2);
  for (const template of ['conv', 'loops']) {
    const of = knobs.filter((k) => k.template === template);
    expect(of.slice(0, 2).map((k) => k.knob)).toEqual(['rows', 'lanes']);
    expect(of.reduce((n, k) => n + k.share, 0)).toBeCloseTo(1, 2);
  }
});

test('without anything to learn nothing is claimed: noise has no rank, few trials and equal counts say nothing', () => {
  const r = new Random(3);
  const noise = made(200, 4).map((m) => ({ ...m, cycles: r.int(1000, 9000) }));
  expect(Math.abs(explain(noise, names).rank ?? 0)).toBeLessThan(0.3);
  expect(explain(made(9, 5), names)).toEqual({ trained: 9, rank: null, points: [], importance: [], knobs: [] });
  const equal = explain(
    made(50, 6).map((m) => ({ ...m, cycles: 500 })),
    names,
  );
  expect([equal.rank, equal.importance, equal.knobs]).toEqual([null, [], []]);
});

test('the same trials give the same answer; schedules without a template have no knobs', () => {
  const measured = made(60, 7);
  expect(explain(measured, names)).toEqual(explain(measured, names));
  expect(
    explain(
      measured.map((m) => ({ ...m, knobs: undefined })),
      names,
    ).knobs,
  ).toEqual([]);
});

test('rank correlation: of orders, not of sizes; equal values share their ranks', () => {
  expect(spearman([1, 2, 3, 4], [10, 20, 30, 4000])).toBe(1);
  expect(spearman([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1);
  expect(spearman([1, 1, 2, 2], [1, 1, 2, 2])).toBe(1);
  expect(spearman([1, 2, 3], [5, 5, 5])).toBeNull();
  // By hand: ranks 0 1.5 1.5 3 against 0 1 2 3.
  expect(spearman([1, 2, 2, 9], [1, 2, 3, 4])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 3);
});
