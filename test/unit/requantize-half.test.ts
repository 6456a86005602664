/** The proof of requantizeHalf by exhaustion: averages and means of n bytes, on every sum that they can make. */
import { expect, test } from 'vitest';
import { averagePool2d } from '../../compiler/ops/pool2d.ts';
import { interpret, type Program, replay } from '../../compiler/program/index.ts';
import { samples } from '../samples.ts';
import { mean } from './naive.ts';

/** The average of n pixels of C channels. */
function average(n: number, C: number): Program {
  const attrs = { filter: [1, n], stride: [1, 1], pad: [0, 0, 0, 0], min: -128, max: 127 };
  const type = (width: number) => [{ dtype: 'int8', shape: [1, 1, width, C] }];
  const naive = averagePool2d.programs({ op: 'average_pool2d', attrs, inputs: type(n), outputs: type(1) }).direct;
  if (naive === undefined) throw new Error('no program');
  return naive;
}
/** Pixels of C channels, n of them: channel c sums to the c-th of the sums from -128*n on, `step` apart. */
function pixels(n: number, C: number, step: number): Int8Array {
  const byte = (c: number, p: number): number => {
    const sum = -128 * n + c * step;
    const base = Math.floor(sum / n);
    return p < sum - base * n ? base + 1 : base;
  };
  return Int8Array.from({ length: n * C }, (_, i) => byte(i % C, Math.floor(i / C)));
}

const half = [{ primitive: 'requantizeHalf', acc: 'acc' }] as const;

test('averages of 3 to 256 bytes have a form, of two none', () => {
  const counts = Array.from({ length: 255 }, (_, i) => i + 2).filter((n) => n < 10 || n % samples(12, 1) === 0);
  expect(counts.filter((n) => !replay(average(n, 4), half).ok)).toEqual([2]);
});

test('it equals the average on every sum', () => {
  for (const n of [3, 4, 5, 9, 16, 25, 49, 125, 256]) {
    const step = Math.max(1, Math.floor((n * n) / samples(20, 2000)));
    const C = Math.floor((255 * n) / step) + 1;
    const naive = average(n, C);
    const done = replay(naive, half);
    if (!done.ok) throw new Error(done.reason);
    const x = pixels(n, C, step);
    expect(interpret(done.program, { x }).y, `${n} bytes`).toEqual(interpret(naive, { x }).y);
  }
});

test('it equals the rescale of a mean on every sum', () => {
  let found = 0;
  for (let seed = 1; seed <= samples(6, 200); seed++) {
    const n = 3 + (seed % 20);
    const { program } = mean(n, 255 * n + 1, seed);
    const done = replay(program, half);
    if (!done.ok) continue;
    found++;
    const x = pixels(n, 255 * n + 1, 1);
    expect(interpret(done.program, { x }).y, `seed ${seed}`).toEqual(interpret(program, { x }).y);
  }
  expect(found).toBeGreaterThan(0);
});

test('it refuses sums that do not fit', () => {
  expect(replay(average(257, 4), half)).toMatchObject({ ok: false });
});
