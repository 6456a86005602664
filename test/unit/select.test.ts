/** Equal layers are one task, but a schedule that rests on a proof over constants is proved again for each of them. */
import { expect, test } from 'vitest';
import { interpret } from '../../compiler/program/index.ts';
import { type Offer, select } from '../../compiler/select.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { Draft } from './graphs.ts';
import { Random } from './random.ts';

const quant = (scale: number) => ({ scale: [scale], zeroPoint: [0], axis: 0 });

/** Two fully connected layers of one workload; the second has so large weights that its sums are rescaled upwards. */
function twins() {
  const d = new Draft(new Random(1), 'tflite');
  const layer = (x: number, scale: number): number => {
    const w = d.constant('int8', [8, 8], [-127, 127], quant(scale));
    return d.node('fully_connected', { keepDims: false, activation: 'none' }, [x, w, -1], {
      dtype: 'int8',
      quant: quant(0.05),
    });
  };
  const x = d.input('int8', [1, 8], quant(0.05));
  return d.finish('twins', [layer(layer(x, 0.01), 3)]);
}

const plain = (task: Task): Offer => ({ schedule: defaultSchedule(task.workload, []), words: 'default' });
/** Needs a form of the requantise step that only small multipliers have. */
const proving = (task: Task): Offer => {
  const { algorithm, steps } = defaultSchedule(task.workload, []);
  return {
    schedule: {
      algorithm,
      steps: [...steps, { primitive: 'requantizeAffine', acc: 'acc', mul: 'mul', add: 'add', fix: 'fix' }],
    },
    words: 'affine',
    record: 'r1',
  };
};

test('the best offer whose forms hold, occurrence by occurrence, and why better ones were refused', () => {
  const tasks = tasksOf(twins(), { rounding: 'double' });
  expect(tasks.map((t) => t.occurrences.length)).toEqual([2]);
  const selected = select(tasks, (task) => [proving(task), plain(task)]);
  expect(selected.map((s) => s.choice.node)).toEqual([0, 1]);
  expect(selected.map((s) => s.choice.words)).toEqual(['affine', 'default']);
  expect(selected[0]?.refused).toEqual([]);
  expect(selected[1]?.refused).toMatchObject([{ record: 'r1', reason: expect.stringContaining('requantizeAffine') }]);
});

test('what is selected computes with the constants of its own occurrence', () => {
  const tasks = tasksOf(twins(), { rounding: 'double' });
  const [a, b] = select(tasks, (task) => [plain(task)]).map((s) =>
    interpret(s.choice.program, { x: Int8Array.from({ length: 8 }, (_, i) => 10 * i - 40) }),
  );
  expect(a?.y).not.toEqual(b?.y);
});

test('a task that nothing legal is offered for is a broken invariant', () => {
  const tasks = tasksOf(twins(), { rounding: 'double' });
  expect(() => select(tasks, (task) => [proving(task)])).toThrow(/no legal schedule, not even its default/);
});
