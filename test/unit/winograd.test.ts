/**
 * Winograd's tiles: the matrices compute convolutions, transformed values fit their lanes, a rewritten layer equals the naive
 * one for every form that is proved, and the prover's constants are right on every sum, by exhaustion.
 */
import { expect, test } from 'vitest';
import { mostDoubled, type Tile, tiles } from '../../compiler/instructions/winograd-tile.ts';
import { clamp, mulhi, multiplyQuantized } from '../../compiler/program/arithmetic.ts';
import { bind, interpret, type Program, replay, type Step } from '../../compiler/program/index.ts';
import { fitAffine } from '../../compiler/program/rewrites/affine-fit.ts';
import { samples } from '../samples.ts';
import { type Case, conv3x3, depthwise } from './naive.ts';
import { Random } from './random.ts';

type Matrix = readonly (readonly number[])[];
const times = (m: Matrix, v: readonly number[]): readonly number[] =>
  m.map((row) => row.reduce((sum, c, k) => sum + c * (v[k] ?? 0), 0));
const unit = (n: number, k: number): readonly number[] => Array.from({ length: n }, (_, i) => (i === k ? 1 : 0));
const forms = ['affine', 'signed', 'general'] as const;

/** What output i is multiplied by along one edge. */
const scaleOf = (t: Tile, i: number): number => Math.sqrt(t.base) * 2 ** (t.doubled[i] ?? 0);

test.each(tiles)('tiles of $m convolve: every tap with every input, up to one known factor', (t) => {
  for (let tap = 0; tap < 3; tap++) {
    for (let at = 0; at < t.n; at++) {
      const [g, d] = [times(t.filter, unit(3, tap)), times(t.input, unit(t.n, at))];
      const y = times(
        t.output,
        g.map((v, k) => v * (d[k] ?? 0)),
      );
      expect(y).toEqual(y.map((_, i) => (at === i + tap ? scaleOf(t, i) : 0)));
    }
  }
});

test.each(tiles)('transformed inputs and filters of tiles of $m fit lanes of 16 bits', (t) => {
  const parts = (row: readonly number[]): readonly [number, number] => [
    row.reduce((sum, c) => sum + Math.max(c, 0), 0),
    row.reduce((sum, c) => sum + Math.max(-c, 0), 0),
  ];
  for (const [up, down] of t.input.map(parts)) {
    for (const [right, left] of t.input.map(parts)) {
      const [low, high] = [-255 * (up * left + down * right), 255 * (up * right + down * left)];
      expect(high + t.lift).toBeLessThanOrEqual(32767);
      // Below zero the lower lane would borrow from the upper one; tiles without a lift use lane-wise instructions.
      expect(low + t.lift).toBeGreaterThanOrEqual(t.lift === 0 ? -32768 : 0);
    }
  }
  const widest = Math.max(...t.filter.map((row) => row.reduce((sum, c) => sum + Math.abs(c), 0)));
  expect(128 * widest * widest).toBeLessThanOrEqual(32767);
});

const winograd = (tile: number, form: (typeof forms)[number], down = 1, across = 1): Step => ({
  primitive: 'winograd',
  acc: 'acc',
  tile,
  down,
  across,
  form,
});

test('a rewritten layer equals the naive one, whatever its size, region and form', () => {
  const accepted = new Map<string, number>();
  for (let seed = 1; seed <= samples(12, 300); seed++) {
    const r = new Random(seed);
    const { program, inputs } = conv3x3(r.int(4, 9), r.int(4, 9), r.pick([4, 8]), r.pick([2, 4]), seed);
    const want = interpret(program, inputs).y;
    for (const { m } of tiles) {
      for (const form of forms) {
        const done = replay(program, [winograd(m, form, r.int(1, 2), r.int(1, 2))]);
        if (!done.ok) continue;
        accepted.set(`${m} ${form}`, (accepted.get(`${m} ${form}`) ?? 0) + 1);
        expect(interpret(done.program, inputs).y, `${seed} ${m} ${form}`).toEqual(want);
      }
    }
  }
  expect([...accepted.keys()].sort()).toEqual(tiles.flatMap(({ m }) => forms.map((f) => `${m} ${f}`)).sort());
});

/** The layer with all weights -128, inputs at the ends, and sums spread over the bytes. */
function extreme(): Case {
  const { program, inputs } = conv3x3(4, 4, 16, 2, 1, 127);
  const values = (name: string): Int32Array =>
    program.buffers.find((b) => b.name === name)?.values ?? new Int32Array(0);
  const bare: Program = { ...program, buffers: program.buffers.map(({ values: _, ...b }) => b) };
  const constants = {
    w: values('w').map(() => -128),
    bias: values('bias'),
    mult: values('mult'),
    shift: values('shift').map(() => -13),
  };
  const x = Int8Array.from(inputs.x ?? [], (v) => (v < 90 ? -128 : 127));
  return { program: bind(bare, constants), inputs: { x } };
}

test('sums whose multiple leaves int32 are refused where it would, and exact where it only wraps', () => {
  const { program, inputs } = extreme();
  expect(replay(program, [winograd(4, 'signed')])).toMatchObject({
    ok: false,
    reason: expect.stringContaining('too large'),
  });
  const done = replay(program, [winograd(4, 'general')]);
  if (!done.ok) throw new Error(done.reason);
  expect(interpret(done.program, inputs).y).toEqual(interpret(program, inputs).y);
});

test('only the direct nest of a 3x3 convolution of stride 1 is rewritten', () => {
  const { program } = conv3x3(4, 6, 4, 2);
  const split: Step = { primitive: 'split', loop: 'o', factor: 2, into: ['oo', 'oi'], tail: 'exact' };
  for (const [p, before, why] of [
    [program, [split], 'not the direct nest'],
    [depthwise(6, 6, 4, 1).program, [], 'no 3x3'],
    [conv3x3(4, 6, 4, 3).program, [], 'in pairs'],
    [conv3x3(4, 6, 6, 2).program, [], 'in fours'],
    [conv3x3(3, 6, 4, 2).program, [], 'less than a region'],
  ] as const)
    expect(replay(p, [...before, winograd(4, 'general')])).toMatchObject({
      ok: false,
      reason: expect.stringContaining(why),
    });
});

test('what the prover finds for multiples of a sum equals TFLite on every sum and every doubling', () => {
  let found = 0;
  for (let seed = 1; seed <= samples(6, 100); seed++) {
    const r = new Random(seed);
    for (const t of tiles) {
      const [mult, shift, zero] = [r.int(2 ** 30, 2 ** 31 - 1), -r.int(5, 8), r.pick([-128, -3, 20])];
      const [right, fixed] = [Math.floor(Math.log2(t.base)) - 1 - shift, zero !== -128];
      const how = { scale: t.base, offsets: [0, t.base >> 1, t.base >> 2], room: mostDoubled(t), right, fixed };
      const range = [-r.int(1, 60_000), r.int(1, 60_000)] as const;
      const fit = fitAffine({ ...how, mult, shift, zero, min: -128, max: 127, range }, new Map());
      if (fit === null) continue;
      found++;
      for (let acc = range[0]; acc <= range[1]; acc++) {
        const want = clamp(multiplyQuantized(acc, mult, shift, 'double') + zero, -128, 127);
        for (let n = 0; n <= mostDoubled(t); n++) {
          const sum = (t.base * acc + fit.offset) * 2 ** n;
          const addend = (fit.add + (acc < 0 ? fit.fix : 0)) * 2 ** n;
          const got = clamp((mulhi(sum, fit.mul) + addend) >> (right + n), -128, 127);
          if (got !== want) expect([seed, t.m, acc, n, got]).toEqual([seed, t.m, acc, n, want]);
        }
      }
    }
  }
  expect(found).toBeGreaterThan(0);
});
