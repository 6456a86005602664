/**
 * Equal jobs at the same time, on the real tune loop with emulated boards: each setting is measured once, and both know all of it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { defaultSchedule, type Template, templates } from '../../kernels/index.ts';
import { prepare } from '../../server/models.ts';
import type { JobBody } from '../../server/schemas/index.ts';
import { Exchange } from '../../tuner/exchange.ts';
import { DevicePool } from '../../tuner/measure/pool.ts';
import { policies } from '../../tuner/policies/index.ts';
import { SharedPlaces } from '../../tuner/shared-places.ts';
import { configKey } from '../../tuner/space.ts';
import { type TaskProgress, type TrialRecord, type TuneEnd, type TuneRequest, tune } from '../../tuner/tune.ts';
import { lostDevice } from '../../tuner/types.ts';
import { started } from '../emulated.ts';
import { unwrap } from '../golden-run.ts';
import { smallModel } from '../server/model.ts';
import { dataDir, ended, expectMeasuredOnce, recordsOf, startDaemonProcess, submit } from './daemon-process.ts';

const board = mps2An386;

/** Templates whose spaces are soon used up. */
const few = templates.map(
  (t): Template => ({
    ...t,
    knobs: (workload, features) =>
      t.knobs(workload, features)?.map((k, i) => ({ ...k, values: k.values.slice(0, i < 2 ? 2 : 1) })),
    schedule: (workload, knobs) => t.schedule(workload, knobs),
    describe: (knobs) => t.describe(knobs),
  }),
);

interface Ran {
  readonly end: TuneEnd;
  readonly progress: readonly TaskProgress[];
  readonly waited: readonly string[];
}

/** Searches that run side by side on two devices, and all their records in order. */
async function together(
  changes: readonly (Partial<TuneRequest> & { readonly after?: Promise<void> })[],
): Promise<{ readonly ran: readonly Ran[]; readonly records: readonly TrialRecord[] }> {
  const dir = mkdtempSync(join(tmpdir(), 'mt-farm-jobs-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const firmware = unwrap(await board.build({ dir, name: 'server', objects: [] }));
  const open = async () => ({ ok: true as const, value: await started(board, firmware) });
  const pool = new DevicePool(
    board,
    [0, 1].map((i) => ({ name: `${board.id}#${i}`, id: `${i}`, open })),
    dir,
  );
  onTestFinished(() => pool.closeAll());
  const now = (): number => performance.now();
  const builds = new SharedPlaces(2, now);
  const { graph, tasks } = unwrap(prepare(smallModel(1), 'small'));
  const { random } = policies;
  if (random === undefined) throw new Error('no policy is called random');
  const records: TrialRecord[] = [];
  const ran = await Promise.all(
    changes.map(async (change, i): Promise<Ran> => {
      let progress: readonly TaskProgress[] = [];
      const waited: string[] = [];
      await change.after;
      const end = await tune({
        graph,
        tasks,
        board,
        pool,
        templates: { templates: few, defaultSchedule },
        policy: random,
        policyName: 'random',
        seed: i,
        budget: { trials: 10_000 },
        cores: 2,
        cacheDir: dir,
        client: { id: `job ${i}`, weight: 1 },
        builds,
        known: (task) =>
          records.flatMap(({ config, schedule, result, ...r }, at) =>
            r.task.id === task.id && r.reusedFrom === null
              ? [{ id: `${at + 1}`, config, schedule, binary: result.binary ?? null, result }]
              : [],
          ),
        record: (trial) => String(records.push(trial)),
        signal: new AbortController().signal,
        now,
        ...change,
        progress: (p, spent, since) => {
          progress = p;
          change.progress?.(p, spent, since);
        },
        waiting: (why) => waited.push(why),
      });
      return { end, progress, waited };
    }),
  );
  return { ran, records };
}
const joinOf =
  (exchange: Exchange): NonNullable<TuneRequest['join']> =>
  (task, listener) =>
    exchange.join(task.id, listener);
/** What was measured, not taken over. */
const measured = (records: readonly TrialRecord[]): readonly TrialRecord[] =>
  records.filter((r) => r.reusedFrom === null && !lostDevice(r.result));
const keyOf = (r: TrialRecord): string => `${r.task.id} ${configKey(r.config)}`;

test('two equal searches measure each setting once between them, and end with the same bests', async () => {
  const exchange = new Exchange();
  const { ran, records } = await together([{ join: joinOf(exchange) }, { join: joinOf(exchange) }]);
  expect(ran.map((r) => r.end.reason)).toEqual(['exhausted', 'exhausted']);
  // Not one setting was tried by both, be it measured or taken over.
  expect(new Set(records.map(keyOf)).size).toBe(records.length);
  const binaries = measured(records).map((r) => `${r.task.id} ${r.result.binary}`);
  expect(new Set(binaries).size).toBe(binaries.length);
  const [first, second] = ran.map((r) => r.progress);
  expect(first?.map((p) => [p.default, p.best])).toEqual(second?.map((p) => [p.default, p.best]));
  expect(first?.every((p) => p.best !== null)).toBe(true);
  // Each counts its own trials only.
  const own = ran.flatMap((r) => r.progress.map((p) => p.trials)).reduce((a, b) => a + b);
  expect(own).toBe(measured(records).length);
});

test('a search whose tasks others have waits, hears of the best, and goes on when they end', async () => {
  const exchange = new Exchange();
  const stopped = new AbortController();
  const begun = Promise.withResolvers<void>();
  // The first has all tasks when the second begins, and is stopped while that one waits.
  let heard = 0;
  const { ran, records } = await together([
    {
      join: joinOf(exchange),
      signal: stopped.signal,
      progress: (_, spent) => spent >= 6 && begun.resolve(),
    },
    {
      after: begun.promise,
      join: (task, listener) =>
        exchange.join(task.id, {
          ...listener,
          heard: (known) => {
            listener.heard(known);
            if (++heard >= 5) stopped.abort();
          },
        }),
      budget: { trials: 3 },
    },
  ]);
  expect(ran.map((r) => r.end.reason)).toEqual(['stopped', 'budget']);
  expect(ran[1]?.waited).toEqual(['others', 'nothing']);
  expect(new Set(records.map(keyOf)).size).toBe(records.length);
  const counts = records.flatMap((r) =>
    r.result.status === 'ok' ? [{ task: r.task.id, cycles: r.result.cycles }] : [],
  );
  for (const p of ran[1]?.progress ?? [])
    expect(p.best).toBe(Math.min(...counts.filter((c) => c.task === p.task.id).map((c) => c.cycles)));
});

test('a search of some tasks ends when they have not become better for so many trials', async () => {
  const { tasks } = unwrap(prepare(smallModel(1), 'small'));
  const [chosen = ''] = tasks.filter((t) => t.workload.op === 'conv2d').map((t) => t.id);
  const until = { percent: 20, trials: 5 };
  const reported: number[] = [];
  const { ran, records } = await together([
    {
      only: new Set([chosen]),
      budget: { trials: 10_000, until: { ...until, since: 0 } },
      progress: (_, __, since) => reported.push(since),
    },
  ]);
  expect(ran.map((r) => r.end.reason)).toEqual(['until']);
  expect(new Set(records.map((r) => r.task.id))).toEqual(new Set([chosen]));
  // The rule, by the records: small gains add up.
  let [mark, since] = [Number.POSITIVE_INFINITY, 0];
  for (const r of measured(records)) {
    const cycles = r.result.status === 'ok' ? r.result.cycles : Number.POSITIVE_INFINITY;
    const better = cycles < mark * (1 - until.percent / 100);
    if (better) mark = cycles;
    since = better ? 0 : since + 1;
  }
  expect(since).toBeGreaterThanOrEqual(until.trials);
  // It ended then, but for what was under way: four lanes.
  expect(since).toBeLessThan(until.trials + 5);
  expect(reported.at(-1)).toBe(since);
});

test('two jobs of one daemon on one model: both are done, nothing is measured twice, and each counts its own', async () => {
  const d = await startDaemonProcess(dataDir(), ['--emulate', 'mps2-an386=2', '--jobs', '2']);
  const trials = 14;
  const jobs = [await submit(d, { trials, seed: 1 }), await submit(d, { trials, seed: 2, priority: 'high' })];
  const asleep = await submit(d, { trials, window: windowElsewhen() });
  expect(jobs.map((j) => j.state)).toEqual(['running', 'running']);
  const done = await Promise.all(jobs.map((j) => ended(d, j.id)));
  expect(done.map((j) => [j.state, j.error, j.trials.done])).toEqual([
    ['done', null, trials],
    ['done', null, trials],
  ]);
  const records = (await Promise.all(jobs.map((j) => recordsOf(d, j.id)))).flat();
  expect(expectMeasuredOnce(records)).toHaveLength(2 * trials);
  const waits = await d.get<JobBody>(`/v1/jobs/${asleep.id}`);
  expect([waits.state, waits.waiting?.code, waits.startedAt]).toEqual(['queued', 'WINDOW', null]);
  expect(await d.end('SIGTERM')).toBe(0);
});

/** Hours that begin in six. */
function windowElsewhen(): string {
  const at = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
  return `${at(6)}-${at(8)} UTC`;
}
