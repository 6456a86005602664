/** Equal layers are one task, but a schedule that rests on a proof over constants is proved again for each of them. */
import { expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { interpret } from '../../compiler/program/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { type Offer, select } from '../../compiler/select.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { type Appetite, fitting } from '../../server/offers.ts';
import { type Candidates, shareRam } from '../../server/ram-share.ts';
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

test('what is too big is tried with less memory, down to the default schedules; another failure is final', async () => {
  const tooBig = failed('select', 'MODEL_TOO_BIG', 'too big');
  const tried: Appetite[] = [];
  const untilFits = (fits: Appetite | undefined, refusal: Result<never>) => (appetite: Appetite) => {
    tried.push(appetite);
    return Promise.resolve(appetite === fits ? ok(appetite) : refusal);
  };
  for (const fits of ['fast', 'small', 'default'] as const)
    expect(await fitting(host, untilFits(fits, tooBig))).toEqual(ok(fits));
  expect(await fitting(host, untilFits(undefined, tooBig))).toEqual(tooBig);
  expect(tried).toEqual('fast fast small fast small default fast small default'.split(' '));
  const other = failed('link', 'LINK_FAILED', 'nowhere');
  expect(await fitting(host, untilFits('small', other))).toEqual(other);
  tried.length = 0;
  const placing = { ...host, placed: { codeBytes: 1, dataBytes: 1 } };
  expect(await fitting(placing, untilFits('default', tooBig))).toEqual(ok('default'));
  expect(tried).toEqual(['fast', 'shared', 'flash', 'small', 'default']);
});

/** Records of one task: what each places in RAM, its bytes of constants and code, its cycles; best first. */
const candidates = (
  id: string,
  layers: number,
  rows: readonly (readonly [readonly string[], number, number, number])[],
) =>
  ({
    task: { id, occurrences: Array.from({ length: layers }) },
    records: rows.map(([placed, constBytes, codeBytes, cycles], i) => ({
      id: `${id}${i}`,
      cycles,
      sizes: { constBytes, codeBytes, scratchBytes: 0, stackBytes: 0 },
      schedule: { algorithm: 'direct', steps: placed.map((what) => ({ primitive: 'place', what, where: 'ram' })) },
    })),
  }) as unknown as Candidates;

test('RAM goes to the layers that gain most a byte; the others get the fastest schedule that fits what is left', () => {
  const all = [
    candidates('big', 1, [
      [['w'], 1000, 50, 500],
      [['code'], 1000, 50, 900],
      [[], 1000, 50, 1000],
    ]),
    candidates('small', 2, [
      [['w', 'code'], 100, 50, 100],
      [[], 100, 50, 400],
    ]),
    candidates('none', 1, [[[], 9999, 9999, 1]]),
  ];
  const first = (dataBytes: number, codeBytes: number): readonly (string | undefined)[] => {
    const shared = shareRam(all, { dataBytes, codeBytes });
    return all.map(({ task }) => shared.get(task.id)?.[0]?.id);
  };
  expect(first(1200, 100)).toEqual(['big0', 'small0', 'none0']);
  expect(first(1199, 150)).toEqual(['big1', 'small0', 'none0']);
  expect(first(1199, 100)).toEqual(['big2', 'small0', 'none0']);
  expect(first(1000, 99)).toEqual(['big0', 'small1', 'none0']);
  expect(first(0, 0)).toEqual(['big2', 'small1', 'none0']);
});
