/** The parts of the tuner that need no compiler: generator, space, policies, task scheduler, cost model. */
import { expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import type { Workload } from '../../compiler/workload.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { type Candidate, type Proposed, withoutHopeless } from '../../tuner/candidates.ts';
import { type CostModel, startTrainer } from '../../tuner/cost-models/index.ts';
import type { StaticCycles } from '../../tuner/cost-models/static-cycles.ts';
import { type Forest, predict, type Sample, train } from '../../tuner/cost-models/trees.ts';
import { Exchange, type Listener } from '../../tuner/exchange.ts';
import { type PolicyContext, policies } from '../../tuner/policies/index.ts';
import { seeded } from '../../tuner/random.ts';
import { configKey, spaceOf } from '../../tuner/space.ts';
import { expectedGain, nextTask, type Progress } from '../../tuner/task-scheduler.ts';
import { TaskState } from '../../tuner/task-state.ts';
import type { Known, TuneRequest } from '../../tuner/tune.ts';
import type { Config, MeasureResult } from '../../tuner/types.ts';
import { samples } from '../samples.ts';
import { randomNode } from './graphs.ts';
import { Random } from './random.ts';

const pointwise: Workload = {
  op: 'conv2d',
  attrs: {
    kernel: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    pad: [0, 0, 0, 0],
    xZero: -128,
    yZero: -128,
    min: -128,
    max: 127,
    rounding: 'double',
  },
  inputs: [{ dtype: 'int8', shape: [1, 5, 5, 16] }],
  outputs: [{ dtype: 'int8', shape: [1, 5, 5, 16] }],
};
const source = { templates, defaultSchedule };
const space = spaceOf(pointwise, ['dsp', 'fpu'], source);

const ok = (cycles: number): MeasureResult => ({
  status: 'ok',
  kind: 'instructions',
  cycles,
  repeats: [cycles],
  sizes: { codeBytes: 0, constBytes: 0, scratchBytes: 0, stackBytes: 0 },
  binary: `b${cycles}`,
  device: '',
  times: {},
  bytes: { code: 0, constants: 0, rest: 0 },
});

test('a space counts its points, and each is another config', () => {
  expect(space.size).toBeGreaterThan(1000);
  const random = seeded(3);
  const some = Array.from({ length: 300 }, () => random.below(space.size));
  expect(new Set(some.map((i) => configKey(space.at(i)))).size).toBe(new Set(some).size);
  expect(() => space.at(space.size)).toThrow(RangeError);
});

test('mutations and crossings stay in the space', () => {
  const random = seeded(4);
  const legal = (c: Config): boolean =>
    'knobs' in c &&
    space.parts.some(
      (p) => p.template.name === c.template && p.knobs.every((k) => k.values.includes(c.knobs[k.name] ?? '')),
    );
  let [a, b] = [space.sample(random), space.sample(random)];
  for (let i = 0; i < samples(300, 5000); i++) {
    const next = i % 2 === 0 ? space.mutate(a, random) : space.cross(a, b, random);
    expect(legal(next)).toBe(true);
    [a, b] = [b, next];
  }
});

test('neighbours differ in one knob, and are all that do', () => {
  for (const [i, opening] of space.openings.entries()) {
    const near = space.neighbours(opening);
    const values = space.parts[i]?.knobs.map((k) => k.values.length - 1) ?? [];
    expect(new Set(near.map(configKey)).size).toBe(values.reduce((n, v) => n + v, 0));
    for (const c of near) {
      const changed =
        'knobs' in c && 'knobs' in opening ? Object.keys(c.knobs).filter((k) => c.knobs[k] !== opening.knobs[k]) : [];
      expect(changed.length).toBe(1);
    }
  }
  expect(space.neighbours(space.fallback)).toEqual([]);
});

test('mutations reach other templates', () => {
  const random = seeded(6);
  const [opening] = space.openings;
  const reached = Array.from({ length: 400 }, () => space.mutate(opening as Config, random).template);
  expect(new Set(reached).size).toBe(space.parts.length);
});

test('equal seeds draw equal configs, forks differ', () => {
  const draw = (seed: number, name: string): string => configKey(space.sample(seeded(seed).fork(name)));
  expect(draw(1, 'a')).toBe(draw(1, 'a'));
  expect(new Set([draw(1, 'a'), draw(1, 'b'), draw(2, 'a'), draw(2, 'b')]).size).toBeGreaterThan(1);
});

/** A landscape without a compiler: every config is legal; features and cost follow from its knobs. */
const landscape = (c: Config): { readonly features: Float64Array; readonly cost: number } => {
  const features = Float64Array.from(space.parts, (p) =>
    'knobs' in c && c.template === p.template.name
      ? p.knobs.reduce(
          (n, k) => n + k.values.indexOf(c.knobs[k.name] ?? '') / k.values.length,
          1 / (2 + space.parts.indexOf(p)),
        )
      : 0,
  );
  return { features, cost: 1000 + features.reduce((n, x) => n + x * x * 500, 0) };
};
/** Nothing is known of a candidate beforehand. */
const unknown: StaticCycles = { estimate: 1, bound: 0 };
const propose = (config: Config): Proposed => ({
  ok: true,
  candidate: { config, features: landscape(config).features, cycles: unknown } as Candidate,
});
const inProcess = (): CostModel => {
  let forest: Forest = { trees: [], rate: 1 };
  return {
    fit: async (s) => {
      forest = train(s);
    },
    rank: (x) => predict(forest, x),
  };
};

async function search(name: string, seed: number, trials: number): Promise<{ best: number; asked: string[] }> {
  const named = policies[name];
  if (named === undefined) throw new Error(name);
  const policy = named.make({
    space,
    random: seeded(seed),
    propose,
    costModel: named.model === 'with' ? inProcess() : undefined,
  });
  const asked: string[] = [];
  let best = Number.POSITIVE_INFINITY;
  while (asked.length < trials) {
    for (const c of await policy.ask(8)) {
      asked.push(configKey(c.config));
      const { cost } = landscape(c.config);
      best = Math.min(best, cost);
      policy.tell(c, ok(cost));
    }
  }
  return { best, asked };
}

for (const name of Object.keys(policies)) {
  test(`${name} asks for nothing twice, and the same for the same seed`, async () => {
    const { asked } = await search(name, 1, 96);
    expect(new Set(asked).size).toBe(asked.length);
    expect((await search(name, 1, 96)).asked).toEqual(asked);
  });

  test(`${name} does not ask for what it was told before, and knows when a space is used up`, async () => {
    const small = spaceOf(
      { ...pointwise, op: 'relu', inputs: [pointwise.outputs[0]!], outputs: pointwise.outputs },
      [],
      source,
    );
    const named = policies[name]!;
    const policy = named.make({ space: small, random: seeded(1), propose, costModel: undefined });
    const told = small.at(0);
    policy.tell({ config: told, features: new Float64Array(1), cycles: unknown } as Candidate, ok(9));
    const asked = new Set<string>();
    for (;;) {
      const some = await policy.ask(8);
      if (some.length === 0) break;
      for (const c of some) {
        asked.add(configKey(c.config));
        policy.tell(c, ok(5));
      }
    }
    expect(asked.has(configKey(told))).toBe(false);
    expect(asked.size).toBe(small.size - 1);
  });
}

test('of a long search the fastest and the latest are learned from, and nothing is asked for twice', async () => {
  const learned: Sample[][] = [];
  const costModel: CostModel = { fit: async (s) => void learned.push([...s]), rank: () => 0 };
  const policy = policies.guided!.make({ space, random: seeded(1), propose, costModel });
  const many = Math.min(space.size - 100, 2000);
  const seen = new Set<string>();
  for (let i = 0; i < many; i++) {
    const config = space.at(i);
    seen.add(configKey(config));
    // The fastest come first.
    policy.tell({ config, features: Float64Array.of(i), cycles: unknown }, ok(1000 + i));
  }
  const asked = await policy.ask(8);
  expect(asked.filter((c) => seen.has(configKey(c.config)))).toEqual([]);
  const [told = []] = learned;
  expect(told.length).toBeLessThan(1300);
  const numbers = new Set(told.map((s) => s.features[0]));
  for (let i = 0; i < 256; i++) expect([numbers.has(i), numbers.has(many - 1 - i)]).toEqual([true, true]);
  // What is told after that is learned from as well.
  for (const c of asked) policy.tell(c, ok(5));
  await policy.ask(8);
  expect(learned[1]?.filter((s) => s.cost < 3).length).toBe(asked.length);
});

test('what others taught ranks the first candidates, before anything is measured; without it static estimates do', async () => {
  const first = async (opinion: PolicyContext['opinion']): Promise<number> => {
    const policy = policies.guided?.make({ space, random: seeded(3), propose, costModel: inProcess(), opinion });
    const costs = (await policy?.ask(8))?.map((c) => landscape(c.config).cost) ?? [];
    return costs.reduce((n, c) => n + c, 0) / costs.length;
  };
  const right = await first(({ config }) => Math.log2(landscape(config).cost));
  const wrong = await first(({ config }) => -Math.log2(landscape(config).cost));
  const nothing = await first(undefined);
  expect(right).toBeLessThan(nothing);
  expect(nothing).toBeLessThan(wrong);
});

test('guidance finds better points than chance, in the median of seeds', async () => {
  const median = async (name: string): Promise<number> => {
    const bests: number[] = [];
    for (let seed = 1; seed <= 5; seed++) bests.push((await search(name, seed, 160)).best);
    return bests.sort((a, b) => a - b)[2] ?? Number.NaN;
  };
  expect(await median('guided')).toBeLessThan(await median('random'));
});

/** A policy that sees the landscape, where `bound` says what each point costs at least. */
async function pruned(name: string, bound: (cost: number) => number): Promise<{ best: number; refused: number[] }> {
  let best = Number.POSITIVE_INFINITY;
  const refused: number[] = [];
  const bounded = (config: Config): Proposed => {
    const { features, cost } = landscape(config);
    return { ok: true, candidate: { config, features, cycles: { estimate: cost, bound: bound(cost) } } as Candidate };
  };
  const hopeful = withoutHopeless(bounded, () => best);
  const named = policies[name]!;
  const policy = named.make({
    space,
    random: seeded(2),
    propose: (config) => {
      const made = hopeful(config);
      if (!made.ok) refused.push(landscape(config).cost);
      return made;
    },
    costModel: named.model === 'with' ? inProcess() : undefined,
  });
  for (let i = 0; i < 12; i++) {
    for (const c of await policy.ask(8)) {
      const { cost } = landscape(c.config);
      policy.tell(c, ok(cost));
      best = Math.min(best, cost);
    }
  }
  return { best, refused };
}
for (const name of ['guided', 'evolutionary', 'random']) {
  test(`${name}: what is bound to be slower is refused, what may be the best never is`, async () => {
    const { best, refused } = await pruned(name, (cost) => 0.9 * cost);
    expect(refused.length).toBeGreaterThan(0);
    for (const cost of refused) expect(cost).toBeGreaterThan(best);
    expect((await pruned(name, () => 0)).refused).toEqual([]);
  });
}

test('an estimate that is right leads to the best at once', async () => {
  const cheapest = Math.min(...Array.from({ length: 4000 }, (_, i) => landscape(space.at(i)).cost));
  const { best } = await pruned('guided', () => 0);
  expect(best).toBeLessThan(1.05 * cheapest);
});

test('trees learn what a prior leaves open', () => {
  const list = synthetic(120, 3);
  // It knows the first feature, not the threshold.
  const known = list.map((s) => ({ ...s, prior: -2 * (s.features[0] as number) }));
  const forest = train(known);
  const probe = synthetic(80, 4);
  const scored = probe.map((s) => predict(forest, s.features) - 2 * (s.features[0] as number));
  const right = (score: (i: number) => number): number => {
    let n = 0;
    for (let i = 0; i < probe.length; i++)
      for (let j = 0; j < i; j++)
        if ((probe[i] as Sample).cost < (probe[j] as Sample).cost === score(i) > score(j)) n++;
    return n / ((probe.length * (probe.length - 1)) / 2);
  };
  const prior = right((i) => -2 * (probe[i]?.features[0] as number));
  expect(right((i) => scored[i] as number)).toBeGreaterThan(Math.max(0.93, prior));
});

const progress = (p: Partial<Progress>): Progress => ({ weight: 1, exhausted: false, history: [], pending: 0, ...p });

test('the scheduler warms every task up, then serves where the network gains most, and passes over exhausted ones', () => {
  const flat = Array.from({ length: 40 }, () => 1000);
  const falling = Array.from({ length: 40 }, (_, i) => 100_000 - 1000 * i);
  expect(nextTask([progress({ history: falling }), progress({ history: [] })])).toBe(1);
  expect(nextTask([progress({ history: flat }), progress({ history: falling })])).toBe(1);
  expect(nextTask([progress({ history: flat }), progress({ history: falling, exhausted: true })])).toBe(0);
  expect(nextTask([progress({ exhausted: true })])).toBeUndefined();
  const often = expectedGain(progress({ history: falling, weight: 4 }));
  expect(often).toBeCloseTo(4 * expectedGain(progress({ history: falling })));
  expect(expectedGain(progress({ history: flat.map(() => Number.POSITIVE_INFINITY) }))).toBe(0);
});

/** Cost depends on two of six features, one of them through a threshold. */
function synthetic(n: number, seed: number): readonly Sample[] {
  const random = seeded(seed);
  return Array.from({ length: n }, () => {
    const features = Float64Array.from({ length: 6 }, () => random.next());
    const [a = 0, b = 0] = features;
    return { features, cost: 10 + 2 * a + (b > 0.5 ? 1 : 0) };
  });
}
/** Share of pairs that the forest orders as their costs do. */
function agreement(f: Forest, list: readonly Sample[]): number {
  let [right, all] = [0, 0];
  for (const [i, a] of list.entries()) {
    for (const b of list.slice(i + 1)) {
      all++;
      if (a.cost < b.cost === predict(f, a.features) > predict(f, b.features)) right++;
    }
  }
  return right / all;
}

test('trees learn an order from samples and keep it on unseen ones', () => {
  expect(agreement(train(synthetic(200, 1)), synthetic(100, 2))).toBeGreaterThan(0.93);
  expect(agreement({ trees: [], rate: 1 }, synthetic(100, 2))).toBeLessThan(0.6);
  expect(train(synthetic(1, 1)).trees).toEqual([]);
});

test('training is the same in a worker thread, and a trainer serves several models', async () => {
  const trainer = startTrainer();
  try {
    const [a, b] = [trainer.model(), trainer.model()];
    expect(a.rank(new Float64Array(6))).toBe(b.rank(new Float64Array(6)));
    await Promise.all([a.fit(synthetic(60, 1)), b.fit(synthetic(60, 9))]);
    const probe = synthetic(20, 5);
    expect(probe.map((s) => a.rank(s.features))).toEqual(
      probe.map((s) => predict(train(synthetic(60, 1)), s.features)),
    );
    expect(probe.map((s) => a.rank(s.features))).not.toEqual(probe.map((s) => b.rank(s.features)));
  } finally {
    await trainer.close();
  }
});

test('measurements of an earlier microtune count by their schedules: of a template that changed, of another default', async () => {
  const graph = randomNode('conv2d', new Random(5));
  const [task] = tasksOf(graph, { rounding: 'double' });
  if (task === undefined) throw new Error('no task');
  const told: Config[] = [];
  const request = {
    graph,
    board: boardOf('mps2-an386'),
    templates: source,
    policy: { make: () => ({ ask: async () => [], tell: (c: Candidate) => void told.push(c.config) }) },
  } as unknown as TuneRequest;
  const state = new TaskState(task, request, seeded(1), undefined);
  const schedule = { algorithm: 'direct', steps: [] };
  const known: readonly Known[] = [
    { template: 'conv', version: 99, knobs: { tile: 3 } },
    { template: 'default', version: 1, schedule: { algorithm: 'direct', steps: [{ primitive: 'flags', flags: [] }] } },
  ].map((config, i) => ({ id: `${i}`, config, schedule, binary: `${i}`, result: ok(70 - i) }) as Known);
  await state.takeKnown(known, new AbortController().signal);
  // Equal schedules are one measurement; the default of today is still to be measured.
  expect(told).toEqual([{ template: 'literal', version: 1, schedule }]);
  expect(state.progress()).toMatchObject({ best: 70, default: null });
  expect(state.ready.length).toBe(1);
});

test('of a long log a search takes in the best at once, and the rest before it goes on with the task', async () => {
  const graph = randomNode('conv2d', new Random(5));
  const [task] = tasksOf(graph, { rounding: 'double' });
  const board = boardOf('mps2-an386');
  if (task === undefined || board === undefined) throw new Error('no task');
  const told = new Set<string>();
  const request = {
    graph,
    board,
    templates: source,
    policy: { make: () => ({ ask: async () => [], tell: (c: Candidate) => void told.add(configKey(c.config)) }) },
  } as unknown as TuneRequest;
  const state = new TaskState(task, request, seeded(1), undefined);
  const whole = spaceOf(task.workload, board.target.features, source);
  const random = seeded(2);
  const known = Array.from({ length: 60 }, (_, i): Known => {
    const config = whole.sample(random);
    return { id: `${i}`, config, schedule: { algorithm: 'direct', steps: [] }, binary: `${i}`, result: ok(1000 - i) };
  });
  const { signal } = new AbortController();
  state.begin(known);
  await state.takeWhatMatters(signal);
  const { best } = state;
  expect([told.size, Number.isFinite(best)]).toEqual([1, true]);
  await state.takeWhatMatters(signal);
  expect([await state.takeRest(signal), await state.takeRest(signal)]).toEqual([true, false]);
  // Nothing of the rest was better, and all that is legal is known now.
  expect(state.best).toBe(best);
  expect(told.size).toBeGreaterThan(5);
  expect(state.binaries.size).toBe(known.length);
});

test('searches on one task: one has it, the others hear, and what is withdrawn is withdrawn everywhere', async () => {
  const graph = randomNode('conv2d', new Random(5));
  const [task] = tasksOf(graph, { rounding: 'double' });
  if (task === undefined) throw new Error('no task');
  const exchange = new Exchange();
  const { signal } = new AbortController();
  let stirred = 0;
  const stateOf = (seed: number): TaskState => {
    const request = {
      graph,
      board: boardOf('mps2-an386'),
      templates: source,
      policy: policies.random,
      join: (t: Task, listener: Listener) => exchange.join(t.id, listener),
    } as unknown as TuneRequest;
    return new TaskState(task, request, seeded(seed), undefined, () => stirred++);
  };
  const [one, other] = [stateOf(1), stateOf(2)];
  one.take();
  expect([one.available, other.available, other.elsewhere]).toEqual([true, false, true]);
  expect(() => other.take()).toThrow(/another search/);
  await one.ask(1);
  const [first, second] = one.ready.splice(0);
  if (first === undefined || second === undefined) throw new Error('nothing to try');
  const [slow, fast] = [ok(70), ok(50)];
  one.took(first, 't1', slow, 'measured');
  one.took(second, 't2', fast, 'measured');
  await other.takeWhatMatters(signal);
  // Its own default need not be tried any more, and nothing of it counts as its own.
  expect(other.progress()).toMatchObject({ default: 70, best: 50, trials: 0 });
  expect(other.ready).toEqual([]);
  one.forget(second, 't2', fast);
  expect(other.progress()).toMatchObject({ default: 70, best: 70 });
  expect(other.ready.map((c) => configKey(c.config))).toEqual([configKey(second.config)]);
  // Measured again by whoever has it, it need not be tried by the other.
  one.took(second, 't3', ok(60), 'measured');
  await other.takeWhatMatters(signal);
  expect(other.progress()).toMatchObject({ best: 60 });
  expect(other.ready).toEqual([]);
  const before = stirred;
  one.leave();
  expect([other.available, stirred]).toEqual([true, before + 1]);
  other.take();
});

test('what is withdrawn while a policy is asked is tried again all the same', async () => {
  const graph = randomNode('conv2d', new Random(5));
  const [task] = tasksOf(graph, { rounding: 'double' });
  if (task === undefined) throw new Error('no task');
  const asked = Promise.withResolvers<readonly Candidate[]>();
  const request = {
    graph,
    board: boardOf('mps2-an386'),
    templates: source,
    policy: { make: () => ({ ask: () => asked.promise, tell: () => undefined }) },
  } as unknown as TuneRequest;
  const state = new TaskState(task, request, seeded(1), undefined);
  const first = state.ready.shift();
  if (first === undefined) throw new Error('no default schedule');
  const result = ok(7);
  state.took(first, 't1', result, 'measured');
  const asking = state.ask(1);
  state.forget(first, 't1', result);
  const other = { ...first };
  asked.resolve([other]);
  await asking;
  expect(state.ready).toEqual([first, other]);
  expect(state.progress()).toMatchObject({ trials: 0, best: null, default: null });
});
