/** What is said of a candidate's cycles before it is compiled: bounds lie below what was measured, estimates near it. */
import { readdirSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { shapeFamilies, subjectOfShapes } from '../../bench/networks/shapes.ts';
import { type BoardModule, boardOf } from '../../boards/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { add, buffer, iter, load, loop, mul, num, type Program, program, store } from '../../compiler/program/index.ts';
import { type KernelC, printC } from '../../compiler/program/print-c.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { readShipped, type ShippedRecord, shippedDir } from '../../server/shipped/file.ts';
import { candidateMaker } from '../../tuner/candidates.ts';
import { type StaticCycles, staticCycles } from '../../tuner/cost-models/static-cycles.ts';
import { spaceOf } from '../../tuner/space.ts';
import { graphOf } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';

const m4 = { kind: 'model', cpu: 'cortex-m4' } as const;
const boundOf = (p: Program, board: { kind: 'model' | 'instructions'; cpu: string } = m4): number =>
  staticCycles(p, printC(p, 'k'), board).bound;

/** y[o] += x[k] * w[o, k] with `unrolled` outputs side by side in a lap over k. */
function rows(outputs: number, depth: number, unrolled: number): Program {
  const sum = store('y', [add(mul(num(unrolled), iter('oo')), iter('oi'))], mul(x(), w()), '+');
  const inner = { ...loop('oi', unrolled, sum), unroll: 'full' as const };
  return program(
    'rows',
    [buffer('x', 'i8', [depth], 'in'), buffer('w', 'i8', [outputs, depth], 'in'), buffer('y', 'i32', [outputs], 'out')],
    loop('oo', outputs / unrolled, loop('k', depth, inner)),
  );
  function x() {
    return load('x', iter('k'));
  }
  function w() {
    return load('w', add(mul(num(unrolled), iter('oo')), iter('oi')), iter('k'));
  }
}

describe('bounds', () => {
  test('count products, and the loads that no lap takes over from another', () => {
    // 0.8 of: a product, a weight, and a share of a value of x that its lap reads once.
    expect(boundOf(rows(8, 16, 1))).toBe(Math.floor(0.8 * 8 * 16 * 3));
    expect(boundOf(rows(8, 16, 4))).toBe(Math.floor(0.8 * 8 * 16 * 2.25));
  });

  test('what moves along with the laps may be kept from one to the next', () => {
    // A window over x: of three values a lap two were read before.
    const window = program(
      'window',
      [buffer('x', 'i8', [18], 'in'), buffer('w', 'i8', [3], 'in'), buffer('y', 'i32', [16], 'out')],
      loop('i', 16, {
        ...loop('k', 3, store('y', [iter('i')], mul(load('x', add(iter('i'), iter('k'))), load('w', iter('k'))), '+')),
        unroll: 'full',
      }),
    );
    expect(boundOf(window)).toBe(Math.floor(0.8 * 16 * (3 + 1)));
  });

  test('a core that starts two instructions at once halves them; where no cycles are counted there is none', () => {
    const p = rows(8, 16, 1);
    expect(boundOf(p, { kind: 'model', cpu: 'cortex-m7' })).toBe(Math.floor((0.8 * 8 * 16 * 3) / 2));
    expect(boundOf(p, { kind: 'instructions', cpu: 'cortex-m4' })).toBe(0);
    expect(boundOf(p, { kind: 'model', cpu: 'rv32imafc' })).toBe(0);
  });
});

test('constants in flash and code that no cache holds cost waits, in RAM they do not', () => {
  const p = rows(8, 16, 1);
  const kernel = printC(p, 'k');
  const constant = { name: 'c', symbol: 'c', bytes: new Uint8Array(4000), ctype: 'int8_t', align: 4 };
  const estimate = (place: 'flash' | 'ram'): number => {
    const placed: KernelC = { ...kernel, constants: [{ ...constant, place }] };
    return staticCycles(p, placed, m4).estimate;
  };
  expect(estimate('flash') - estimate('ram')).toBe(1500);
  expect(staticCycles(p, { ...kernel, source: kernel.source.padEnd(60_000) }, m4).estimate).toBeGreaterThan(
    staticCycles(p, { ...kernel, source: kernel.source.padEnd(60_000), codePlace: 'ram' }, m4).estimate,
  );
});

/** Records of a task with what is said of them statically. */
function said(
  board: BoardModule,
  task: Task,
  records: readonly ShippedRecord[],
): (StaticCycles & { cycles: number })[] {
  const space = spaceOf(task.workload, board.target.features, { templates, defaultSchedule });
  const make = candidateMaker(task, space, { board, scratchBytes: Number.POSITIVE_INFINITY });
  return records.flatMap(({ schedule, cycles }) => {
    const made = make({ template: 'literal', version: 1, schedule });
    return made.ok ? [{ ...made.candidate.cycles, cycles }] : [];
  });
}

const shipped = readdirSync(shippedDir)
  .filter((f) => f.endsWith('.jsonl'))
  .map((f) => f.slice(0, -'.jsonl'.length));
const graphs = (): readonly Graph[] => [
  ...(['kws', 'ad', 'ic', 'vww'] as const).flatMap((name) => {
    const model = goldenModel(name);
    return model === undefined ? [] : [graphOf(model, 'all')];
  }),
  ...shapeFamilies.map((f) => subjectOfShapes(f).graph),
];

describe('what ships takes more than its bound: pruning never loses the best', () => {
  let tasks: readonly Task[] = [];
  beforeAll(() => {
    const all = graphs().flatMap((g) => tasksOf(g, { rounding: 'double' }));
    tasks = [...new Map(all.map((t) => [t.id, t])).values()];
  });

  test.each(shipped)('%s', (id) => {
    const [board, file] = [boardOf(id), readShipped(id)];
    if (board === undefined || file === undefined) throw new Error(`no board ${id}`);
    let [seen, near] = [0, 0];
    for (const task of tasks.filter((_, i) => i % samples(4, 1) === 0)) {
      const all = said(
        board,
        task,
        file.records.filter((r) => r.task === task.id),
      );
      for (const { bound, cycles } of all) expect(bound).toBeLessThanOrEqual(cycles);
      const best = Math.min(...all.map((r) => r.cycles));
      seen += all.length;
      near += all.filter((r) => r.estimate > r.cycles / 4 && r.estimate < r.cycles * 2).length;
      // The best one's estimate is not so far above the others' that it would never be asked for.
      const lowest = Math.min(...all.map((r) => r.estimate));
      for (const r of all) if (r.cycles === best) expect(r.estimate).toBeLessThan(3 * lowest);
    }
    expect(seen).toBeGreaterThan(20);
    if (board.cpu === 'cortex-m4') expect(near / seen).toBeGreaterThan(0.9);
  });
});
