/** rebase and requantizeParts: whatever constants a layer has, the forms are exact on every accumulator or refused. */
import { expect, test } from 'vitest';
import { interpret, type Program, replay, type Step } from '../../compiler/program/index.ts';
import { samples } from '../samples.ts';
import { conv3x3, depthwise, pointwise } from './naive.ts';
import { Random } from './random.ts';

const unsignedBytes: readonly Step[] = [
  { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
  { primitive: 'stage', buf: 'x', at: '', as: 'xs', loops: ['sa', 'sb', 'sc'], dtype: 'i8', border: 'apart' },
  { primitive: 'rebase', buf: 'xs', offset: 128, dtype: 'u8' },
  { primitive: 'foldOffset', acc: 'acc', as: 'bias_u' },
];
const rank = (steps: readonly Step[], n: number): readonly Step[] =>
  steps.map((s) => (s.primitive === 'stage' ? { ...s, loops: s.loops.slice(0, n) } : s));
const parts = (n: number, form: 'plain' | 'signed', start?: string): Step => ({
  primitive: 'requantizeParts',
  acc: 'acc',
  table: 'rq',
  parts: n,
  form,
  ...(start !== undefined && { start }),
});

test('sums from zero and sums that are never negative, plain and signed, compute what the naive program does', () => {
  const taken = new Map<string, number>();
  for (let seed = 1; seed <= samples(25, 600); seed++) {
    for (const [name, { program, inputs }, dims] of [
      ['pointwise', pointwise(5, 8, 3, seed), 2],
      ['conv', conv3x3(4, 4, 3, 2, seed), 3],
      ['depthwise', depthwise(5, 4, 3, 1, seed), 3],
    ] as const) {
      const want = interpret(program, inputs).y;
      for (const step of [
        parts(2, 'plain', 's'),
        parts(3, 'plain', 's'),
        parts(2, 'signed'),
        parts(3, 'signed', 's'),
      ]) {
        const done = replay(program, [...rank(unsignedBytes, dims), step]);
        if (!done.ok) {
          expect(done.reason).toMatch(/exact for channel/);
          continue;
        }
        const key = JSON.stringify(step);
        taken.set(key, (taken.get(key) ?? 0) + 1);
        expect(interpret(done.program, inputs).y, `${name} ${seed} ${key}`).toEqual(want);
      }
    }
  }
  expect([...taken.values()].every((n) => n >= samples(25, 600))).toBe(true);
  expect(taken.size).toBe(4);
});

const everyByte = { x: Int8Array.from({ length: 256 }, (_, x) => x - 128) };
/** A layer of one channel and one input whose accumulator takes every value of a range, as x moves. */
function everyAccumulator(mult: number, shift: number, zero: number, weight: number, bias: number): Program {
  const { program } = pointwise(256, 1, 1, 1, 0);
  const values: Readonly<Record<string, number>> = { w: weight, bias, mult, shift };
  return {
    ...program,
    buffers: program.buffers.map((b) =>
      b.space === 'const' ? { ...b, values: Int32Array.of(values[b.name] ?? 0) } : b,
    ),
    body: JSON.parse(JSON.stringify(program.body).replaceAll('"zero":-128', `"zero":${zero}`)),
  };
}

test('the prover against exhaustion: every input of layers with hard multipliers', () => {
  const r = new Random(5);
  let proved = 0;
  for (let n = 0; n < samples(60, 3000); n++) {
    const program = everyAccumulator(
      r.int(2 ** 30, 2 ** 31 - 1),
      -r.int(0, 9),
      r.int(-128, 20),
      r.int(-127, 127),
      r.int(-300, 300),
    );
    for (const form of ['plain', 'signed'] as const) {
      const done = replay(program, [parts(2 + (n & 1), form)]);
      if (!done.ok) continue;
      proved++;
      expect(interpret(done.program, everyByte).y, `${n} ${form}`).toEqual(interpret(program, everyByte).y);
    }
  }
  expect(proved).toBeGreaterThan(samples(60, 3000) / 2);
});

test('rebase refuses what does not fit, and what others read', () => {
  const { program } = pointwise(5, 8, 3);
  const stage: Step = { primitive: 'stage', buf: 'x', at: '', as: 'xs', loops: ['sa', 'sb'], dtype: 'i8' };
  const refusals: readonly (readonly [readonly Step[], RegExp])[] = [
    [[stage, { primitive: 'rebase', buf: 'xs', offset: 127, dtype: 'u8' }], /does not fit u8/],
    [[stage, { primitive: 'rebase', buf: 'xs', offset: 128, dtype: 'i16' }], /not the width/],
    [[{ primitive: 'rebase', buf: 'x', offset: 128, dtype: 'u8' }], /no temporary/],
    [[{ primitive: 'rebase', buf: 'acc', offset: 1, dtype: 'i32' }], /not only stored and read/],
  ];
  for (const [steps, why] of refusals) {
    const done = replay(program, steps);
    expect(done.ok ? 'accepted' : done.reason).toMatch(why);
  }
});
