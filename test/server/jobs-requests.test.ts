/** What a job may be asked for beside its budgets, and how jobs are listed, copied and followed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prepare } from '../../server/models.ts';
import type { JobBody, JobGroup, JobList, ModelBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { errorIn, startBench } from './bench.ts';
import { smallModel } from './model.ts';

const board = 'mps2-an386';
const taskIds = (seed: number): readonly string[] => {
  const made = prepare(smallModel(seed), 'x');
  if (!made.ok) throw new Error(made.error.detail);
  return made.value.tasks.map((t) => t.id);
};

test('wrong windows, tasks, boards and ends are refused with what is wrong', async () => {
  const b = await startBench();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const good = { model, board };
  const cases: readonly (readonly [object, number, string, RegExp])[] = [
    [{ ...good, window: '20:00-07:00 Mars/Olympus' }, 400, 'BAD_WINDOW', /Mars\/Olympus/],
    [{ ...good, window: 'nights' }, 400, 'BAD_WINDOW', /write it like/],
    [{ ...good, window: 'x'.repeat(101) }, 400, 'BAD_REQUEST', /window/],
    [{ ...good, tasks: ['nope'] }, 400, 'JOB_TASK_UNKNOWN', /"nope"/],
    [{ ...good, tasks: [] }, 400, 'BAD_REQUEST', /tasks/],
    [{ ...good, priority: 'urgent' }, 400, 'BAD_REQUEST', /priority/],
    [{ ...good, until: { percent: 0, trials: 10 } }, 400, 'BAD_REQUEST', /percent/],
    [{ ...good, until: { percent: 1 } }, 400, 'BAD_REQUEST', /trials/],
    [{ ...good, time: '100000d' }, 400, 'BAD_TIME', /too long/],
    [{ ...good, name: '' }, 400, 'BAD_REQUEST', /name/],
    [{ ...good, name: 'n'.repeat(101) }, 400, 'BAD_REQUEST', /name/],
    [{ ...good, webhooks: Array.from({ length: 9 }, () => 'https://example.org') }, 400, 'BAD_REQUEST', /webhooks/],
    [{ ...good, boards: [board] }, 400, 'BAD_REQUEST', /one board, or boards/],
    [{ model }, 400, 'BAD_REQUEST', /one board, or boards/],
    [{ model, boards: [board, board] }, 400, 'BAD_REQUEST', /different/],
    [{ model, boards: [board, 'stm32'] }, 404, 'BOARD_UNKNOWN', /"stm32"/],
    [{ model, boards: [board, 'host'] }, 409, 'NO_DEVICE', /host/],
  ];
  for (const [body, status, code, detail] of cases) {
    const answer = await b.post('/v1/jobs', body);
    expect([body, answer.statusCode, errorIn(answer).code]).toEqual([body, status, code]);
    expect(errorIn(answer).detail).toMatch(detail);
  }
  // Of a request for several boards all jobs are made or none.
  expect((await b.get('/v1/jobs')).json<JobList>().items).toEqual([]);
});

test('a name is one line that can be seen, a window is kept without what is around it', async () => {
  const b = await startBench();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const made = async (change: object) => (await b.post('/v1/jobs', { model, board, ...change })).json<JobBody>();
  expect((await made({ name: ' a\r\nb\u001b[2J\u202e ' })).name).toBe('a b [2J');
  expect((await made({ name: ' \u0000 ' })).name).toBeNull();
  expect((await made({ window: ' 20:00-07:00 UTC\n' })).window).toBe('20:00-07:00 UTC');
});

test('what was asked for is shown, and a copy asks for the same but for what it is told', async () => {
  const b = await startBench();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const other = (await b.upload(smallModel(2))).json<ModelBody>().id;
  const [first = ''] = taskIds(1);
  const asked = {
    model,
    board,
    name: 'tonight',
    priority: 'high',
    window: '20:00-07:00 Europe/Berlin',
    until: { percent: 0.5, trials: 200 },
    tasks: [first],
    time: '8h',
    seed: 7,
    policy: 'random',
    budgets: { ramBytes: 60_000 },
  } as const;
  const { tasks: only, time: _, ...shown } = asked;
  const job = (await b.post('/v1/jobs', asked)).json<JobBody>();
  const budgets = { ramBytes: 60_000, flashBytes: null };
  const rest = { only, timeMs: 8 * 3_600_000, budgets, group: null, trials: { budget: 10_000_000 } };
  expect(job).toMatchObject({ ...shown, ...rest, clonedFrom: null });
  const clone = async (change: object) => (await b.post(`/v1/jobs/${job.id}/clone`, change)).json<JobBody>();
  expect(await clone({})).toMatchObject({ ...shown, ...rest, clonedFrom: job.id });
  expect(await clone({ seed: 8, priority: 'low', trials: 50 })).toMatchObject({
    ...shown,
    ...rest,
    seed: 8,
    priority: 'low',
    trials: { budget: 50 },
  });
  // Tasks are the model's.
  expect(await clone({ model: other })).toMatchObject({ model: other, only: null, seed: 7 });
  expect(await clone({ boards: ['mps2-an386', 'mps2-an385'] })).toMatchObject({ items: [{ seed: 7 }, { seed: 7 }] });
  for (const [change, code] of [
    [{ window: 'never' }, 'BAD_WINDOW'],
    [{ state: 'done' }, 'BAD_REQUEST'],
    [{ model: null }, 'BAD_REQUEST'],
  ] as const)
    expect(errorIn(await b.post(`/v1/jobs/${job.id}/clone`, change)).code).toBe(code);
  expect(errorIn(await b.post('/v1/jobs/nope/clone', {})).code).toBe('JOB_NOT_FOUND');
});

test('several boards make a job each, which are found by their group', async () => {
  const b = await startBench();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const boards = ['mps2-an386', 'mps2-an385'];
  const made = (await b.post('/v1/jobs', { model, boards, trials: 5 })).json<JobGroup>();
  expect(made.items.map((j) => [j.board, j.group, j.trials.budget])).toEqual(boards.map((x) => [x, made.group, 5]));
  await b.submit(3);
  const ids = async (query: string) => (await b.get(`/v1/jobs?${query}`)).json<JobList>().items.map((j) => j.id);
  const [first, second] = made.items.map((j) => j.id);
  expect(await ids(`group=${made.group}`)).toEqual([second, first]);
  expect(await ids(`group=${made.group}&board=mps2-an385`)).toEqual([second]);
  expect(await ids(`model=${model}&state=running`)).toEqual([first]);
  const page = (await b.get('/v1/jobs?limit=2')).json<JobList>();
  const rest = (await b.get(`/v1/jobs?limit=2&cursor=${page.next}`)).json<JobList>();
  expect([page.items.length, rest.items.map((j) => j.id), rest.next]).toEqual([2, [first], null]);
  for (const [query, code] of [
    ['state=lost', 'BAD_REQUEST'],
    ['limit=0', 'BAD_REQUEST'],
    ['colour=red', 'BAD_REQUEST'],
    ['cursor=MQ', 'BAD_CURSOR'],
    [`board=x&cursor=${page.next}`, 'BAD_CURSOR'],
  ])
    expect([query, errorIn(await b.get(`/v1/jobs?${query}`)).code]).toEqual([query, code]);
});

test('as many jobs run as the daemon may run at once, and what an earlier one left goes on first', async () => {
  const before = await startBench(undefined, {}, { atOnce: 2 });
  const ids = [(await before.submit(1)).id, (await before.submit(2)).id, (await before.submit(3)).id];
  const health = async (b: typeof before) => (await b.get('/healthz')).json<object>();
  expect(await health(before)).toMatchObject({ jobs: ids.slice(0, 2), queued: 1 });
  await before.jobs.stop(1000);
  expect(before.begun.map((x) => x.signal.aborted)).toEqual([true, true]);

  const after = await startBench(before.store, {}, { atOnce: 2 });
  await after.post(`/v1/jobs/${ids[2]}/clone`, { priority: 'high' });
  after.jobs.start();
  expect(await health(after)).toMatchObject({ jobs: ids.slice(0, 2), queued: 2 });
});

test('no request for a job, whatever is in it, is an error of ours', async () => {
  const b = await startBench();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const { id } = (await b.post('/v1/jobs', { model, board })).json<JobBody>();
  const any = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.constant(null), fc.boolean(), fc.object());
  const body = fc.record(
    {
      window: fc.oneof(any, fc.constantFrom('20:00-07:00 UTC', '20:00-07:00 __proto__', '99:00-07:00 UTC')),
      until: fc.oneof(any, fc.record({ percent: fc.double(), trials: fc.integer() })),
      tasks: fc.oneof(any, fc.array(fc.string())),
      priority: any,
      name: fc.string(),
      boards: fc.oneof(any, fc.array(fc.constantFrom(board, 'x', '__proto__'))),
      webhooks: fc.oneof(any, fc.array(fc.webUrl())),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(body, async (change) => {
      for (const answer of [
        await b.post('/v1/jobs', { model, ...change }),
        await b.post(`/v1/jobs/${id}/clone`, change),
      ]) {
        expect(answer.statusCode).toBeLessThan(500);
        if (answer.statusCode >= 400) expect(errorIn(answer).detail).not.toMatch(/\n\s+at /);
      }
    }),
    { seed: 1, numRuns: samples(60, 3000) },
  );
});
