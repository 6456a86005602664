/** The log as a whole over HTTP: routes say what the store says, refuse what makes no sense, and join jobs, models and trials. */
import { expect, test } from 'vitest';
import type { Task } from '../../compiler/tasks.ts';
import { prepare } from '../../server/models.ts';
import { untried } from '../../server/progress.ts';
import type { JobBody, ModelBody, RecordPage } from '../../server/schemas/index.ts';
import { Random } from '../unit/random.ts';
import { type Bench, errorIn, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

interface Farm {
  readonly b: Bench;
  readonly job: JobBody;
  readonly model: ModelBody;
  readonly tasks: readonly Task[];
}
/** A job on a small model, with trials of all its tasks, some failed. */
async function farm(): Promise<Farm> {
  const b = await startBench();
  const bytes = smallModel(1);
  const prepared = prepare(bytes, 'small');
  if (!prepared.ok) throw new Error(prepared.error.detail);
  const { tasks } = prepared.value;
  const model = (await b.upload(bytes)).json<ModelBody>();
  const job = (await b.post('/v1/jobs', { model: model.id, board: 'mps2-an386', trials: 10 })).json<JobBody>();
  const r = new Random(5);
  for (let i = 0; i < 60; i++) b.store.addRecord(trial(r, i, job.id, tasks[i % tasks.length]!));
  return { b, job, model, tasks };
}
function trial(r: Random, i: number, job: string, task: Task) {
  const failed = { status: 'failed', cycles: null, repeats: null, stage: 'run', detail: 'x' } as const;
  const knobs = { tile: r.int(1, 3), flags: r.pick(['-O2', '-Os']) };
  return recordWith({
    job,
    task: task.id,
    workload: task.key,
    template: i < 6 ? 'default' : 'tiles',
    config: { template: 'tiles', version: 1, knobs },
    device: r.pick(['d0', 'd1']),
    binary: `b${i}`,
    ...(i >= 6 && r.int(0, 3) === 0 ? { ...failed, code: r.pick(['FAULT', 'DEADLINE']) } : { cycles: r.int(100, 900) }),
  });
}
const itemsOf = async (b: Bench, url: string): Promise<readonly Readonly<Record<string, unknown>>[]> => {
  const answer = await b.get(url);
  expect([url, answer.statusCode]).toEqual([url, 200]);
  return answer.json<{ items: readonly Readonly<Record<string, unknown>>[] }>().items;
};

test('an uploaded model tells the log its layers: tasks, words and networks, before any trial', async () => {
  const { b, model, tasks } = await farm();
  const items = await itemsOf(b, `/v1/tasks?network=${model.id}`);
  const wanted = tasks.map((t) => ({
    id: t.id,
    op: t.workload.op,
    // In the words of the job's own list.
    shape: untried(t).shape,
    macs: t.macs,
    networks: [{ id: model.id, name: model.name }],
  }));
  const byId = (x: Readonly<Record<string, unknown>>, y: Readonly<Record<string, unknown>>): number =>
    String(x.id) < String(y.id) ? -1 : 1;
  expect(items).toMatchObject(wanted.toSorted(byId));
  expect(await itemsOf(b, '/v1/tasks?network=none')).toEqual([]);
  const { items: shown } = b.store.log.tasks({ network: model.id, board: 'mps2-an386' }, 9);
  expect(await itemsOf(b, `/v1/tasks?network=${model.id}&board=mps2-an386`)).toEqual(shown);
  const one = (await b.get(`/v1/tasks/${tasks[0]!.id}`)).json<{ readonly bests: unknown }>();
  expect(one).toEqual(b.store.log.task(tasks[0]!.id));
  expect(errorIn(await b.get('/v1/tasks/none'))).toMatchObject({ status: 404, code: 'TASK_NOT_FOUND' });
});

test('every summary is what the store says of the same filter', async () => {
  const { b, job, model, tasks } = await farm();
  const { log } = b.store;
  const [{ id: task }] = tasks as [Task];
  const place = { task, board: 'mps2-an386', kind: 'instructions' } as const;
  const at = `task=${task}&board=mps2-an386&kind=instructions`;
  expect(await itemsOf(b, '/v1/stats/best')).toEqual(log.best({}));
  expect(await itemsOf(b, `/v1/stats/best?network=${model.id}&knob.tile=2&knob.flags=-Os`)).toEqual(
    log.best({ network: model.id, knobs: { tile: 2, flags: '-Os' } }),
  );
  for (const by of ['stage', 'code', 'device', 'template', 'job'] as const)
    expect(await itemsOf(b, `/v1/stats/failures?by=${by}&op=conv2d`)).toEqual(log.failures({ op: 'conv2d' }, by));
  expect(await itemsOf(b, `/v1/stats/knobs?${at}&template=tiles`)).toEqual(log.knobs({ ...place, template: 'tiles' }));
  expect(await itemsOf(b, `/v1/stats/scatter?${at}&job=${job.id}&limit=5`)).toEqual(
    log.scatter({ ...place, job: job.id }, 5),
  );
  const curve = async (query: string): Promise<unknown> => (await b.get(`/v1/stats/curve?${query}`)).json();
  const whole = log.curveOfJob(job.id);
  expect(whole.points.length).toBeGreaterThan(1);
  expect(await curve(`job=${job.id}`)).toEqual({ ...whole, job: job.id });
  expect(await curve(`job=${job.id}&task=${task}`)).toEqual({
    ...log.curveOfTask({ ...place, job: job.id }),
    job: job.id,
  });
  expect(await curve(`${at}&policy=random`)).toEqual({ ...log.curveOfTask({ ...place, policy: 'random' }), job: null });
  // The last point of a job's curve is the sum that its list of tasks says.
  const best = new Map(log.best({ job: job.id }).map((x) => [x.task, x.best ?? 0]));
  const sum = tasks.reduce((n, t) => n + (best.get(t.id) ?? 0) * t.occurrences.length, 0);
  expect(whole.points.at(-1)?.cycles).toBe(sum);
});

test('records by any filter and order, over pages', async () => {
  const { b, model, tasks } = await farm();
  const queries = [
    `network=${model.id}`,
    `op=conv2d&status=ok&sort=-cycles&kind=instructions`,
    `shape=${encodeURIComponent(untried(tasks[0]!).shape)}&sort=cycles`,
    'knob.tile=2&knob.flags=-O2&sort=-at',
    'policy=random&template=tiles&device=d1&stage=run&code=FAULT',
    'binary=b7',
    'toolchain=gcc%2012&cyclesMin=200&cyclesMax=500&until=2999-01-01&since=2000-01-01',
  ];
  for (const query of queries) {
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const page = (await b.get(`/v1/records?${query}&limit=7${cursor}`)).json<RecordPage>();
      seen.push(...page.items.map((x) => x.id));
      if (page.next === null) break;
      cursor = `&cursor=${encodeURIComponent(page.next)}`;
    }
    const whole = (await b.get(`/v1/records?${query}&limit=1000`)).json<RecordPage>().items;
    expect(seen, query).toEqual(whole.map((x) => x.id));
    expect(new Set(seen).size, query).toBe(seen.length);
    expect(seen.length, query).toBeGreaterThan(0);
  }
});

test('what makes no sense is refused', async () => {
  const { b, job } = await farm();
  b.store.addRecord(recordWith({ kind: 'model', task: 'another', workload: '{}' }));
  const long = 'x'.repeat(201);
  for (const [url, status, code] of [
    ['/v1/records?sort=cycles', 409, 'KINDS_MIXED'],
    ['/v1/records?sort=-cycles&task=another', 200, undefined],
    ['/v1/records?sort=speed', 400, 'BAD_REQUEST'],
    ['/v1/records?layer=a', 400, 'BAD_REQUEST'],
    ['/v1/records?knob.=1', 400, 'BAD_REQUEST'],
    ['/v1/records?knob.a%22b=1', 400, 'BAD_REQUEST'],
    [`/v1/records?knob.a=${long}`, 400, 'BAD_REQUEST'],
    [`/v1/records?op=${long}`, 400, 'BAD_REQUEST'],
    ['/v1/records?cyclesMin=few', 400, 'BAD_REQUEST'],
    ['/v1/records?until=tomorrow', 400, 'BAD_REQUEST'],
    ['/v1/stats/best?knobs=1', 400, 'BAD_REQUEST'],
    ['/v1/stats/best?since=tomorrow', 400, 'BAD_REQUEST'],
    ['/v1/stats/failures', 400, 'BAD_REQUEST'],
    ['/v1/stats/failures?by=colour', 400, 'BAD_REQUEST'],
    ['/v1/stats/curve', 400, 'BAD_REQUEST'],
    ['/v1/stats/curve?task=t&board=b', 400, 'BAD_REQUEST'],
    [`/v1/stats/curve?job=${job.id}&policy=random`, 400, 'BAD_REQUEST'],
    ['/v1/stats/curve?job=none', 404, 'JOB_NOT_FOUND'],
    ['/v1/stats/knobs?task=t&board=b', 400, 'BAD_REQUEST'],
    ['/v1/stats/scatter?task=t&board=b&kind=model&limit=20001', 400, 'BAD_REQUEST'],
    ['/v1/tasks?limit=0', 400, 'BAD_REQUEST'],
    ['/v1/tasks?cursor=abc', 400, 'BAD_CURSOR'],
  ] as const) {
    const answer = await b.get(url);
    expect([url, answer.statusCode, errorIn(answer).code]).toEqual([url, status, code]);
  }
});
