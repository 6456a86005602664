/** Jobs over HTTP: what is refused, one after another in order, stopped, gone on with after a restart. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StoreError } from '../../db/index.ts';
import { prepare } from '../../server/models.ts';
import { untried } from '../../server/progress.ts';
import type { JobBody, JobList, ModelBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { errorIn, openBenchStore, recordWith, startBench as start } from './bench.ts';
import { smallModel } from './model.ts';

/** Lets promises that are ready run. */
const settle = (): Promise<void> => new Promise((done) => setImmediate(done));
const report = { arenaBytes: 1 };

test('what cannot be done is refused with what is wrong', async () => {
  const b = await start();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const good = { model, board: 'mps2-an386' };
  const cases: readonly (readonly [object, number, string, RegExp])[] = [
    [{ ...good, board: 'stm32' }, 404, 'BOARD_UNKNOWN', /"stm32".*host, .*mps2-an386/],
    [{ ...good, model: 'nope' }, 404, 'MODEL_NOT_FOUND', /"nope"/],
    [{ ...good, policy: 'magic' }, 400, 'POLICY_UNKNOWN', /"magic".*guided, random/],
    [{ ...good, trials: 0 }, 400, 'BAD_REQUEST', /trials/],
    [{ ...good, trials: -3 }, 400, 'BAD_REQUEST', /trials/],
    [{ ...good, trials: 1.5 }, 400, 'BAD_REQUEST', /trials/],
    [{ ...good, trials: '10' }, 400, 'BAD_REQUEST', /trials/],
    [{ ...good, trial: 10 }, 400, 'BAD_REQUEST', /trial/],
    [{ ...good, seed: -1 }, 400, 'BAD_REQUEST', /seed/],
    [{ ...good, time: 'soon' }, 400, 'BAD_TIME', /"soon".*30m/],
    [{ ...good, time: '0s' }, 400, 'BAD_TIME', /0s/],
    [{ ...good, time: 0 }, 400, 'BAD_REQUEST', /time/],
    [{ ...good, board: 'host' }, 409, 'NO_DEVICE', /host/],
    [{ board: 'host' }, 400, 'BAD_REQUEST', /model/],
  ];
  for (const [body, status, code, detail] of cases) {
    const answer = await b.post('/v1/jobs', body);
    expect([body, answer.statusCode, errorIn(answer).code]).toEqual([body, status, code]);
    expect(errorIn(answer).detail).toMatch(detail);
  }
  expect((await b.get('/v1/jobs')).json<JobList>().items).toEqual([]);
});

test('a model that cannot fit is refused with the bytes by layer', async () => {
  const b = await start();
  // 2 x 9 x 512 x 512 bytes of weights: beyond the 4 MiB of this board.
  const model = (await b.upload(smallModel(1, 2, 512))).json<ModelBody>().id;
  const answer = await b.post('/v1/jobs', { model, board: 'mps2-an386' });
  expect([answer.statusCode, errorIn(answer).code]).toEqual([422, 'MODEL_TOO_BIG']);
  expect(errorIn(answer).detail).toMatch(/47\d{5} bytes.*4194304.*conv2d 0 236\d{4}, conv2d 1 236\d{4}/);
});

test('a job has budgets of RAM and flash, within which a model that cannot fit is refused', async () => {
  const b = await start();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const job = { model, board: 'mps2-an386' };
  const made = await b.post('/v1/jobs', { ...job, budgets: { flashBytes: 65536 } });
  expect(made.json<JobBody>().budgets).toEqual({ ramBytes: null, flashBytes: 65536 });
  expect((await b.post('/v1/jobs', job)).json<JobBody>().budgets).toEqual({ ramBytes: null, flashBytes: null });
  for (const [budgets, detail] of [
    [{ flashBytes: 20 }, /constants alone are \d+ bytes, the budget is 20 of flash/],
    [{ ramBytes: 10 }, /inputs or outputs are \d+ bytes, the budget is 10 of RAM/],
  ] as const) {
    const refused = await b.post('/v1/jobs', { ...job, budgets });
    expect([refused.statusCode, errorIn(refused).code]).toEqual([422, 'MODEL_TOO_BIG']);
    expect(errorIn(refused).detail).toMatch(detail);
  }
  for (const ramBytes of [0, -1, 1.5, 1e300, 2 ** 53, '9K', null]) {
    const wrong = await b.post('/v1/jobs', { ...job, budgets: { ramBytes } });
    expect([wrong.statusCode, errorIn(wrong).code], String(ramBytes)).toEqual([400, 'BAD_REQUEST']);
  }
});

test('times are read as people write them', async () => {
  const b = await start();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  for (const [time, ms] of [
    ['90s', 90e3],
    ['30m', 18e5],
    ['1.5h', 54e5],
    [5, 5000],
    ['20', 20e3],
    ['250ms', 250],
  ] as const) {
    const job = (await b.post('/v1/jobs', { model, board: 'mps2-an386', time })).json<JobBody>();
    expect([time, job.timeMs]).toEqual([time, ms]);
  }
});

test('jobs run one at a time, oldest first, and end as their work does', async () => {
  const b = await start();
  const ids = [(await b.submit()).id, (await b.submit()).id, (await b.submit()).id];
  const states = async () =>
    (await b.get('/v1/jobs'))
      .json<JobList>()
      .items.map((j) => j.state)
      .reverse();
  expect(await states()).toEqual(['running', 'queued', 'queued']);
  b.begun[0]?.end({ state: 'done', report });
  await settle();
  expect(await states()).toEqual(['done', 'running', 'queued']);
  b.begun[1]?.end({ state: 'failed', error: { stage: 'compile', code: 'TOOL_MISSING', detail: 'gcc is not in PATH' } });
  await settle();
  expect(await states()).toEqual(['done', 'failed', 'running']);
  b.begun[2]?.crash(new Error('a bug'));
  await settle();
  expect(b.begun.map((x) => x.run.job.id)).toEqual(ids);
  const [done, failed, crashed] = await Promise.all(
    ids.map(async (id) => (await b.get(`/v1/jobs/${id}`)).json<JobBody>()),
  );
  expect(done).toMatchObject({ state: 'done', report, error: null });
  expect(failed?.error).toEqual({ stage: 'compile', code: 'TOOL_MISSING', detail: 'gcc is not in PATH' });
  expect(crashed?.error).toMatchObject({ code: 'INTERNAL' });
  expect((await b.get('/healthz')).json()).toMatchObject({ status: 'ok', jobs: [], queued: 0 });
});

test('a running job shows its progress, also to who asks when it has ended', async () => {
  const b = await start();
  const job = await b.submit();
  expect(job).toMatchObject({ state: 'running', cycles: { default: null, best: null }, leftMs: null });
  const prepared = prepare(smallModel(1), 'x');
  if (!prepared.ok) throw new Error(prepared.error.detail);
  const tasks = prepared.value.tasks.map((t, i) => ({ ...untried(t), trials: 2, default: 100 + i, best: 10 + i }));
  b.begun[0]?.run.report({ tasks: tasks.map((t) => ({ ...t, best: null })), done: 1 });
  b.begun[0]?.run.report({ tasks, done: 6 });
  const running = (await b.get(`/v1/jobs/${job.id}`)).json<JobBody>();
  // The first task occurs twice.
  expect(running.cycles).toEqual({ default: 2 * 100 + 101 + 102, best: 2 * 10 + 11 + 12 });
  expect(running.leftMs).toBeGreaterThanOrEqual(0);
  b.begun[0]?.end({ state: 'done', report });
  await settle();
  const over = (await b.get(`/v1/jobs/${job.id}`)).json<JobBody>();
  expect(over.tasks).toEqual(running.tasks);
  expect(over.leftMs).toBeNull();
});

test('trials of the body are counted in the store', async () => {
  const b = await start();
  const job = (await b.submit()).id;
  const failure = { status: 'failed', cycles: null, stage: 'run', code: 'FAULT', detail: 'pc 0' } as const;
  const first = b.store.addRecord(recordWith({ job }));
  b.store.addRecord(recordWith({ job, ...failure, binary: 'b1' }));
  b.store.addRecord(recordWith({ job, reusedFrom: first.id }));
  expect((await b.get(`/v1/jobs/${job}`)).json<JobBody>().trials).toEqual({ done: 2, failed: 1, budget: 10 });
});

test('cancel, pause and resume: queued and running jobs', async () => {
  const b = await start();
  const [first, second] = [(await b.submit()).id, (await b.submit()).id];
  const say = async (id: string, verb: string) => {
    const answer = await b.post(`/v1/jobs/${id}/${verb}`);
    return answer.statusCode === 200 ? answer.json<JobBody>().state : errorIn(answer).code;
  };
  expect(await say(second, 'pause')).toBe('paused');
  expect(await say(first, 'pause')).toBe('paused');
  expect(b.begun[0]?.signal.aborted).toBe(true);
  await settle();
  expect(b.begun.length).toBe(1);
  expect(await say(first, 'resume')).toBe('running');
  expect(await say(first, 'cancel')).toBe('cancelled');
  expect(await say(first, 'cancel')).toBe('cancelled');
  expect(await say(first, 'resume')).toBe('JOB_STATE');
  await settle();
  expect(await say(second, 'resume')).toBe('running');
  b.begun.at(-1)?.end({ state: 'done', report });
  await settle();
  expect(await say(second, 'cancel')).toBe('JOB_STATE');
  expect(await say('nope', 'cancel')).toBe('JOB_NOT_FOUND');
  const row = (await b.get(`/v1/jobs/${first}`)).json<JobBody>();
  expect([row.state, row.error, row.endedAt === null]).toEqual(['cancelled', null, false]);
});

test('a job that was cancelled is not touched by what its work still says', async () => {
  const b = await start();
  const { id } = await b.submit();
  const [begun] = b.begun;
  await b.post(`/v1/jobs/${id}/cancel`);
  const events = b.store.events(id, 0, 100).length;
  begun?.run.report({ tasks: [], done: 3 });
  begun?.run.log('tune', 'late');
  begun?.end({ state: 'done', report });
  await settle();
  expect(b.store.events(id, 0, 100).length).toBe(events);
  expect(b.store.job(id)?.state).toBe('cancelled');
});

test('a daemon that was stopped or killed leaves jobs that the next one goes on with, the interrupted one first', async () => {
  const store = openBenchStore();
  const before = await start(store);
  const ids = [(await before.submit(1)).id, (await before.submit(2)).id];
  await before.jobs.stop(1000);
  expect(before.begun[0]?.signal.aborted).toBe(true);
  expect(ids.map((id) => store.job(id)?.state)).toEqual(['running', 'queued']);
  const spent = store.job(ids[0] ?? '')?.spentMs ?? 0;

  const after = await start(store);
  after.jobs.start();
  expect(after.begun.map((x) => x.run.job.id)).toEqual([ids[0]]);
  expect(after.begun[0]?.run.spentMs).toBeGreaterThanOrEqual(spent);
  after.begun[0]?.end({ state: 'done', report });
  await settle();
  after.begun[1]?.end({ state: 'done', report });
  await settle();
  expect(ids.map((id) => store.job(id)?.state)).toEqual(['done', 'done']);
});

test('counts are sums of layers until the network is made, then those of the network, in lists too', async () => {
  const b = await start();
  const { id, tasks } = await b.submit();
  const seen = async (): Promise<unknown> => {
    const listed = (await b.get('/v1/jobs')).json<JobList>().items.find((j) => j.id === id)?.cycles;
    expect((await b.get(`/v1/jobs/${id}`)).json<JobBody>().cycles).toEqual(listed);
    return listed;
  };
  expect(await seen()).toEqual({ default: null, best: null });
  b.begun[0]?.run.report({ tasks: tasks.map((t) => ({ ...t, default: 50, best: 20 })), done: 1 });
  const layers = tasks.reduce((n, t) => n + t.occurrences, 0);
  expect(await seen()).toEqual({ default: 50 * layers, best: 20 * layers });
  b.begun[0]?.end({ state: 'done', report: { cycles: 77, defaultCycles: 177 } });
  await settle();
  expect(await seen()).toEqual({ default: 177, best: 77 });
});

test('a database that takes nothing any more does not hold up the end', async () => {
  const store = openBenchStore();
  const full = new StoreError({ stage: 'record', code: 'DISK_FULL', detail: 'no room left' });
  let writes = 0;
  const b = await start({
    ...store,
    updateJob: (id, change, event) => {
      if (++writes > 1) throw full;
      return store.updateJob(id, change, event);
    },
  });
  await b.submit();
  await b.jobs.stop(60_000);
  expect(b.begun[0]?.signal.aborted).toBe(true);
  expect(writes).toBeGreaterThan(1);
});

test('no request for a job, whatever is in it, is an error of ours', async () => {
  const b = await start();
  await b.upload(smallModel(1));
  const field = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.constant(null), fc.boolean(), fc.object());
  const body = fc.oneof(
    fc.record(
      { model: field, board: field, trials: field, time: field, seed: field, policy: field },
      { requiredKeys: [] },
    ),
    fc.json().map((j) => ({ json: j })),
  );
  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      const answer = await b.post('/v1/jobs', sent);
      expect(answer.statusCode).toBeGreaterThanOrEqual(400);
      expect(answer.statusCode).toBeLessThan(500);
      expect(errorIn(answer).detail).not.toMatch(/\n\s+at /);
    }),
    { seed: 1, numRuns: samples(200, 5000) },
  );
});
