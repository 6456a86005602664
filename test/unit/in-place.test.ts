/** A result may lie over an input only if the program, as it is scheduled, reads nothing that it has overwritten. */
import { expect, test } from 'vitest';
import { relu } from '../../compiler/ops/rescale.ts';
import { runsInPlace } from '../../compiler/plan/in-place.ts';
import { bind, replay, type Step } from '../../compiler/program/index.ts';
import { Draft } from './graphs.ts';
import { addRow, residual } from './naive.ts';
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
