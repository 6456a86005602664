/** The proved requantise form on channels that are always one number: all weights zero, whatever their multiplier and shift. */
import { expect, test } from 'vitest';
import { bind, interpret, type Program, replay } from '../../compiler/program/index.ts';
import { samples } from '../samples.ts';
import { pointwise } from './naive.ts';
import { Random } from './random.ts';

/** Half of the channels get zero weights and multipliers of any size. */
function withDeadChannels(p: Program, r: Random): Program {
  const values = (name: string): Int32Array =>
    Int32Array.from(p.buffers.find((b) => b.name === name)?.values ?? new Int32Array());
  const [w, bias, mult, shift] = ['w', 'bias', 'mult', 'shift'].map(values) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const depth = w.length / bias.length;
  for (let o = 0; o < bias.length; o += 2) {
    w.fill(0, o * depth, (o + 1) * depth);
    bias[o] = r.int(-(2 ** r.int(1, 30)), 2 ** r.int(1, 30));
    mult[o] = r.int(2 ** 30, 2 ** 31 - 1);
    shift[o] = r.int(-30, 8);
  }
  const bare = { ...p, buffers: p.buffers.map(({ values: _, ...b }) => b) };
  return bind(bare, { w, bias, mult, shift });
}

test('a channel that is always one number has a form, and it is exact', () => {
  const r = new Random(11);
  for (let i = 0; i < samples(60, 2000); i++) {
    const { program, inputs } = pointwise(3, 4, 6, i + 1);
    const dead = withDeadChannels(program, r);
    const step = { primitive: 'requantizeAffine', acc: 'acc', mul: 'mul', add: 'add', fix: 'fix' } as const;
    const form = replay(dead, [{ primitive: 'foldOffset', acc: 'acc', as: 'bias_z' }, step]);
    expect(form).toMatchObject({ ok: true });
    if (form.ok) expect(interpret(form.program, inputs).y).toEqual(interpret(dead, inputs).y);
  }
});
