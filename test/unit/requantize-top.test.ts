/** The prover of the two-cycle requantise form against every sum that can be reached, and how often it finds a form at all. */
import { expect, test } from 'vitest';
import { clamp, mulhi, multiplyQuantized } from '../../compiler/program/arithmetic.ts';
import { bind, interpret, type Program, replay } from '../../compiler/program/index.ts';
import { fitTop } from '../../compiler/program/rewrites/requantize-top.ts';
import type { Asked } from '../../compiler/program/rewrites/staircase.ts';
import { samples } from '../samples.ts';
import { depthwise } from './naive.ts';
import { Random } from './random.ts';

/** Channels as layers have them: sums some thousands wide that fill a good part of the int8 range. */
function channel(r: Random, relu: 'fused' | 'none'): Asked {
  const width = 2 ** r.int(6, 15);
  const lo = r.int(-width, width >> 2);
  const zero = r.pick([-128, -128, -5, 127]);
  return {
    mult: r.int(2 ** 30, 2 ** 31 - 1),
    shift: -r.int(0, 9),
    zero,
    min: relu === 'fused' ? zero : -128,
    max: r.next() < 0.8 ? 127 : Math.min(127, zero + 60),
    range: [lo, lo + r.int(0, width)],
  };
}

test('what is found is exact on every sum', () => {
  const r = new Random(5);
  const found = { fused: 0, none: 0 };
  for (let i = 0; i < samples(300, 20000); i++) {
    const relu = i % 4 === 0 ? 'none' : 'fused';
    const c = channel(r, relu);
    const right = 7 - c.shift;
    const fit = fitTop(c, right);
    if (fit === null) continue;
    found[relu]++;
    for (let acc = c.range[0]; acc <= c.range[1]; acc++) {
      const have = clamp(mulhi(((acc << 8) + fit.add) | 0, fit.mul) >> right, c.min, c.max);
      const want = clamp(multiplyQuantized(acc, c.mult, c.shift, 'double') + c.zero, c.min, c.max);
      if (have !== want) expect([c, acc, have]).toEqual([c, acc, want]);
    }
  }
  expect(found.fused).toBeGreaterThan(samples(300, 20000) * 0.7);
});

test('a sum that does not fit 24 bits is refused', () => {
  const c: Asked = { mult: 2 ** 30, shift: -16, zero: -128, min: -128, max: 127, range: [-(2 ** 23), 2 ** 24] };
  expect(fitTop(c, 7 + 16)).toBe(null);
});

/** The layer with a fused ReLU and a zero point at the end of the range. */
const withRelu = (p: Program): Program =>
  JSON.parse(JSON.stringify(p), (_, v) => (v?.kind === 'requantize' ? { ...v, zero: -128, min: -128, max: 127 } : v));

test('a layer with a fused ReLU gets one shift for all channels, and computes the same', () => {
  let accepted = 0;
  for (let seed = 1; seed <= samples(20, 500); seed++) {
    const { program, inputs } = depthwise(5, 4, 4, 1, seed);
    const values = Object.fromEntries(
      program.buffers.flatMap((b) => (b.values === undefined ? [] : [[b.name, b.values]])),
    );
    const bare = { ...program, buffers: program.buffers.map(({ values: _, ...b }) => b) };
    const layer = bind(withRelu(bare), values);
    const done = replay(layer, [
      { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
      { primitive: 'requantizeTop', acc: 'acc', mul: 'mul', add: 'add' },
    ]);
    if (!done.ok) continue;
    accepted++;
    expect(done.claims).toEqual(['requantizeTop acc: exact on every reachable value']);
    expect(interpret(done.program, inputs).y).toEqual(interpret(layer, inputs).y);
  }
  expect(accepted).toBeGreaterThan(samples(20, 500) * 0.8);
});
