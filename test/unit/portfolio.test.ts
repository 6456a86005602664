/** Portfolios: what is offered holds where it is used, what layers share is counted once; and the table of what less memory costs. */
import { expect, test } from 'vitest';
import { instruction } from '../../compiler/instructions/index.ts';
import { schedule } from '../../compiler/lower.ts';
import type { Point } from '../../compiler/plan/front.ts';
import { callsIn } from '../../compiler/program/walk.ts';
import { select } from '../../compiler/select.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule, type Schedule, templatesFor } from '../../kernels/index.ts';
import type { KnownOffer } from '../../server/offers.ts';
import { type Portfolio, portfolioOf } from '../../server/portfolio.ts';
import { type Outside, tradesOf } from '../../server/trades.ts';
import type { Sizes } from '../../tuner/types.ts';
import { Draft } from './graphs.ts';
import { Random } from './random.ts';

const quant = (scale: number) => ({ scale: [scale], zeroPoint: [0], axis: 0 });

/** Two fully connected layers of one workload; where the second one's scale is large, its weights refuse the affine form. */
function twins(second: number) {
  const d = new Draft(new Random(1), 'tflite');
  const layer = (x: number, scale: number): number => {
    const w = d.constant('int8', [8, 8], [-127, 127], quant(scale));
    const attrs = { keepDims: false, activation: 'none' };
    return d.node('fully_connected', attrs, [x, w, -1], { dtype: 'int8', quant: quant(0.05) });
  };
  return d.finish('twins', [layer(layer(d.input('int8', [1, 8], quant(0.05)), 0.01), second)]);
}
const graph = twins(3);
const tasks = tasksOf(graph, { rounding: 'double' });

const sizes = (codeBytes: number, functions: Sizes['functions'] = {}): Sizes => ({
  codeBytes,
  constBytes: 96,
  scratchBytes: 0,
  stackBytes: 40,
  functions,
});
const plain = (task: Task): KnownOffer => ({
  offer: { schedule: defaultSchedule(task.workload, []), words: 'default' },
  trial: { cycles: 1000, sizes: sizes(200) },
  plain: true,
});
function affine(task: Task, cycles: number, of: Sizes): KnownOffer {
  const { algorithm, steps } = defaultSchedule(task.workload, []);
  const proof = { primitive: 'requantizeAffine', acc: 'acc', mul: 'mul', add: 'add', fix: 'fix' } as const;
  const schedule = { algorithm, steps: [...steps, proof] };
  return { offer: { schedule, words: 'affine', record: 'r1' }, trial: { cycles, sizes: of } };
}
const portfolio = (offers: (task: Task) => readonly KnownOffer[]): Portfolio =>
  portfolioOf(graph, 'twins', tasks, offers);

test('a layer whose constants refuse an offer has others, and says so', () => {
  const { points, estimate } = portfolio((task) => [plain(task), affine(task, 600, sizes(300))]);
  expect(points.map((p) => p.cycles)).toEqual([1600, 2000]);
  const [fastest] = points.map((p) => estimate(p).selected);
  expect(fastest?.map((s) => [s.offer.words, s.refused.length])).toEqual([
    ['affine', 0],
    ['default', 1],
  ]);
});

test('an offer that saves next to nothing over a faster one is left out', () => {
  const near = (task: Task) => [affine(task, 600, sizes(220)), affine(task, 700, sizes(215)), plain(task)];
  expect(portfolio(near).points.every((p) => p.cycles !== 1700)).toBe(true);
});

/** The first setting of the first template whose program calls a block kernel. */
function withBlock(task: Task): Schedule {
  for (const { template, knobs } of templatesFor(task.workload, ['dsp', 'fpu', 'places'])) {
    const setting = Object.fromEntries(knobs.map((k) => [k.name, k.values[0] ?? 0]));
    const made = template.schedule(task.workload, setting);
    const done = schedule(task.workload, task.occurrences[0]?.constants ?? {}, made);
    if (!done.ok) continue;
    if (callsIn(done.program.body).some((c) => instruction(c.instr, c.params).function !== undefined)) return made;
  }
  throw new Error('no template has a block kernel for this');
}

test.each(['flash', 'ram'] as const)(
  'a function of two layers is counted once, in each memory where it lies: %s',
  (where) => {
    const alike = twins(0.01);
    const found = (functions: Sizes['functions']): Point | undefined => {
      const { points } = portfolioOf(alike, 'twins', tasksOf(alike, { rounding: 'double' }), (task) => {
        const { algorithm, steps } = withBlock(task);
        const elsewhere = steps.filter((s) => s.primitive !== 'place');
        const place = { primitive: 'place', what: 'code', where } as const;
        const made = { algorithm, steps: [...elsewhere, place] };
        return [{ offer: { schedule: made, words: 'block' }, trial: { cycles: 1, sizes: sizes(200, functions) } }];
      });
      return points[0];
    };
    const [apart, together] = [found({}), found({ '.text.block': 120 })];
    expect((apart?.flashBytes ?? 0) - (together?.flashBytes ?? 0)).toBe(120);
    expect((apart?.placedBytes ?? 0) - (together?.placedBytes ?? 0)).toBe(where === 'ram' ? 120 : 0);
  },
);

test('a layer that was never measured is the last resort, and has no cycles', () => {
  const { points, estimate } = portfolio((task) => {
    const { trial: _, ...unmeasured } = plain(task);
    return [unmeasured];
  });
  expect(points.length).toBe(1);
  expect(points.map((p) => estimate(p).cycles)).toEqual([undefined]);
});

/** Points of three sizes, at which the arena is planned as it is bounded. */
const three: Portfolio = {
  points: (
    [
      [100, 900, 50],
      [150, 500, 60],
      [400, 300, 20],
    ] as const
  ).map(
    ([cycles, flashBytes, arenaBytes]): Point => ({
      cycles,
      flashBytes,
      arenaBytes,
      placedBytes: 0,
      stackBytes: 8,
      picks: [],
    }),
  ),
  estimate: ({ cycles, flashBytes, arenaBytes }) => ({
    selected: [],
    cycles,
    flashBytes,
    arenaBytes,
    arenaLowerBound: arenaBytes,
    ramBytes: arenaBytes + 8,
  }),
};

test('the table: each row is the fastest within the other budget, corrected by what was built', () => {
  const rows = (ramBytes: number, flashBytes: number) => {
    const built = { ramBytes: 60, flashBytes: 910 };
    const { flash, ram, smallestArena } = tradesOf(three, { ramBytes, flashBytes }, built, three.points[0]);
    return {
      flash: flash.map((t) => [t.cycles, t.flashBytes]),
      ram: ram.map((t) => [t.cycles, t.ramBytes]),
      smallestArena,
    };
  };
  expect(rows(1000, 1000)).toEqual({
    flash: [
      [100, 910],
      [150, 510],
      [400, 310],
    ],
    ram: [
      [100, 60],
      [400, 30],
    ],
    smallestArena: { arenaBytes: 20, arenaLowerBound: 20 },
  });
  expect(rows(60, 600)).toMatchObject({
    flash: [
      [100, 910],
      [400, 310],
    ],
    ram: [
      [150, 70],
      [400, 30],
    ],
  });
});

test('the table: counts of another board only say how much slower a network is', () => {
  const [task] = tasks;
  if (task === undefined) throw new Error('no task');
  const guessed: Portfolio = {
    ...three,
    estimate: (p) => ({ ...three.estimate(p), selected: select([task], () => [plain(task).offer]) }),
  };
  const budgets = { ramBytes: 1000, flashBytes: 1000 };
  const built = { ramBytes: 58, flashBytes: 900 };
  const { flash } = tradesOf(guessed, budgets, built, guessed.points[0]);
  expect(flash.map((t) => [t.cycles, t.relative])).toEqual([
    [null, 1],
    [null, 1.5],
    [null, 4],
  ]);
  expect(tradesOf(three, budgets, built, three.points[0]).flash.map((t) => [t.cycles, t.relative])).toEqual([
    [100, 1],
    [150, 1.5],
    [400, 4],
  ]);
});

test('the table: where estimates were too large by a half, a small network still takes something', () => {
  const built = { ramBytes: 58, flashBytes: 450 };
  const { flash } = tradesOf(three, { ramBytes: 1000, flashBytes: 1000 }, built, three.points[0]);
  expect(flash.map((t) => t.flashBytes)).toEqual([450, 250, 150]);
});

test('the table begins with a network that the portfolio does not know, and goes on with what takes less', () => {
  const budgets = { ramBytes: 1000, flashBytes: 1000 };
  const built = { ramBytes: 64, flashBytes: 800, arenaBytes: 55, cycles: 80, counted: 'here' } as const;
  const rows = (more: Partial<Outside>) => {
    const { flash, ram } = tradesOf(three, budgets, { ...built, ...more }, undefined);
    return [flash, ram].map((t) => t.map((r) => [r.cycles, r.relative, r.ramBytes, r.flashBytes]));
  };
  const own = [80, 1, 64, 800];
  const [second, last] = [
    [150, 1.875, 68, 500],
    [400, 5, 28, 300],
  ];
  expect(rows({})).toEqual([
    [own, second, last],
    [own, [100, 1.25, 58, 900], last],
  ]);
  // Nothing takes less than one that is as small: it stands alone.
  expect(rows({ ramBytes: 20, flashBytes: 200 })).toEqual([[[80, 1, 20, 200]], [[80, 1, 20, 200]]]);
  expect(rows({ counted: 'elsewhere' })[0]?.[0]).toEqual([null, 1, 64, 800]);
  expect(rows({ cycles: undefined })[0]?.map((r) => r[1])).toEqual([null, 1.5, 4]);
});

test('the smallest arena is that of a plan, whatever others promise', () => {
  const drifting: Portfolio = {
    points: three.points,
    estimate: (p) => ({ ...three.estimate(p), arenaBytes: p.arenaBytes === 20 ? 90 : p.arenaBytes }),
  };
  const memory = { ramBytes: 1000, flashBytes: 1000 };
  const { smallestArena } = tradesOf(drifting, memory, { ramBytes: 58, flashBytes: 900 }, three.points[0]);
  expect(smallestArena).toEqual({ arenaBytes: 50, arenaLowerBound: 50 });
});
