/** Why a job waits: events tell when each reason begins and when it is over, whatever the job does and however often daemons end. */
import { expect, onTestFinished, test } from 'vitest';
import type { JobWork, Outcome } from '../../server/jobs/queue.ts';
import { Waits } from '../../server/jobs/waits.ts';
import { openLog } from '../../server/log.ts';
import { type JobBody, WaitingBody } from '../../server/schemas/index.ts';
import { room } from '../unit/db-helpers.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { type Bench, openBenchStore, startBench } from './bench.ts';

const minute = 60_000;
type Code = WaitingBody['code'];

/** What a farm of one job at a time does with its jobs. */
interface Scene {
  /** Codes with which runs end before the one that goes on. */
  readonly troubles: string[];
  /** Since when no device works; undefined while some do. */
  gone: { readonly since: string; readonly code: string; readonly detail: string } | undefined;
  others: 'others' | 'nothing';
}
interface Night {
  readonly bench: Bench;
  readonly clock: VirtualClock;
  readonly scene: Scene;
  submit(more?: object): Promise<string>;
  bodyOf(job: string): Promise<JobBody>;
  /** Codes of its waiting events in order; null: it went on. */
  told(job: string): readonly (string | null)[];
}

async function night(store = openBenchStore()): Promise<Night> {
  const clock = new VirtualClock('2026-02-01T12:00:00Z');
  const scene: Scene = { troubles: [], gone: undefined, others: 'nothing' };
  const log = openLog(room(), 'silent');
  /** A trial a minute for ever, on devices that come and go. */
  const work: JobWork = async (run, signal): Promise<Outcome> => {
    const code = scene.troubles.shift();
    if (code !== undefined) return { state: 'failed', error: { stage: 'compile', code, detail: '' } };
    const pool = {
      get gone() {
        return scene.gone;
      },
    } as ConstructorParameters<typeof Waits>[1];
    const waits = new Waits(run, pool, log);
    while (!signal.aborted) {
      waits.others(scene.others);
      await clock.sleep(minute);
    }
    waits.end();
    return { state: 'stopped' };
  };
  const bench = await startBench(store, {}, { clock, work, log });
  onTestFinished(async () => {
    const stopped = bench.jobs.stop(0);
    await clock.pass(2 * minute);
    await stopped;
  });
  const model = (await bench.submit()).model;
  await bench.post(`/v1/jobs/${store.jobs()[0]?.id}/cancel`);
  await clock.pass(2 * minute);
  return {
    bench,
    clock,
    scene,
    submit: async (more = {}) =>
      (await bench.post('/v1/jobs', { model, board: 'mps2-an386', trials: 1000, ...more })).json<JobBody>().id,
    bodyOf: async (job) => (await bench.get(`/v1/jobs/${job}`)).json<JobBody>(),
    told: (job) =>
      store
        .events(job, 0, 1000)
        .flatMap((e) => (e.type === 'waiting' ? [(e.data.waiting as WaitingBody | null)?.code ?? null] : [])),
  };
}

interface Case {
  /** Brings a job to wait, and lets it wait no more. */
  begin(n: Night): Promise<string>;
  end(n: Night, job: string): Promise<void>;
}
const trouble = (code: Code): Case => ({
  begin: async (n) => {
    n.scene.troubles.push(code);
    return await n.submit();
  },
  end: (n) => n.clock.pass(minute),
});
const cases: Readonly<Record<Code, Case>> = {
  WINDOW: { begin: (n) => n.submit({ window: '13:00-14:00 UTC' }), end: (n) => n.clock.pass(60 * minute) },
  TURN: {
    begin: async (n) => {
      await n.submit();
      return await n.submit();
    },
    end: async (n) => {
      await n.bench.post(`/v1/jobs/${n.bench.jobs.running[0]?.job.id}/cancel`);
    },
  },
  NO_DEVICE: {
    begin: async (n) => {
      const job = await n.submit();
      n.scene.gone = { since: '2026-02-01T11:00:00Z', code: 'NO_DEVICE', detail: 'all of them' };
      return job;
    },
    end: async (n) => {
      n.scene.gone = undefined;
    },
  },
  SAME_TASKS: {
    begin: async (n) => {
      n.scene.others = 'others';
      return await n.submit();
    },
    end: async (n) => {
      n.scene.others = 'nothing';
    },
  },
  DISK_FULL: trouble('DISK_FULL'),
  DB_BUSY: trouble('DB_BUSY'),
  DATA_DIR_READONLY: trouble('DATA_DIR_READONLY'),
  TOO_MANY_PROCESSES: trouble('TOO_MANY_PROCESSES'),
  CACHE_LOST: trouble('CACHE_LOST'),
};

for (const [code, { begin, end }] of Object.entries(cases)) {
  test(`${code}: told once when it begins, and once when it is over`, async () => {
    const n = await night();
    const job = await begin(n);
    // The look at devices comes each second, the one at a trouble after one.
    await n.clock.pass(code === 'NO_DEVICE' ? 90_000 : 500);
    expect((await n.bodyOf(job)).waiting?.code).toBe(code);
    expect(n.told(job)).toEqual([code]);
    await end(n, job);
    await n.clock.pass(2 * minute);
    expect(await n.bodyOf(job)).toMatchObject({ state: 'running', waiting: null });
    expect(n.told(job)).toEqual([code, null]);
  });

  test(`${code}: a job that is cancelled waits no more, and nothing is told behind its end`, async () => {
    const n = await night();
    const job = await begin(n);
    await n.clock.pass(code === 'NO_DEVICE' ? 90_000 : 500);
    await n.bench.post(`/v1/jobs/${job}/cancel`);
    await n.clock.pass(60 * minute);
    expect(n.told(job)).toEqual([code, null]);
    expect(n.bench.store.events(job, 0, 1000).at(-1)).toMatchObject({ type: 'state', data: { state: 'cancelled' } });
  });
}

test('every reason of the schema is tried here', () => {
  const codes = WaitingBody.properties.code.anyOf.map((c) => c.const);
  expect(Object.keys(cases).toSorted()).toEqual(codes.toSorted());
});

test('one reason may follow another; what a daemon left open is over, or told anew, with the next', async () => {
  const store = openBenchStore();
  const first = await night(store);
  const job = await cases.NO_DEVICE.begin(first);
  const behind = await first.submit();
  await first.clock.pass(2 * minute);
  expect([first.told(job), first.told(behind)]).toEqual([['NO_DEVICE'], ['TURN']]);
  const stopped = first.bench.jobs.stop(minute);
  await first.clock.pass(2 * minute);
  await stopped;
  expect(first.told(job)).toEqual(['NO_DEVICE']);
  const next = await startBench(store, {}, { clock: first.clock });
  next.jobs.start();
  expect([first.told(job), first.told(behind)]).toEqual([['NO_DEVICE', null], ['TURN']]);
  next.begun[0]?.run.wait({ code: 'NO_DEVICE', detail: 'again', until: null });
  next.begun[0]?.run.wait({ code: 'SAME_TASKS', detail: '', until: null });
  expect(first.told(job)).toEqual(['NO_DEVICE', null, 'NO_DEVICE', 'SAME_TASKS']);
});
