/** stage with take 'read': what a stride leaves out is not copied, and loops of one iteration do not hide the stride. */
import { expect, test } from 'vitest';
import { operatorOf } from '../../compiler/ops/index.ts';
import { allocsIn, bind, interpret, type Program, replay } from '../../compiler/program/index.ts';
import type { Workload } from '../../compiler/workload.ts';
import { Random } from './random.ts';

/** A convolution of 6x7 pixels and stride 2 without a border. */
function strided(KH: number, KW: number): { readonly program: Program; readonly inputs: Record<string, Int8Array> } {
  const r = new Random(KH * 3 + KW);
  const many = (n: number, lo: number, hi: number): Int32Array => Int32Array.from({ length: n }, () => r.int(lo, hi));
  const [OH, OW] = [Math.floor((6 - KH) / 2) + 1, Math.floor((7 - KW) / 2) + 1];
  const ends = { xZero: 5, yZero: -3, min: -128, max: 127, rounding: 'double' };
  const workload: Workload = {
    op: 'conv2d',
    attrs: { ...ends, kernel: [KH, KW], stride: [2, 2], dilation: [1, 1], pad: [0, 0, 0, 0] },
    inputs: [{ dtype: 'int8', shape: [1, 6, 7, 3] }],
    outputs: [{ dtype: 'int8', shape: [1, OH, OW, 2] }],
  };
  const constants = { w: many(6 * KH * KW, -127, 127), bias: many(2, -99, 99), mult: many(2, 2 ** 30, 2 ** 31 - 1) };
  const program = operatorOf('conv2d').programs(workload).direct as Program;
  return {
    program: bind(program, { ...constants, shift: many(2, -7, -6) }),
    inputs: { x: Int8Array.from(many(6 * 7 * 3, -128, 127)) },
  };
}

test.each([
  [1, 1, [3, 4, 3]],
  [1, 2, [3, 6, 3]],
  [2, 1, [6, 4, 3]],
])('a window of %ix%i', (KH, KW, shape) => {
  const { program, inputs } = strided(KH, KW);
  const done = replay(program, [
    { primitive: 'stage', buf: 'x', at: '', as: 'xs', loops: ['a', 'b', 'c'], dtype: 'i8', take: 'read' },
  ]);
  if (!done.ok) throw new Error(done.reason);
  expect(allocsIn(done.program.body).find((b) => b.name === 'xs')?.shape).toEqual(shape);
  expect(interpret(done.program, inputs).y).toEqual(interpret(program, inputs).y);
});
