/** winogradWords: exact for every input of layers that it accepts, whatever the requantise, borders and regions. */
import { expect, test } from 'vitest';
import { interpret, replay, type Step } from '../../compiler/program/index.ts';
import { samples } from '../samples.ts';
import { conv3x3 } from './naive.ts';

const steps = (form: 'plain' | 'signed', tile: number, down: number, across: number): readonly Step[] => [
  { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
  { primitive: 'stage', buf: 'x', at: '', as: 'xs', loops: ['a0', 'a1', 'a2'], dtype: 'i8', border: 'apart' },
  { primitive: 'requantizeParts', acc: 'acc', table: 'rq', parts: 3, form },
  { primitive: 'winogradWords', loop: 'oy', acc: 'acc', tile, down, across },
];

test('random layers, with tiles that overlap and regions that do not divide the image', () => {
  let taken = 0;
  for (let seed = 1; seed <= samples(12, 400); seed++) {
    const [H, W] = [4 + (seed % 6), 4 + ((seed * 5) % 7)];
    const { program, inputs } = conv3x3(H, W, 1 + (seed % 4), 1 + (seed % 3), seed, (seed % 5) * 60 - 128);
    const want = interpret(program, inputs).y;
    for (const [tile, down, across] of [
      [4, 1, 1],
      [2, 1, 2],
      [2, 2, 1],
    ] as const) {
      const done = replay(program, steps(seed % 2 === 0 ? 'plain' : 'signed', tile, down, across));
      if (!done.ok) {
        expect(done.reason).toMatch(/exact for channel/);
        continue;
      }
      taken++;
      expect(interpret(done.program, inputs).y, `${seed} ${tile} ${down}x${across}`).toEqual(want);
    }
  }
  expect(taken).toBeGreaterThan(samples(12, 400));
});

test('what is not the direct nest from zero, or leaves int32, is refused with the reason', () => {
  const { program } = conv3x3(5, 5, 4, 2);
  const all = steps('signed', 4, 1, 1);
  const without = (primitive: string): readonly Step[] => all.filter((s) => s.primitive !== primitive);
  const refusals: readonly (readonly [readonly Step[], RegExp])[] = [
    [without('requantizeParts'), /not the direct nest|no sum/],
    [without('stage'), /not the direct nest/],
    [steps('signed', 4, 2, 1), /less than a region/],
    [steps('signed', 3, 1, 1), /no Winograd tile/],
  ];
  for (const [list, why] of refusals) {
    const done = replay(program, list);
    expect(done.ok ? 'accepted' : done.reason).toMatch(why);
  }
});
