/**
 * Budgets of RAM and flash on a twin: a small network, tuned; whatever the budgets, what is built keeps them to the byte, more
 * memory never gets a slower network, and what cannot be made is refused with the bytes that the smallest lacks.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nucleoL4r5zi as board } from '../../boards/nucleo-l4r5zi/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import type { Result } from '../../compiler/result.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { budgetsOf, buildWithin, type Fitting, type Wishes } from '../../server/budgets.ts';
import { verify } from '../../server/build.ts';
import type { KnownOffer, OffersByTask } from '../../server/offers.ts';
import type { Trade } from '../../server/trades.ts';
import { policies } from '../../tuner/policies/index.ts';
import type { TrialRecord } from '../../tuner/tune.ts';
import { unwrap } from '../golden-run.ts';
import { samples } from '../samples.ts';
import { search } from '../search.ts';
import { Draft } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const quant = { scale: [0.05], zeroPoint: [2], axis: 0 };

/** Two equal convolutions of 12 x 12 x 8, one behind the other, and a fully connected layer. */
function network(): Graph {
  const d = new Draft(new Random(4), 'tflite');
  const conv = (x: number): number => {
    const w = d.constant('int8', [8, 3, 3, 8], [-127, 127], { scale: [0.004], zeroPoint: [0], axis: 0 });
    const attrs = { stride: [1, 1], dilation: [1, 1], pad: [1, 1, 1, 1], activation: 'relu' };
    return d.node('conv2d', attrs, [x, w, -1], { dtype: 'int8', quant });
  };
  const x = d.input('int8', [1, 12, 12, 8], quant);
  const w = d.constant('int8', [4, 1152], [-127, 127], { scale: [0.001], zeroPoint: [0], axis: 0 });
  const flat = { keepDims: false, activation: 'none' };
  return d.finish('small', [d.node('fully_connected', flat, [conv(conv(x)), w, -1], { dtype: 'int8', quant })]);
}

const graph = network();
const tasks = tasksOf(graph, { rounding: 'double' });
const dir = mkdtempSync(join(tmpdir(), 'mt-budgets-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What a search found out of a task. */
function offersOf(task: Task, records: readonly TrialRecord[]): readonly KnownOffer[] {
  return records.flatMap(({ task: of, result, schedule, config }): readonly KnownOffer[] => {
    if (of.id !== task.id || result.status !== 'ok') return [];
    const { cycles, sizes } = result;
    const offer = { schedule, words: config.template };
    return [{ offer, trial: { cycles, sizes }, ...(config.template === 'default' && { plain: true }) }];
  });
}
let known: OffersByTask = new Map();
beforeAll(async () => {
  const policy = policies.random;
  if (policy === undefined) throw new Error('there is no policy called random');
  const { end, records } = await search({ graph, board, policy, trials: samples(40, 400) });
  expect(end).toEqual({ reason: 'budget' });
  const cycles = ({ trial }: KnownOffer): number => trial?.cycles ?? Number.POSITIVE_INFINITY;
  known = new Map(tasks.map((t) => [t.id, [...offersOf(t, records)].sort((a, b) => cycles(a) - cycles(b))]));
}, 300_000);

const within = (wishes: Wishes): Promise<Result<Fitting>> =>
  buildWithin({
    graph,
    name: 'net',
    board,
    budgets: budgetsOf(board, wishes),
    tasks,
    known,
    outDir: join(dir, 'out'),
    cacheDir: join(dir, 'cache'),
  });
/** By the trials of its layers. */
const cyclesOf = ({ options }: Fitting): number =>
  options.selected.reduce((sum, { offer }) => {
    const all = [...known.values()].flat();
    return sum + (all.find((k) => k.offer.schedule === offer.schedule)?.trial?.cycles ?? Number.NaN);
  }, 0);

test('every budget is kept, and with more memory no network is slower', async () => {
  const fastest = unwrap(await within({}));
  const { flash, ram, smallestArena } = fastest.trades();
  expect(smallestArena.arenaBytes).toBeGreaterThanOrEqual(smallestArena.arenaLowerBound);
  for (const [rows, memory] of [[flash, 'flashBytes'] as const, [ram, 'ramBytes'] as const]) {
    expect(rows.length, memory).toBeGreaterThan(1);
    let cycles = cyclesOf(fastest);
    // The first row is the fastest network, which is built already.
    const others = rows.slice(1).filter((_, i, all) => i >= all.length - 1 || i % samples(4, 1) === 0);
    for (const row of others) {
      // Rows are expected values, right to some bytes of code.
      const budget = row[memory] + 128;
      const made = unwrap(await within({ [memory]: budget }));
      expect(made.built.memory[memory]).toBeLessThanOrEqual(budget);
      expect(cyclesOf(made)).toBeGreaterThanOrEqual(cycles);
      cycles = cyclesOf(made);
    }
  }
}, 300_000);

test('a network within both budgets computes what the model says, on a stack that is counted', async () => {
  const { ram } = unwrap(await within({})).trades();
  const least = ram.at(-1) as Trade;
  const budgets = { ramBytes: least.ramBytes + 256, flashBytes: least.flashBytes + 512 };
  const { built } = unwrap(await within(budgets));
  expect(built.memory.ramBytes).toBeLessThanOrEqual(budgets.ramBytes);
  expect(built.memory.flashBytes).toBeLessThanOrEqual(budgets.flashBytes);
  const verified = unwrap(await verify(built, board, graph, 2));
  // The watermark sees the server's functions around the run as well.
  expect(verified.stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 64);
}, 300_000);

test('what is too small is refused with the bytes that are missing, and with these it is not', async () => {
  for (const memory of ['ramBytes', 'flashBytes'] as const) {
    const refused = await within({ [memory]: 100 });
    if (refused.ok) throw new Error('100 bytes are enough');
    expect(refused.error.code).toBe('MODEL_TOO_BIG');
    const missing = Number(/^(\d+) bytes of (?:RAM|flash) are missing/.exec(refused.error.detail)?.[1]);
    expect(refused.error.detail).toContain('the budget is 100');
    const least = unwrap(await within({ [memory]: 100 + missing }));
    expect(least.built.memory[memory]).toBeLessThanOrEqual(100 + missing);
  }
}, 300_000);
