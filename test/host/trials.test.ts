/** Equal binaries that are under way at once: one is measured, the others take its measurement over, whatever devices do. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { seeded } from '../../tuner/random.ts';
import { TaskState } from '../../tuner/task-state.ts';
import { Trials } from '../../tuner/trials.ts';
import type { TuneRequest } from '../../tuner/tune.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const cacheDir = mkdtempSync(join(tmpdir(), 'microtune-trials-'));
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }));
const board = boardOf('host')!;
const graph = randomNode('conv2d', new Random(5));
const [task] = tasksOf(graph, { rounding: 'double' });

const measured = { status: 'ok', cycles: 7, times: {} } as MeasureResult;
const lost: MeasureResult = { status: 'failed', stage: 'run', code: 'LINK', detail: 'unplugged', times: {} };

/** Five trials of one candidate at once on a pool that answers so, then with success; how each ended, sorted, and the pool's uses. */
async function fiveAtOnce(answers: readonly MeasureResult[]) {
  if (task === undefined) throw new Error('no task');
  let uses = 0;
  const pool = {
    size: 2,
    onDoubt: () => undefined,
    use: async () => ({ ok: true, value: answers[uses++] ?? measured }),
  };
  const request = {
    graph,
    board,
    pool,
    templates: { templates, defaultSchedule },
    policy: { model: 'without', make: () => ({ ask: async () => [], tell: () => undefined }) },
    policyName: 'none',
    cores: 5,
    cacheDir,
    record: () => 'id',
    signal: new AbortController().signal,
    now: () => 0,
  } as unknown as TuneRequest;
  const state = new TaskState(task, request, seeded(1), undefined);
  const [candidate] = state.ready;
  if (candidate === undefined) throw new Error('no default schedule');
  const trials = new Trials(request, () => undefined);
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => trials.run(state, candidate)));
  const ends = outcomes.map((o) => (o.kind === 'dropped' ? o.kind : `${o.kind} ${o.result.status}`));
  return { ends: ends.sort(), uses };
}

test('one of them is measured', async () => {
  expect(await fiveAtOnce([])).toEqual({ ends: ['measured ok', ...Array(4).fill('reused ok')], uses: 1 });
});

test('and one more where the first has lost its device twice', async () => {
  const ends = ['measured failed', 'measured ok', 'reused ok', 'reused ok', 'reused ok'];
  expect(await fiveAtOnce([lost, lost])).toEqual({ ends, uses: 3 });
});
