/** Several jobs on one farm, in simulated hours: shares, turns, windows, and what is told of them. Only the trials are made up. */
import { DateTime } from 'luxon';
import { expect, onTestFinished, test } from 'vitest';
import { openStore, type Priority } from '../../db/index.ts';
import { clientOf } from '../../server/jobs/choice.ts';
import type { JobWork } from '../../server/jobs/queue.ts';
import type { JobBody, JobRequest, ModelBody } from '../../server/schemas/index.ts';
import { seeded } from '../../tuner/random.ts';
import { SharedPlaces } from '../../tuner/shared-places.ts';
import { samples } from '../samples.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { type Bench, startBench } from './bench.ts';
import { smallModel } from './model.ts';

const [minute, hour] = [60_000, 3_600_000];

interface Farm {
  readonly clock: VirtualClock;
  readonly bench: Bench;
  /** When each trial began, by job. */
  readonly trials: Map<string, number[]>;
  submit(request: Partial<JobRequest>): Promise<JobBody>;
  job(id: string): Promise<JobBody>;
}

/** A farm of two devices; `trialMs`: how long the next trial of a job takes. */
async function farmOf(start: string, trialMs: (job: string) => number, atOnce: number): Promise<Farm> {
  const clock = new VirtualClock(start);
  const devices = new SharedPlaces(2, clock.now);
  const trials = new Map<string, number[]>();
  const work: JobWork = async (run, signal) => {
    const { id, trials: budget } = run.job;
    const client = clientOf(run);
    const began = trials.get(id) ?? [];
    trials.set(id, began);
    const trial = async (): Promise<void> => {
      if (signal.aborted || began.length >= budget) return;
      began.push(clock.wall());
      await clock.sleep(trialMs(id));
      run.report({ tasks: [], done: began.length });
    };
    const lane = async (): Promise<void> => {
      while (!signal.aborted && began.length < budget) await devices.use(client, trial);
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    return signal.aborted ? { state: 'stopped' } : { state: 'done', report: {} };
  };
  const store = openStore('memory', { mode: 'write', now: () => new Date(clock.wall()) });
  if (!store.ok) throw new Error(store.error.detail);
  const bench = await startBench(store.value, {}, { atOnce, clock, work });
  onTestFinished(() => bench.jobs.stop(0));
  const model = (await bench.upload(smallModel(1))).json<ModelBody>().id;
  return {
    clock,
    bench,
    trials,
    submit: async (request) =>
      (await bench.post('/v1/jobs', { model, board: 'mps2-an386', ...request })).json<JobBody>(),
    job: async (id) => (await bench.get(`/v1/jobs/${id}`)).json<JobBody>(),
  };
}
const endless = 10_000_000;

test('jobs that run together share the farm by their weights', async () => {
  const farm = await farmOf('2026-01-01T00:00:00Z', () => 3000, 4);
  const priorities: readonly Priority[] = ['low', 'normal', 'high', 'normal'];
  const ids: string[] = [];
  for (const priority of priorities) ids.push((await farm.submit({ priority, trials: endless })).id);
  await farm.clock.pass(hour);
  const counts = ids.map((id) => farm.trials.get(id)?.length ?? 0);
  const all = counts.reduce((a, b) => a + b);
  expect(all).toBeGreaterThan(2300);
  expect(counts.map((n) => Math.round((n / all) * 25))).toEqual([1, 4, 16, 4]);
});

test('another priority is another share at once, of jobs that run, and another place for those that wait', async () => {
  const farm = await farmOf('2026-01-01T00:00:00Z', () => 3000, 2);
  const [a, b] = [await farm.submit({ trials: endless }), await farm.submit({ trials: endless })];
  const counts = (): readonly number[] => [a, b].map(({ id }) => farm.trials.get(id)?.length ?? 0);
  const prioritise = async (id: string, priority: Priority): Promise<JobBody> =>
    (await farm.bench.app.inject({ method: 'PATCH', url: `/v1/jobs/${id}`, payload: { priority } })).json<JobBody>();
  await farm.clock.pass(hour);
  const before = counts();
  expect((before[0] ?? 0) / (before[1] ?? 1)).toBeCloseTo(1, 1);
  expect(await prioritise(a.id, 'high')).toMatchObject({ state: 'running', priority: 'high' });
  await farm.clock.pass(minute);
  // Forty trials a minute, four fifths of them: not only once an hour has gone by.
  const soon = counts().map((n, i) => n - (before[i] ?? 0));
  expect((soon[0] ?? 0) / (soon[1] ?? 1)).toBeGreaterThan(3);
  await farm.clock.pass(hour);
  const gained = counts().map((n, i) => n - (before[i] ?? 0));
  expect((gained[0] ?? 0) / (gained[1] ?? 1)).toBeCloseTo(4, 1);
  const [c, d] = [await farm.submit({ trials: endless }), await farm.submit({ trials: endless })];
  await farm.clock.pass(minute);
  expect(await prioritise(d.id, 'high')).toMatchObject({ state: 'queued', priority: 'high' });
  await farm.bench.post(`/v1/jobs/${b.id}/cancel`);
  await farm.clock.pass(minute);
  expect((await Promise.all([c, d].map((j) => farm.job(j.id)))).map((j) => j.state)).toEqual(['queued', 'running']);
  const told = farm.bench.store.events(a.id, 0, 1000).filter((e) => e.type === 'priority');
  expect(told.map((e) => e.data)).toEqual([{ priority: 'high' }]);
});

test('no stream of important jobs keeps another one waiting for ever', async () => {
  const farm = await farmOf('2026-01-01T00:00:00Z', () => minute, 1);
  const twenty = { trials: 40 };
  await farm.submit({ priority: 'high', ...twenty });
  const low = await farm.submit({ priority: 'low', ...twenty });
  expect(low.waiting).toEqual({ code: 'TURN', detail: 'as many jobs are under way as may be: 1', until: null });
  const highs: string[] = [];
  // Each takes twenty minutes, and one comes every quarter of an hour.
  for (let i = 0; i < 40 && !farm.trials.has(low.id); i++) {
    highs.push((await farm.submit({ priority: 'high', ...twenty })).id);
    await farm.clock.pass(15 * minute);
  }
  const began = (farm.trials.get(low.id)?.[0] ?? Number.NaN) - Date.parse('2026-01-01T00:00:00Z');
  expect(began).toBeGreaterThan(hour);
  expect(began).toBeLessThan(6 * hour);
  // High ones that came before it was due went first.
  expect(highs.filter((id) => farm.trials.has(id)).length).toBeGreaterThan(5);
});

for (const [day, hours] of [
  ['2026-03-28', 2],
  ['2026-06-10', 3],
  ['2026-10-24', 4],
] as const)
  test(`a job runs in its window only, ${hours} hours in the night after ${day}`, async () => {
    const farm = await farmOf(`${day}T12:00:00Z`, () => minute, 4);
    const { id, waiting } = await farm.submit({ window: '01:00-04:00 Europe/Berlin', trials: endless });
    const opens = DateTime.fromISO(`${day}T01:00`, { zone: 'Europe/Berlin' }).plus({ days: 1 });
    expect(waiting).toMatchObject({ code: 'WINDOW', until: opens.toUTC().toISO() });
    await farm.clock.pass(24 * hour);
    const began = farm.trials.get(id) ?? [];
    // Two devices, a trial a minute; those under way when it closes end by themselves.
    expect(Math.abs(began.length - hours * 120)).toBeLessThanOrEqual(4);
    for (const at of began) {
      const wall = DateTime.fromMillis(at, { zone: 'Europe/Berlin' }).toFormat('HH:mm');
      expect([wall, wall >= '01:00' && wall < '04:00']).toEqual([wall, true]);
    }
    const after = await farm.job(id);
    expect([after.state, after.waiting?.code]).toEqual(['queued', 'WINDOW']);
    expect(Math.abs(after.spentMs - hours * hour)).toBeLessThan(2 * minute);
  });

test('the time left counts closed hours of the window, and the share that others take', async () => {
  const farm = await farmOf('2026-06-10T18:00:00Z', () => minute, 4);
  const { id } = await farm.submit({ window: '20:00-22:00 Europe/Berlin', trials: 480 });
  await farm.clock.pass(hour);
  // 120 of 480 done; two devices do 120 an hour: one more hour today, two tomorrow.
  const left = (await farm.job(id)).leftMs ?? Number.NaN;
  expect(Math.abs(left - 25 * hour)).toBeLessThan(20 * minute);
  const other = await farm.submit({ trials: endless });
  await farm.clock.pass(30 * minute);
  // 330 left. With half of the farm, 60 an hour, they take half an hour today, two the next two days, and one more.
  const shared = (await farm.job(id)).leftMs ?? Number.NaN;
  expect(Math.abs(shared - 71.5 * hour)).toBeLessThan(2 * hour);
  await farm.bench.post(`/v1/jobs/${other.id}/cancel`);
  const again = (await farm.job(id)).leftMs ?? Number.NaN;
  // 120 an hour again: half an hour today, two tomorrow, and a quarter.
  expect(Math.abs(again - 46.75 * hour)).toBeLessThan(2 * hour);
});

/** A look at the time that a job has left, and which jobs were there. */
interface Look {
  readonly at: number;
  readonly left: number;
  readonly known: ReadonlySet<string>;
}
/** One job beside others that come at random and end; what was told on the way, and when which job had a device. */
async function busyDay(seed: number) {
  const random = seeded(seed);
  const usual = new Map<string, number>();
  const used: { readonly job: string; readonly at: number; readonly ms: number }[] = [];
  const farm = await farmOf(
    '2026-01-01T00:00:00Z',
    (job) => {
      const mean = usual.get(job) ?? 10_000 * (1 + random.below(4));
      usual.set(job, mean);
      const ms = mean * (0.5 + random.next());
      used.push({ job, at: farm.clock.wall(), ms });
      return ms;
    },
    3,
  );
  const come = async (trials: number): Promise<string> =>
    (await farm.submit({ trials, priority: random.pick(['low', 'normal', 'normal', 'high']) })).id;
  const mine = (await farm.submit({ trials: 480 })).id;
  const [jobs, looks] = [[mine], [] as Look[]];
  for (let job = await farm.job(mine); job.state === 'running'; job = await farm.job(mine)) {
    if (job.leftMs !== null && (farm.trials.get(mine)?.length ?? 0) >= 48)
      looks.push({ at: farm.clock.wall(), left: job.leftMs, known: new Set(jobs) });
    if (random.next() < 0.08) jobs.push(await come(20 + random.below(300)));
    await farm.clock.pass(2 * minute);
  }
  return { mine, looks, used, ended: Date.parse((await farm.job(mine)).endedAt ?? '') };
}

test('the time left is what those that are there will leave it; whoever comes later delays it by no more than his own work', async () => {
  const off: number[] = [];
  for (let seed = 0; seed < samples(4, 100); seed++) {
    const { looks, used, ended } = await busyDay(seed);
    expect(looks.length).toBeGreaterThan(10);
    for (const { at, left, known } of looks) {
      const later = used.filter((u) => !known.has(u.job) && u.at >= at && u.at < ended);
      // Of two devices.
      const latest = left + later.reduce((sum, { ms }) => sum + ms, 0) / 2;
      const true_ = ended - at;
      // A trial more or less at the end of each job.
      off.push(Math.max(left - 2 * minute - true_, true_ - latest - 2 * minute, 0) / true_);
    }
  }
  const beyond = (part: number): number => off.filter((o) => o > part).length / off.length;
  expect(beyond(0.15)).toBeLessThan(0.1);
  expect(beyond(0.5)).toBeLessThan(0.01);
  expect(beyond(1)).toBe(0);
});

test('what waits and why is told as events, over the streams of one and of all', async () => {
  const farm = await farmOf('2026-01-01T00:00:00Z', () => minute, 4);
  const { id } = await farm.submit({ trials: endless });
  const run = farm.bench.jobs.runOf(id);
  const gone = { code: 'NO_DEVICE', detail: 'all of them', until: null } as const;
  run?.wait(gone);
  run?.wait({ ...gone, detail: 'still' });
  const spent = (await farm.job(id)).spentMs;
  await farm.clock.pass(hour);
  // Time without a device is not spent.
  expect(await farm.job(id)).toMatchObject({ state: 'running', waiting: { ...gone, detail: 'still' }, spentMs: spent });
  run?.wait(null);
  expect((await farm.job(id)).waiting).toBeNull();
  const told = farm.bench.store.events(id, 0, 1000).filter((e) => e.type === 'waiting');
  expect(told.map((e) => e.data)).toEqual([{ waiting: gone }, { waiting: null }]);
});
