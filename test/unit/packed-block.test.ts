/** What packed_block is made of: the packing of its weights, the requantise forms as they are read off a nest, its refusals. */
import { expect, test } from 'vitest';
import { instruction } from '../../compiler/instructions/index.ts';
import { packingOf } from '../../compiler/instructions/packings/index.ts';
import { inferRequantize, requantizeMeaning, requantizeOf } from '../../compiler/instructions/requantize-lines.ts';
import { Illegal } from '../../compiler/program/build.ts';
import { iter, load } from '../../compiler/program/index.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

const walks = [
  { groups: 1, stretches: 1, run: 8, pairs: 4, quad: 1 },
  { groups: 1, stretches: 3, run: 12, pairs: 2, quad: 1 },
  { groups: 2, stretches: 2, run: 6, pairs: 1, quad: 0 },
  { groups: 3, stretches: 1, run: 4, pairs: 2, quad: 0 },
];
const length = (w: (typeof walks)[number]): number => w.groups * w.stretches * w.run;

test.each(walks)('weights in lanes come back: $groups groups of $stretches stretches of $run', (walk) => {
  const r = new Random(walk.run);
  for (let n = 0; n < samples(20, 400); n++) {
    const shape = [r.int(1, 5), length(walk)];
    const values = Int32Array.from({ length: (shape[0] ?? 1) * length(walk) }, () => r.int(-127, 127));
    const packing = packingOf('lane_pairs', walk, shape);
    const bytes = packing.encode(values, shape);
    expect(bytes.length).toBe(Math.ceil((shape[0] ?? 1) / 2) * packing.groupBytes);
    expect(packing.decode(bytes, shape)).toEqual(values);
  }
});

test('-128 of an odd row survives beside a weight that is not negative, and else does not', () => {
  const walk = { groups: 1, stretches: 1, run: 2, pairs: 1, quad: 0 };
  const packing = packingOf('lane_pairs', walk, [2, 2]);
  const back = (even: number): number =>
    packing.decode(packing.encode(Int32Array.of(even, 0, -128, 0), [2, 2]), [2, 2])[2] ?? 0;
  expect([back(0), back(127)]).toEqual([-128, -128]);
  expect(back(-1)).not.toBe(-128);
});

test('a walk that does not cover the weights is refused', () => {
  const walk = { groups: 1, stretches: 3, run: 4, pairs: 2, quad: 1 };
  expect(() => packingOf('lane_pairs', walk, [2, 8])).toThrow(Illegal);
  expect(() => packingOf('lane_pairs', { ...walk, pairs: 3 }, [2, 12])).toThrow(Illegal);
});

test('a requantise form is read off what it means', () => {
  for (const form of [0, 1, 2, 3]) {
    const right = form === 2 ? 0 : 9;
    const q = requantizeOf({ form, right, zero: form === 2 ? -7 : 0, min: -100, max: 90 }, 'with offset');
    expect(requantizeOf(inferRequantize(requantizeMeaning(q, load('acc'), iter('o'))), 'with offset')).toEqual(q);
  }
  expect(() => inferRequantize(load('acc'))).toThrow(Illegal);
});

test('what the assembly cannot reach or does not compute is refused with the reason', () => {
  const make = (params: Readonly<Record<string, number>>) => () => instruction('packed_block', params);
  expect(make({ P: 4, OB: 2, C: 8, pairs: 3 })).toThrow('laps of 3');
  expect(make({ P: 4, OB: 3, C: 8, pairs: 4 })).toThrow('one or two channels');
  expect(make({ P: 4, OB: 2, C: 7, pairs: 1 })).toThrow('words begin at pairs');
  expect(make({ P: 4, OB: 2, C: 6, pairs: 3, quad: 1 })).toThrow('quads of channels');
  expect(make({ P: 4, OB: 2, C: 8, pairs: -2 })).toThrow('not negative');
  expect(make({ P: 4, OB: 2, C: 8, N: 1400, pairs: 4 })).toThrow('immediate offset');
  expect(make({ P: 1, OB: 2, C: 256, pairs: 64 })).toThrow('immediate increment');
  expect(make({ P: 1, OB: 2, C: 128, pairs: 64 })).not.toThrow();
  expect(make({ P: 4, OB: 2, C: 8, pairs: 4, form: 3, right: 7 })).toThrow('begin with the bias');
});

test('sums that need all of their bits must have them', () => {
  const signed = instruction('packed_block', { P: 4, OB: 2, C: 600, pairs: 60, form: 1, right: 8 });
  const weights =
    (value: number) =>
    (role: string): Int32Array =>
      role === 'w' ? new Int32Array(1200).fill(value) : Int32Array.of(5, 7);
  expect(signed.requires?.(weights(100))).toBeUndefined();
  expect(signed.requires?.(weights(-127))).toContain('24 bits');
  expect(instruction('packed_block', { P: 4, OB: 2, C: 600, pairs: 60, form: 0, right: 8 }).requires).toBeUndefined();
});
