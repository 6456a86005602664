/** A result may lie over an input only if the program, as it is scheduled, reads nothing that it has overwritten. */
import { expect, test } from 'vitest';
import { relu } from '../../compiler/ops/rescale.ts';
import { runsInPlace } from '../../compiler/plan/in-place.ts';
import { buffer, iter, load, loop, store } from '../../compiler/program/build.ts';
import { bind, interpret, type Program, replay, type Step } from '../../compiler/program/index.ts';
import { rename } from '../../compiler/program/walk.ts';
import { samples } from '../samples.ts';
import { Draft } from './graphs.ts';
import { addRow, depthwise, residual } from './naive.ts';
import { Random } from './random.ts';

function scheduled(...steps: readonly Step[]) {
  const d = new Draft(new Random(1), 'tflite');
  const x = d.input('int8', [10], { scale: [0.1], zeroPoint: [0], axis: 0 });
  const y = d.node('relu', {}, [x], { dtype: 'int8', quant: { scale: [0.2], zeroPoint: [0], axis: 0 } });
  const graph = d.finish('g', [y]);
  const [node] = graph.nodes;
  if (node === undefined) throw new Error('no node');
  const { workload, constants } = relu.lower(node, graph, { rounding: 'double' });
  const naive = relu.programs(workload).direct;
  if (naive === undefined) throw new Error('no program');
  const done = replay(bind(naive, constants), steps);
  if (!done.ok) throw new Error(done.reason);
  return done.program;
}
const split = (tail: 'exact' | 'overlap' | 'peel', factor: number): Step => ({
  primitive: 'split',
  loop: 'i',
  factor,
  into: ['io', 'ii'],
  tail,
});

test('each element once, from its own place: as it is, tiled, with a tail apart', () => {
  for (const steps of [[], [split('exact', 5)], [split('peel', 4)]])
    expect(runsInPlace(scheduled(...steps), new Set(['x']), 'y')).toBe(true);
});

test('not when the last tile computes elements again that it has overwritten', () => {
  expect(runsInPlace(scheduled(split('overlap', 4)), new Set(['x']), 'y')).toBe(false);
});

test('not over an input that is read at other places too', () => {
  const { program } = addRow(3, 4);
  expect(runsInPlace(program, new Set(['x0']), 'y')).toBe(true);
  expect(runsInPlace(program, new Set(['x1']), 'y')).toBe(false);
  expect(runsInPlace(program, new Set(['x0', 'x1']), 'y')).toBe(false);
});

test('over both inputs of a sum by an instruction that says that it keeps their order', () => {
  const done = replay(residual(12).program, [
    { primitive: 'linearSum', form: 'half' },
    { primitive: 'replace', loop: 'a', instr: 'add_bytes', operands: { x0: 'x0', x1: 'x1', y: 'y' } },
  ]);
  if (!done.ok) throw new Error(done.reason);
  expect(runsInPlace(done.program, new Set(['x0', 'x1']), 'y')).toBe(true);
});

const byGroups: readonly Step[] = [
  { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
  { primitive: 'split', loop: 'c', factor: 2, into: ['cc', 'ci'], tail: 'exact' },
  { primitive: 'reorder', loops: ['cc', 'ci', 'oy', 'ox'] },
];
const staged = (at: string): Step => ({
  primitive: 'stage',
  buf: 'x',
  at,
  as: 'xp',
  loops: ['a', 'b', 'd'],
  dtype: 'i8',
  order: [0, 2, 1],
  whole: [0],
});
function depthwiseBy(stride: number, steps: readonly Step[]) {
  const done = replay(depthwise(5, 4, 4, stride).program, steps);
  if (!done.ok) throw new Error(done.reason);
  return done.program;
}

test('a group of channels that is copied out before it is written, whatever the stride', () => {
  for (const stride of [1, 2])
    expect(runsInPlace(depthwiseBy(stride, [...byGroups, staged('cc')]), new Set(['x']), 'y')).toBe(true);
});

test('not where a group is read while it is written, or another group', () => {
  expect(runsInPlace(depthwiseBy(1, []), new Set(['x']), 'y')).toBe(false);
  expect(runsInPlace(depthwiseBy(1, byGroups), new Set(['x']), 'y')).toBe(false);
  const { program } = depthwise(5, 4, 4, 1);
  const overlapping = replay(program, [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    { primitive: 'split', loop: 'c', factor: 3, into: ['cc', 'ci'], tail: 'overlap' },
    { primitive: 'reorder', loops: ['cc', 'ci', 'oy', 'ox'] },
    staged('cc'),
  ]);
  expect(overlapping.ok && runsInPlace(overlapping.program, new Set(['x']), 'y')).toBe(false);
});

test('a schedule that is said to run in place does: interpreted with input and output in one buffer', () => {
  for (let seed = 1; seed <= samples(10, 300); seed++) {
    const { program, inputs } = depthwise(5, 4, 4, 1, seed);
    const done = replay(program, [...byGroups, staged('cc')]);
    if (!done.ok) throw new Error(done.reason);
    expect(runsInPlace(done.program, new Set(['x']), 'y')).toBe(true);
    expect(over(done.program, inputs.x as ArrayLike<number>)).toEqual(interpret(program, inputs).y);
  }
});

/** The program with x renamed y throughout, so that its memory is one; y starts as the input. */
function over(p: Program, x: ArrayLike<number>): ArrayLike<number> | undefined {
  const body = rename(
    p.body,
    (b) => (b === 'x' ? 'y' : b),
    (l) => l,
  );
  const input = buffer('given', 'i8', [5, 4, 4], 'in');
  const copy = loop(
    'g0',
    5,
    loop(
      'g1',
      4,
      loop('g2', 4, store('y', ['g0', 'g1', 'g2'].map(iter), load('given', ...['g0', 'g1', 'g2'].map(iter)))),
    ),
  );
  const buffers = [input, ...p.buffers.filter((b) => b.name !== 'x')];
  return interpret({ ...p, buffers, body: [copy, ...body] }, { given: x }).y;
}
