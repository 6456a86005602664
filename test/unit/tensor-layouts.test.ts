/** The choice of layouts for a whole network, against all choices there are; and what its layers may be asked for. */
import { expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { agreeing, type LayerWays, plainTensors } from '../../compiler/plan/tensor-layouts.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { type Candidate, candidateMaker } from '../../tuner/candidates.ts';
import { inLayouts, layoutsIn } from '../../tuner/layouts.ts';
import { seeded } from '../../tuner/random.ts';
import { spaceOf } from '../../tuner/space.ts';
import { TaskState } from '../../tuner/task-state.ts';
import type { TuneRequest } from '../../tuner/tune.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { samples } from '../samples.ts';
import { Draft } from './graphs.ts';
import { Random } from './random.ts';

const keys = ['plain', 'wide', 'planes'];

/** Layers that take one or two earlier tensors, or the network's input, and leave a new one. */
function drawn(r: Random): { readonly layers: readonly LayerWays[]; readonly plain: ReadonlySet<number> } {
  const count = r.int(1, 5);
  const layers = Array.from({ length: count }, (_, i): LayerWays => {
    const inputs = Array.from({ length: r.int(1, 2) }, () => r.int(0, i));
    const tensors = [...inputs, i + 1];
    const way = (all: (n: number) => string) => ({ cycles: r.int(0, 20), keys: tensors.map((_t, n) => all(n)) });
    return {
      tensors,
      ways: [way(() => 'plain'), ...Array.from({ length: r.int(0, 3) }, () => way(() => r.pick(keys)))],
    };
  });
  return { layers, plain: new Set([0, count]) };
}

/** The least sum over all combinations that agree. */
function least(layers: readonly LayerWays[], plain: ReadonlySet<number>): number {
  const go = (i: number, known: ReadonlyMap<number, string>): number => {
    const layer = layers[i];
    if (layer === undefined) return 0;
    const sums = layer.ways.map(({ cycles, keys: mine }) => {
      const all = new Map(known);
      for (const [n, t] of layer.tensors.entries()) {
        const key = mine[n] ?? '';
        if ((all.get(t) ?? (plain.has(t) ? 'plain' : key)) !== key) return Number.POSITIVE_INFINITY;
        all.set(t, key);
      }
      return cycles + go(i + 1, all);
    });
    return Math.min(...sums);
  };
  return go(0, new Map());
}

test('the choice agrees and is the cheapest of all', () => {
  let mixed = 0;
  for (let seed = 1; seed <= samples(300, 20_000); seed++) {
    const { layers, plain } = drawn(new Random(seed));
    const picks = agreeing(layers, plain) ?? [];
    const chosen = layers.map(({ tensors, ways }, i) => ({
      tensors,
      ways: [ways[picks[i] ?? -1]].flatMap((w) => w ?? []),
    }));
    const sum = least(chosen, plain);
    expect([seed, sum]).toEqual([seed, least(layers, plain)]);
    expect(Number.isFinite(sum)).toBe(true);
    if (picks.some((p) => p > 0)) mixed++;
  }
  expect(mixed).toBeGreaterThan(samples(50, 5000));
});

test('ways that cannot agree have no choice', () => {
  const layers = [
    { tensors: [0, 1], ways: [{ cycles: 1, keys: ['plain', 'wide'] }] },
    { tensors: [1, 2], ways: [{ cycles: 1, keys: ['plain', 'plain'] }] },
  ];
  expect(agreeing(layers, new Set([0, 2]))).toBeUndefined();
});

const quant = (scale: number, zero = -3) => ({ scale: [scale], zeroPoint: [zero], axis: 0 });
/** Pointwise, depthwise, pointwise; `twice`: the depthwise layer's output is read by a second layer, which takes bytes. */
function separable(twice: 'once' | 'twice') {
  const d = new Draft(new Random(2), 'tflite');
  const conv = (x: number): number => {
    const w = d.constant('int8', [8, 1, 1, 8], [-127, 127], quant(0.01, 0));
    const attrs = { stride: [1, 1], dilation: [1, 1], pad: [0, 0, 0, 0], activation: 'relu' };
    return d.node('conv2d', attrs, [x, w, -1], { dtype: 'int8', quant: quant(0.05) });
  };
  const x = d.input('int8', [1, 8, 8, 8], quant(0.05));
  const w = d.constant('int8', [1, 3, 3, 8], [-127, 127], quant(0.01, 0));
  const attrs = { stride: [1, 1], dilation: [1, 1], pad: [1, 1, 1, 1], multiplier: 1, activation: 'relu' };
  const y = d.node('depthwise_conv2d', attrs, [conv(x), w, -1], { dtype: 'int8', quant: quant(0.05) });
  const outs = [
    conv(y),
    ...(twice === 'twice' ? [d.node('relu', {}, [y], { dtype: 'int8', quant: quant(0.05) })] : []),
  ];
  return d.finish('separable', outs);
}

test('layers are asked for layouts that all who use a tensor know, and for none at the ends of a network', () => {
  const features = ['dsp', 'fpu'];
  const asked = (twice: 'once' | 'twice') => {
    const graph = separable(twice);
    const tasks = tasksOf(graph, { rounding: 'double' });
    const layouts = layoutsIn(graph, tasks, templates, features);
    return tasks.map((t) => [t.workload.op, t.occurrences.length, layouts.get(t.id)]);
  };
  expect(asked('once')).toEqual([
    ['conv2d', 2, { x: ['wide'], y: ['planes1'] }],
    ['depthwise_conv2d', 1, { x: ['planes1'], y: ['wide'] }],
  ]);
  expect(asked('twice')).toEqual([
    ['conv2d', 2, { x: [], y: ['planes1'] }],
    ['depthwise_conv2d', 1, { x: ['planes1'], y: [] }],
    ['relu', 1, { x: [], y: [] }],
  ]);
  expect(plainTensors(separable('once')).size).toBe(2);
  const graph = separable('once');
  const alone = tasksOf(graph, { rounding: 'double' }).slice(1);
  expect([...layoutsIn(graph, alone, templates, features).values()]).toEqual([{ x: [], y: [] }]);
});

test('a setting comes in all layouts but the one it has', () => {
  const graph = separable('once');
  const [, task] = tasksOf(graph, { rounding: 'double' });
  if (task === undefined) throw new Error('no task');
  const { openings } = spaceOf(task.workload, ['dsp', 'fpu'], { templates, defaultSchedule });
  const setting = openings.find((c) => c.template === 'depthwise');
  if (setting === undefined) throw new Error('no setting');
  const layouts = inLayouts(setting, task, templates, { x: ['planes1'], y: ['wide'] });
  expect(layouts.map((c) => ('knobs' in c ? [c.knobs.x, c.knobs.y] : []))).toEqual([
    [undefined, 'wide'],
    ['planes1', undefined],
    ['planes1', 'wide'],
  ]);
  expect(inLayouts(setting, task, templates, { x: ['planes0'], y: [] })).toEqual([]);
});

test("what is best is tried in other layouts, once; no policy hears of it, and it is nobody's best", async () => {
  const graph = separable('once');
  const [, task] = tasksOf(graph, { rounding: 'double' });
  if (task === undefined) throw new Error('no task');
  const told: Candidate[] = [];
  const request = {
    graph,
    board: boardOf('mps2-an386'),
    templates: { templates, defaultSchedule },
    policy: { make: () => ({ ask: async () => [], tell: (c: Candidate) => void told.push(c) }) },
  } as unknown as TuneRequest;
  const state = new TaskState(task, request, seeded(1), undefined, () => undefined, {
    x: ['planes1'],
    y: ['wide'],
  });
  expect(state.layoutTrials).toBe(3);
  await state.readyLayouts();
  expect(state.laid).toEqual([]);
  const space = spaceOf(task.workload, ['dsp', 'fpu'], request.templates);
  const propose = candidateMaker(task, space, { board: request.board, scratchBytes: 2 ** 20 });
  const made = space.openings.map(propose).find((p) => p.ok && p.candidate.config.template === 'depthwise');
  if (!made?.ok) throw new Error('no candidate');
  state.took(made.candidate, 'a', measured(1000), 'measured');
  await state.readyLayouts();
  const { laid } = state;
  expect(laid.map(({ config }) => ('knobs' in config ? [config.knobs.x, config.knobs.y] : []))).toHaveLength(3);
  for (const candidate of laid) state.took(candidate, 'b', measured(10), 'measured');
  expect(told).toEqual([made.candidate]);
  expect(state.progress()).toMatchObject({ trials: 4, best: 1000 });
  await state.readyLayouts();
  expect(state.laid).toEqual([]);
});
const measured = (cycles: number): MeasureResult => ({
  status: 'ok',
  kind: 'instructions',
  cycles,
  repeats: [cycles],
  sizes: { codeBytes: 0, constBytes: 0, scratchBytes: 0, stackBytes: 0 },
  binary: `${cycles}`,
  device: '',
  times: {},
  bytes: { code: 0, constants: 0, rest: 0 },
});
