/** Iterations may change places where every stored value follows from its place: as digits follow from a number, or not at all. */
import { expect, test } from 'vitest';
import { add, buffer, iter, load, loop, mul, num, program, store } from '../../compiler/program/build.ts';
import { interpret, type Program, replay } from '../../compiler/program/index.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

/** y[a*c + q] = x[c] * z[q]. */
const scaled = (c: number, q: number, a: number): Program =>
  program(
    'scaled',
    [buffer('x', 'i8', [c], 'in'), buffer('z', 'i8', [q], 'in'), buffer('y', 'i32', [a * (c - 1) + q], 'out')],
    loop(
      'c',
      c,
      loop(
        'q',
        q,
        store('y', [add(mul(num(a), iter('c')), iter('q'))], mul(load('x', iter('c')), load('z', iter('q')))),
      ),
    ),
  );
const turned = (p: Program) => replay(p, [{ primitive: 'reorder', loops: ['q', 'c'] }]);

test('a place that tells all iterators: any order is right', () => {
  const r = new Random(3);
  for (let i = 0; i < samples(50, 1000); i++) {
    const [c, q, gap] = [r.int(1, 5), r.int(1, 4), r.int(0, 2)];
    const p = scaled(c, q, q + gap);
    const done = turned(p);
    if (!done.ok) throw new Error(done.reason);
    const numbers = (n: number): readonly number[] => Array.from({ length: n }, () => r.int(-128, 127));
    const inputs = { x: numbers(c), z: numbers(q) };
    // Places between the groups are nobody's.
    const mine = (y: ArrayLike<number> | undefined): readonly number[] =>
      Array.from(y ?? []).filter((_, at) => at % (q + gap) < q);
    expect(mine(interpret(done.program, inputs).y)).toEqual(mine(interpret(p, inputs).y));
  }
});

test('a place that several iterations share: refused', () => {
  for (const [c, q, a] of [
    [3, 2, 1],
    [4, 5, 4],
    [2, 3, 2],
  ] as const)
    expect(turned(scaled(c, q, a))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('function of its place'),
    });
});
