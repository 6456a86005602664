/** What a search learns from similar layers of the log: which ones, and what their trials teach. */
import { expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import type { Task } from '../../compiler/tasks.ts';
import type { Store } from '../../db/types.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { Models, prepare } from '../../server/models.ts';
import { type Transfer, transferOf } from '../../server/transfer/learn.ts';
import { courseFor, lessonsFor } from '../../server/transfer/lessons.ts';
import { type Candidate, candidateMaker } from '../../tuner/candidates.ts';
import type { Opinion } from '../../tuner/policies/index.ts';
import { seeded } from '../../tuner/random.ts';
import { spaceOf } from '../../tuner/space.ts';
import { expectOk } from '../wire/host-board.ts';
import { openBenchStore, recordWith } from './bench.ts';
import { smallModel } from './model.ts';

const board = boardOf('mps2-an386')!;
const of = { board: board.id, kind: board.kind, toolchain: 'gcc 12', flags: '-mcpu=cortex-m4' };

const transferFor = (task: Task, store: Store, board = of.board): Transfer | undefined =>
  transferOf(courseFor([task], { ...of, board }, store));
const tasksOf = (side: number, channels = 8): readonly Task[] =>
  expectOk(prepare(smallModel(1, side, channels), 'x.tflite')).tasks;
const convOf = (tasks: readonly Task[]): Task => {
  const conv = tasks.find((t) => t.workload.op === 'conv2d');
  if (conv === undefined) throw new Error('no convolution');
  return conv;
};

/** Candidates of a convolution by two templates. */
function candidates(task: Task, seed: number, count: number): readonly Candidate[] {
  const few = templates.filter((t) => t.name === 'conv' || t.name === 'loops');
  const space = spaceOf(task.workload, board.target.features, { templates: few, defaultSchedule });
  const propose = candidateMaker(task, space, { board, scratchBytes: Number.POSITIVE_INFINITY });
  const random = seeded(seed);
  const out: Candidate[] = [];
  while (out.length < count) {
    const made = propose(space.sample(random));
    if (made.ok) out.push(made.candidate);
  }
  return out;
}
/** What static estimates do not know: what `conv` makes takes sixty-four times as long. */
const counted = ({ config, cycles }: Candidate): number =>
  Math.round(cycles.estimate * (config.template === 'conv' ? 64 : 1));

const estimate: Opinion = ({ cycles }) => cycles.estimate;

function addTrials(store: Store, task: Task, count: number): void {
  for (const [i, c] of candidates(task, 5, count).entries()) {
    const { config, schedule } = c;
    const place = { task: task.id, workload: task.key, template: config.template, config, schedule };
    store.addRecord(recordWith({ ...place, cycles: counted(c), binary: `b${i}` }));
  }
}
function farmWith(...sides: readonly number[]): Store {
  const store = openBenchStore();
  const models = new Models(store);
  for (const side of sides) expectOk(models.add(smallModel(1, side), `side${side}.tflite`));
  return store;
}

test('nearest layers first; not its own, nor other operators, boards and compilers, nor what nobody has here', () => {
  const store = farmWith(5, 6, 12);
  for (const side of [5, 6, 12, 7]) addTrials(store, convOf(tasksOf(side)), 10);
  const ids = (tasks: readonly Task[], like = of): readonly string[] =>
    lessonsFor(tasks, like, store).map((l) => l.task);
  const [five, six, twelve] = [5, 6, 12].map((side) => convOf(tasksOf(side)).id);
  expect(ids([convOf(tasksOf(10))])).toEqual([twelve, six, five]);
  expect(ids(tasksOf(6))).toEqual([five, twelve]);
  expect(ids(tasksOf(6).filter((t) => t.workload.op !== 'conv2d'))).toEqual([]);
  expect(ids(tasksOf(6), { ...of, board: 'host' })).toEqual([]);
  expect(ids(tasksOf(6), { ...of, toolchain: 'gcc 13' })).toEqual([]);
});

test('trials of other layers teach which candidates are fast where static estimates are wrong', () => {
  const store = farmWith(5, 7);
  for (const side of [5, 7]) addTrials(store, convOf(tasksOf(side)), 80);
  const task = convOf(tasksOf(9));
  const transfer = transferFor(task, store);
  expect(transfer?.from).toBe('48 trials of 2 similar layers');
  const opinion = transfer?.opinionOf(task) ?? estimate;
  const tried = candidates(task, 7, 40);
  const wrongPairs = (by: Opinion): number =>
    tried.flatMap((a) => tried.filter((b) => counted(a) < counted(b) && by(a) >= by(b))).length;
  expect(wrongPairs(opinion)).toBeLessThan(wrongPairs(estimate) / 2);
  // Equal lessons teach the same.
  const again = transferFor(task, store);
  expect(tried.map((c) => again?.opinionOf(task)(c))).toEqual(tried.map(opinion));
});

test('too little in the log: what ships for the board; where nothing does, nothing', () => {
  const store = farmWith(6);
  addTrials(store, convOf(tasksOf(6)), 80);
  const task = convOf(tasksOf(9));
  expect(transferFor(task, store)).toBeUndefined();
  expect(transferFor(task, store, 'nucleo-l4r5zi')?.from).toBe('the cost model that ships');
});
