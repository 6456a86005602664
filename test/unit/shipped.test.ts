/** Records that ship, and what becomes of them on other boards, with other compilers, and for layers that are not among them. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { nucleoL4r5zi } from '../../boards/nucleo-l4r5zi/index.ts';
import { schedule } from '../../compiler/lower.ts';
import { select } from '../../compiler/select.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { workloadKey } from '../../compiler/workload.ts';
import type { TuningRecord } from '../../db/types.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { selectKnown, toolchainOf } from '../../server/offers.ts';
import {
  DamagedFile,
  parseShipped,
  printShipped,
  type ShippedFile,
  type ShippedRecord,
  shippedDir,
} from '../../server/shipped/file.ts';
import { distance, nearest } from '../../server/shipped/nearest.ts';
import { recordsFrom, shippedFor, shippedRecords, withShipped } from '../../server/shipped/records.ts';
import { featureNames } from '../../tuner/cost-models/features.ts';
import { parseRanker, printRanker, rankerOf, trainRanker } from '../../tuner/cost-models/shipped.ts';
import { spaceOf } from '../../tuner/space.ts';
import { samples } from '../samples.ts';
import { Draft, randomNode } from './graphs.ts';
import { Random } from './random.ts';

const board = nucleoL4r5zi;
const { features } = board.target;
const toolchain = toolchainOf(board, 'gcc 1');
const on = { board: board.id, kind: board.kind, toolchain: toolchain.version, flags: toolchain.flags };
const sizes = { codeBytes: 100, constBytes: 200, scratchBytes: 0, stackBytes: 8 };

/** A pointwise layer, whose zero points and sizes a test chooses. */
function pointwise(side: number, channels: number, zero = -128): Task {
  const d = new Draft(new Random(3), 'tflite');
  const quant = (scale: number, at: number) => ({ scale: [scale], zeroPoint: [at], axis: 0 });
  const x = d.input('int8', [1, side, side, channels], quant(0.02, zero));
  const scale = Array.from({ length: channels }, () => 0.01);
  const zeroPoint = scale.map(() => 0);
  const w = d.constant('int8', [channels, 1, 1, channels], [-80, 80], { scale, zeroPoint, axis: 0 });
  const bias = d.constant('int32', [channels], [-900, 900], { scale: scale.map((s) => s * 0.02), zeroPoint, axis: 0 });
  const attrs = { stride: [1, 1], dilation: [1, 1], pad: [0, 0, 0, 0], activation: 'relu' };
  const y = d.node('conv2d', attrs, [x, w, bias], { dtype: 'int8', quant: quant(0.05, -128) });
  const [task] = tasksOf(d.finish('pointwise', [y]), { rounding: 'double' });
  if (task === undefined) throw new Error('no task');
  return task;
}

/** What a search might have found: the first legal settings of each template, in an order of cycles that the test chooses. */
function found(task: Task, cycles: number, names: readonly string[] = ['net']): readonly ShippedRecord[] {
  const space = spaceOf(task.workload, features, { templates, defaultSchedule });
  const all = [...space.openings, space.fallback].flatMap((config) => {
    const made = space.scheduleOf(config);
    return made === undefined ? [] : [{ config, schedule: made }];
  });
  return all.map((one, i) => ({
    ...one,
    for: names,
    task: task.id,
    workload: task.workload,
    cycles: cycles + i,
    sizes,
  }));
}
const fileOf = (...records: (readonly ShippedRecord[])[]): ShippedFile => ({ on, records: records.flat() });

describe('files', () => {
  test('come back as they were printed, in one order, whatever the order of what is in them', () => {
    const records = [...found(pointwise(4, 8), 100), ...found(pointwise(5, 8), 50)];
    const text = printShipped({ on, records });
    expect(printShipped({ on, records: records.toReversed() })).toBe(text);
    expect(printShipped(parseShipped(text))).toBe(text);
    expect(new Set(parseShipped(text).records.map((r) => r.task)).size).toBe(2);
  });

  for (const name of readdirSync(shippedDir).filter((f) => f.endsWith('.jsonl'))) {
    const text = readFileSync(join(shippedDir, name), 'utf8');
    const file = parseShipped(text);

    test(`${name} is as it is printed, of a board that is there, and each task is its layer's`, () => {
      expect(printShipped(file)).toBe(text);
      expect(boardOf(file.on.board)?.kind).toBe(file.on.kind);
      expect(name).toBe(`${file.on.board}.jsonl`);
      for (const r of file.records) {
        expect(createHash('sha256').update(workloadKey(r.workload)).digest('hex').slice(0, 12)).toBe(r.task);
        expect(r.for.length).toBeGreaterThan(0);
        expect(r.cycles).toBeGreaterThan(0);
      }
    });

    test(`${name} has a default for each task, and something faster for most`, () => {
      const tasks = Map.groupBy(file.records, (r) => r.task);
      const faster = [...tasks.values()].filter(([first]) => first?.config.template !== 'default');
      for (const records of tasks.values()) expect(records.some((r) => r.config.template === 'default')).toBe(true);
      expect(faster.length).toBeGreaterThan(tasks.size * 0.8);
    });
  }
});

test('a damaged file is refused with its name and line, never read in part', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mt-shipped-'));
  const task = pointwise(4, 8);
  const text = printShipped(fileOf(found(task, 100)));
  const [first = '', second = ''] = text.split('\n');
  const read = (records: string, trees?: string) => {
    writeFileSync(join(dir, `${board.id}.jsonl`), records);
    if (trees !== undefined) writeFileSync(join(dir, `${board.id}.trees`), trees);
    return shippedRecords([task], board, toolchain, dir)?.best(task.id, board.id, board.kind, 64).length;
  };
  expect(read(text)).toBeGreaterThan(1);
  const file = `${board.id}.jsonl: line`;
  for (const [damaged, where] of [
    ['', `${file} 1 is damaged`],
    [second, `${file} 1 is damaged`],
    [`{}\n${second}`, `${file} 1 is damaged`],
    [`${first}\n${second.slice(0, -9)}`, `${file} 2 is damaged`],
    [`${first}\n${second}\nnull`, `${file} 3 is damaged`],
    [`${first}\n<<<<<<< HEAD\n${second}`, `${file} 2 is damaged`],
  ] as const)
    expect(() => read(damaged), damaged.slice(0, 40)).toThrow(where);
  expect(() => read(text, '{"features":["a'), 'trees').toThrow(`${board.id}.trees: `);
  expect(() => read(text, ''), 'no trees').toThrow(DamagedFile);
  rmSync(dir, { recursive: true, force: true });
});

test('a board gets its own file, else one of its CPU, else one of its instruction set', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mt-shipped-'));
  const of = (id: string): string | undefined => shippedFor(boardOf(id) ?? board, dir)?.on.board;
  const put = (id: string): void =>
    writeFileSync(join(dir, `${id}.jsonl`), printShipped({ on: { ...on, board: id }, records: [] }));
  try {
    expect(of('nucleo-l4r5zi')).toBeUndefined();
    put('nucleo-h743zi');
    expect([of('nucleo-h743zi'), of('mps2-an386'), of('nucleo-g0b1re'), of('host')]).toEqual([
      'nucleo-h743zi',
      'nucleo-h743zi',
      undefined,
      undefined,
    ]);
    put('nucleo-l4r5zi');
    expect([of('nucleo-h743zi'), of('mps2-an386'), of('nucleo-l4r5zi')]).toEqual([
      'nucleo-h743zi',
      'nucleo-l4r5zi',
      'nucleo-l4r5zi',
    ]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

describe('records of a model', () => {
  const task = pointwise(4, 8);
  const file = fileOf(found(task, 1000));
  const of = (on: ShippedFile, where: typeof board, tools = toolchainOf(where, 'gcc 1')): readonly TuningRecord[] =>
    recordsFrom(on, [task], where, tools, undefined).best(task.id, where.id, where.kind, 64);

  test('count as measured only on their board and with their compiler', () => {
    expect(of(file, board).map((r) => r.doubt)).toEqual(file.records.map(() => null));
    expect(of(file, board).map((r) => r.cycles)).toEqual(file.records.map((r) => r.cycles));
    const other = of(file, board, toolchainOf(board, 'gcc 2'));
    expect(other.length).toBe(file.records.length);
    for (const r of other) expect(r).toMatchObject({ doubt: 'measured with gcc 1', toolchain: 'gcc 2' });
    for (const r of of(file, mps2An386))
      expect(r).toMatchObject({ doubt: `measured on ${board.id}`, kind: 'instructions' });
  });

  test('that place something in RAM are not for boards that do not', () => {
    const placed = file.records.map((r) => ({
      ...r,
      schedule: {
        ...r.schedule,
        steps: [...r.schedule.steps, { primitive: 'place', what: 'code', where: 'ram' } as const],
      },
    }));
    const inRam = (r: TuningRecord): boolean => r.schedule.steps.some((s) => s.primitive === 'place');
    expect(of({ ...file, records: placed }, board).every(inRam)).toBe(true);
    expect(of({ ...file, records: placed }, mps2An386).some(inRam)).toBe(false);
  });

  test('are what a layer is offered; a count that does not stand is not told', () => {
    const offered = (tools = toolchain) =>
      selectKnown([task], board, recordsFrom(file, [task], board, tools, undefined), tools)[0]?.offer;
    expect(offered()).toMatchObject({ cycles: { count: 1000, kind: 'model' } });
    expect(offered(toolchainOf(board, 'gcc 2'))?.record).toBe(offered()?.record);
    expect(offered(toolchainOf(board, 'gcc 2'))?.cycles).toBeUndefined();
  });

  test('stand beside own ones where they were measured, behind them where they are estimated', () => {
    const own = (cycles: readonly number[]) => {
      const records = of(file, board).slice(0, cycles.length);
      const mine = records.map((r, i) => ({ ...r, id: `mine-${i}`, cycles: cycles[i] ?? 0 }));
      return { best: () => mine };
    };
    const ids = (mine: readonly number[], tools = toolchain): readonly string[] =>
      withShipped(own(mine), recordsFrom(file, [task], board, tools, undefined))
        .best(task.id, board.id, board.kind, 2)
        .map((r) => r.id);
    expect(ids([10])).toEqual(['mine-0', `shipped-${task.id}-0`]);
    expect(ids([5000])[0]).toBe(`shipped-${task.id}-0`);
    expect(ids([5000], toolchainOf(board, 'gcc 2'))).toEqual(['mine-0']);
    expect(ids([], toolchainOf(board, 'gcc 2'))[0]).toBe(`shipped-${task.id}-0`);
  });
});

describe('the nearest', () => {
  test('distance: none to itself or another zero point, the same both ways, more for more, endless to other operators', () => {
    const [a, b, c] = [pointwise(4, 8), pointwise(8, 8), pointwise(16, 8)].map((t) => t.workload);
    if (a === undefined || b === undefined || c === undefined) throw new Error('no workloads');
    expect(distance(a, pointwise(4, 8, 12).workload)).toBe(0);
    expect(distance(a, b)).toBeGreaterThan(0);
    expect(distance(a, b)).toBeCloseTo(distance(b, a), 9);
    expect(distance(a, c)).toBeGreaterThan(distance(a, b));
    const other = tasksOf(randomNode('add', new Random(1)), { rounding: 'double' })[0];
    expect(distance(a, other?.workload ?? a)).toBe(Number.POSITIVE_INFINITY);
  });

  test('a layer that differs in a zero point gets the fastest setting that is legal for it, at its cycles', () => {
    const [first, second] = [pointwise(4, 8), pointwise(4, 8, 12)];
    const records = found(first, 1000);
    const [best] = nearest(second, board, records, undefined);
    expect(best?.cycles).toBe(1000);
    expect(best?.config).toEqual(records[0]?.config);
    expect(best?.doubt).toBe('estimated after net');
  });

  test('settings of a template that has changed since are not transferred', () => {
    const old = found(pointwise(4, 8), 1000).map((r) =>
      'knobs' in r.config ? { ...r, config: { ...r.config, version: 0 } } : r,
    );
    for (const g of nearest(pointwise(4, 8, 12), board, old, undefined)) expect(g.doubt).toBe('estimated');
  });

  test('any layer: what is guessed is legal for it, in order, and the same each time', () => {
    const records = [...found(pointwise(4, 8), 1000), ...found(pointwise(8, 16), 9000)];
    for (let seed = 1; seed <= samples(12, 200); seed++) {
      const op = ['conv2d', 'depthwise_conv2d', 'fully_connected', 'add', 'average_pool2d'][seed % 5] ?? 'conv2d';
      const [task] = tasksOf(randomNode(op, new Random(seed)), { rounding: 'double' });
      if (task === undefined) throw new Error(`no task of ${op}`);
      const guesses = nearest(task, board, records, undefined);
      expect(nearest(task, board, records, undefined)).toEqual(guesses);
      const cycles = guesses.map((g) => g.cycles ?? Number.NaN);
      expect(cycles).toEqual([...cycles].sort((a, b) => a - b));
      for (const g of guesses)
        expect(
          schedule(task.workload, task.occurrences[0]?.constants ?? {}, g.schedule),
          `${op}, seed ${seed}`,
        ).toMatchObject({ ok: true });
      const selected = select([task], () => [
        ...guesses.map((g) => ({ schedule: g.schedule, words: '' })),
        { schedule: defaultSchedule(task.workload, features), words: 'default' },
      ]);
      expect(selected.length).toBe(task.occurrences.length);
    }
  });
});

describe('the cost model', () => {
  /** Layers of several sizes, whose cycles grow with what they load for each unit of work; estimates do not know that. */
  const trials = (seed: number, count: number) => {
    const r = new Random(seed);
    const [at, estimate] = [featureNames.indexOf('reads:in'), featureNames.indexOf('estimate')];
    return Array.from({ length: count }, () => {
      const work = 2 ** r.int(8, 20);
      const loads = 2 ** r.int(-2, 2);
      const features = new Float64Array(featureNames.length);
      features[at] = Math.log2(1 + work * loads);
      features[estimate] = Math.log2(1 + work);
      return { features, work, cycles: work * (0.5 + loads) };
    });
  };

  test('tells how many cycles a layer of another size takes', () => {
    const rank = rankerOf(trainRanker(trials(1, 200)));
    const others = trials(2, 50);
    const errors = others.map((t) => Math.abs(rank(t.features, t.work) - Math.log2(t.cycles / t.work)));
    expect(errors.reduce((n, e) => n + e, 0) / errors.length).toBeLessThan(0.1);
  });

  test('follows an estimate that is right where no tree has been', () => {
    const rank = rankerOf(trainRanker(trials(1, 200)));
    const estimate = featureNames.indexOf('estimate');
    const [t] = trials(2, 1);
    if (t === undefined) throw new Error('no trial');
    const slower = t.features.with(estimate, (t.features[estimate] as number) + 3);
    expect(rank(slower, t.work) - rank(t.features, t.work)).toBeCloseTo(3, 1);
  });

  test('of a file that knows no estimates ranks by its trees alone', () => {
    const features = featureNames.filter((name) => name !== 'estimate');
    const rank = rankerOf({ features, rate: 1, base: 2, trees: [{ leaf: 0.5 }] });
    for (const t of trials(4, 5)) expect(rank(t.features, t.work)).toBe(1.5);
  });

  test('is the same each time, and survives its file, where features may have come or gone', () => {
    const forest = trainRanker(trials(1, 100));
    expect(printRanker(trainRanker(trials(1, 100)))).toBe(printRanker(forest));
    const read = parseRanker(printRanker(forest));
    expect(printRanker(read)).toBe(printRanker(forest));
    const moved = {
      ...read,
      features: read.features.map((name) => (name === 'instr:widen' ? 'instr:gone' : name)),
    };
    for (const t of trials(3, 20)) {
      expect(rankerOf(read)(t.features, t.work)).toBeCloseTo(rankerOf(forest)(t.features, t.work), 4);
      expect(rankerOf(moved)(t.features, t.work)).toBeCloseTo(rankerOf(forest)(t.features, t.work), 4);
    }
  });
});
