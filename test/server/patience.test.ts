/**
 * Jobs and the troubles of the machine: a full disk, a locked or read-only database, a deleted cache. None of them ends a job; it
 * says why it rests, reads go on, and it goes on by itself when the trouble is over. A night passes on a clock of ours; the database
 * is a real file.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { databaseName } from '../../db/index.ts';
import { openDatabase } from '../../db/open.ts';
import { storeOn } from '../../db/store.ts';
import type { Store } from '../../db/types.ts';
import { Feed } from '../../server/feed.ts';
import type { JobWork, Outcome } from '../../server/jobs/queue.ts';
import { Waits } from '../../server/jobs/waits.ts';
import { openLog } from '../../server/log.ts';
import { Run } from '../../server/progress.ts';
import type { JobBody, RecordPage } from '../../server/schemas/index.ts';
import { room } from '../unit/db-helpers.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { type Bench, errorIn, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

const trials = 5;
const minute = 60_000;

interface Farm {
  readonly bench: Bench;
  readonly clock: VirtualClock;
  readonly db: Database.Database;
  readonly store: Store;
  /** Of the database; the log is in there, too. */
  readonly dir: string;
  readonly broken: string[];
  /** Ids of jobs, one for each run that began. */
  readonly runs: string[];
  bodyOf(job: string): Promise<JobBody>;
  /** Codes of its waiting events; null: it went on. */
  waits(job: string): readonly (string | null)[];
}
/** What happens to a job's run before its next trial, `done` being there: nothing, or the end of the run. */
type Before = (f: Farm, job: string, done: number) => Outcome | undefined;

/** A farm on a database file. A run makes trials until its job has `trials` of them. */
async function farm(before: Before): Promise<Farm> {
  const dir = room();
  const opened = openDatabase({ dir }, 'write');
  if (!opened.ok) throw new Error(opened.error.detail);
  const db = opened.value;
  onTestFinished(() => void db.close());
  const clock = new VirtualClock('2026-01-31T22:00:00Z');
  const store = storeOn(db, () => new Date(clock.wall()));
  const log = openLog(dir, 'silent');
  const runs: string[] = [];
  const broken: string[] = [];
  const work: JobWork = async ({ job }) => {
    runs.push(job.id);
    await clock.sleep(1);
    for (let done = store.counts(job.id).done; done < trials; done++) {
      const end = before(f, job.id, done);
      if (end !== undefined) return end;
      // As large as some: each needs pages of its own.
      store.addRecord(recordWith({ job: job.id, binary: `b${done}`, repeats: Array(9000).fill(1) }));
    }
    return { state: 'done', report: { trials } };
  };
  const queue = {
    atOnce: 2,
    clock,
    work,
    broken: ({ code }: { readonly code: string }) => void broken.push(code),
    log,
  };
  const bench = await startBench(store, {}, queue);
  const f: Farm = {
    ...{ bench, clock, db, store, dir, broken, runs },
    bodyOf: async (job) => (await bench.get(`/v1/jobs/${job}`)).json<JobBody>(),
    waits: (job) =>
      store
        .events(job, 0, 1000)
        .flatMap((e) => (e.type === 'waiting' ? [(e.data.waiting as { code: string } | null)?.code ?? null] : [])),
  };
  return f;
}
const failed = (code: string): Outcome => ({
  state: 'failed',
  error: { stage: 'compile', code, detail: `of ${code}` },
});
/** A system's error that nobody on its way knew. */
const systemError = (code: string): Error => Object.assign(new Error(`${code}: something, open 'x'`), { code });

/** The second process of a database: it holds the lock for writing until it is let go. */
function locker(dir: string): { hold(): void; letGo(): void } {
  const other = new Database(join(dir, databaseName));
  onTestFinished(() => void other.close());
  return { hold: () => void other.exec('BEGIN IMMEDIATE'), letGo: () => void other.exec('ROLLBACK') };
}

interface Trouble {
  readonly code: string;
  begin(f: Farm): void;
  end(f: Farm): void;
}
const locks = new WeakMap<Farm, ReturnType<typeof locker>>();
const troubles: readonly Trouble[] = [
  {
    code: 'DISK_FULL',
    begin: ({ db }) => void db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`),
    end: ({ db }) => void db.pragma('max_page_count = 1000000'),
  },
  {
    code: 'DATA_DIR_READONLY',
    begin: ({ db }) => void db.pragma('query_only = 1'),
    end: ({ db }) => void db.pragma('query_only = 0'),
  },
  {
    code: 'DB_BUSY',
    begin: (f) => {
      f.db.pragma('busy_timeout = 1');
      const other = locks.get(f) ?? locker(f.dir);
      locks.set(f, other);
      other.hold();
    },
    end: (f) => locks.get(f)?.letGo(),
  },
];
for (const { code, begin, end } of troubles)
  test(`${code} in the middle of jobs: they say so, reads go on, and both go on when it is over, with nothing lost or twice`, async () => {
    let trouble = 0;
    const f = await farm((farm, _, done) => {
      if (done === 2 && trouble++ === 0) begin(farm);
      return undefined;
    });
    const [first, second] = [(await f.bench.submit(1)).id, (await f.bench.submit(2)).id];
    await f.clock.pass(30 * minute);
    for (const id of [first, second]) {
      const { state, waiting, error } = await f.bodyOf(id);
      expect(['running', 'queued']).toContain(state);
      expect([waiting?.code, error]).toEqual([code, null]);
      expect(Date.parse(waiting?.until ?? '')).toBeGreaterThan(f.clock.wall());
    }
    // Once or twice until they failed; since then only the database is asked.
    expect(f.runs.length).toBeLessThanOrEqual(3);
    const before = (await f.bench.get('/v1/records')).json<RecordPage>().items;
    expect(before.length).toBeGreaterThanOrEqual(2);
    expect(errorIn(await f.bench.upload(smallModel(9, 6, 64))).code).toBe(code);

    end(f);
    await f.clock.pass(2 * minute);
    for (const id of [first, second]) {
      expect(await f.bodyOf(id)).toMatchObject({ state: 'done', waiting: null, trials: { done: trials } });
      expect(f.waits(id).at(-1)).toBeNull();
      expect(f.waits(id)).toContain(code);
    }
    const after = (await f.bench.get('/v1/records')).json<RecordPage>().items;
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.length).toBe(2 * trials);
    expect(f.broken).toEqual([]);
  });

/** Lines of a farm's log, from some number on. */
const linesOf = ({ dir }: Farm, from = 0): readonly Readonly<Record<string, unknown>>[] =>
  readFileSync(join(dir, 'log'), 'utf8')
    .trim()
    .split('\n')
    .slice(from)
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);

for (const { code, begin, end } of troubles)
  test(`${code} for hours: the log tells each job's trouble once, by code and detail, and that it is over`, async () => {
    let trouble = 0;
    const f = await farm((farm, _, done) => {
      if (done === 2 && trouble++ === 0) begin(farm);
      return undefined;
    });
    const ids = [(await f.bench.submit(1)).id, (await f.bench.submit(2)).id];
    await f.clock.pass(5 * minute);
    const lines = linesOf(f);
    expect(new Set(lines.filter((l) => l.msg === 'job rests').map((l) => l.job))).toEqual(new Set(ids));
    expect(lines.filter((l) => l.level === 50 || JSON.stringify(l).includes('stack'))).toEqual([]);
    const troubled = lines.filter((l) => JSON.stringify(l).includes(code));
    for (const l of troubled) expect(l.err ?? l).toMatchObject({ code, detail: expect.any(String) });
    // That it rests, and that this could not be written; of what ended its run a line at most.
    expect(troubled.length).toBeLessThanOrEqual(3 * ids.length);
    await f.clock.pass(5 * 60 * minute);
    expect(linesOf(f, lines.length)).toEqual([]);
    end(f);
    await f.clock.pass(2 * minute);
    for (const job of ids)
      expect(linesOf(f, lines.length)).toContainEqual(
        expect.objectContaining({ job, msg: 'the database can be written again' }),
      );
  });

test('what a run waits for, looked at each second while nothing can be written, is one line, and is told when it can be', async () => {
  const f = await farm(() => undefined);
  const { id } = await f.bench.submit(1);
  await f.bench.post(`/v1/jobs/${id}/pause`);
  const [row] = f.store.jobs();
  if (row === undefined) throw new Error('the job is not there');
  f.db.pragma('query_only = 1');
  const run = new Run(row, new Feed(f.store), f.clock);
  const gone = { since: '2026-01-31T21:00:00Z', code: 'NO_DEVICE', detail: 'all of them' };
  const waits = new Waits(run, { gone }, openLog(f.dir, 'silent'));
  await f.clock.pass(10 * minute);
  const lines = linesOf(f).filter((l) => l.msg === 'why the job waits could not be written');
  expect(lines).toMatchObject([{ job: id, err: { code: 'DATA_DIR_READONLY' } }]);
  f.db.pragma('query_only = 0');
  await f.clock.pass(2000);
  expect(f.waits(id)).toEqual(['NO_DEVICE']);
  waits.end();
  expect(f.waits(id)).toEqual(['NO_DEVICE', null]);
});

test('what only one job meets holds up no other: a cache without room', async () => {
  let room: 'none' | 'some' = 'none';
  let sick = '';
  const f = await farm((_, job) => (job === sick && room === 'none' ? failed('DISK_FULL') : undefined));
  const ids = [(await f.bench.submit(1)).id, (await f.bench.submit(2)).id, (await f.bench.submit(3)).id];
  sick = ids[0] ?? '';
  const states = () => Promise.all(ids.map(async (id) => (await f.bodyOf(id)).state));
  await f.clock.pass(10 * minute);
  expect(await states()).toEqual(['running', 'done', 'done']);
  room = 'some';
  await f.clock.pass(2 * minute);
  expect(await states()).toEqual(['done', 'done', 'done']);
});

test('looks come less and less often, and a job that rests can be paused, resumed and cancelled', async () => {
  const f = await farm(() => failed('DISK_FULL'));
  const { id } = await f.bench.submit(1);
  await f.clock.pass(60 * minute);
  // One, two, four … up to sixty seconds.
  expect(f.runs.length).toBeGreaterThan(50);
  expect(f.runs.length).toBeLessThan(70);
  expect(f.waits(id).length).toBeLessThan(2 * f.runs.length);
  const say = async (verb: string) => (await f.bench.post(`/v1/jobs/${id}/${verb}`)).json<JobBody>();
  expect(await say('pause')).toMatchObject({ state: 'paused', waiting: null });
  const runs = f.runs.length;
  await f.clock.pass(60 * minute);
  expect(f.runs.length).toBe(runs);
  await say('resume');
  await f.clock.pass(1);
  expect(f.runs.length).toBe(runs + 1);
  expect((await f.bodyOf(id)).waiting?.code).toBe('DISK_FULL');
  expect(await say('cancel')).toMatchObject({ state: 'cancelled', waiting: null });
  await f.clock.pass(60 * minute);
  expect(f.runs.length).toBe(runs + 1);
  expect(f.clock.next).toBeUndefined();
});

test("a system's error that was thrown from anywhere counts as what it is", async () => {
  for (const [thrown, code] of [
    ['ENOSPC', 'DISK_FULL'],
    ['EROFS', 'DATA_DIR_READONLY'],
    ['ENOENT', 'CACHE_LOST'],
  ] as const) {
    let times = 0;
    const f = await farm(() => {
      if (times++ < 3) throw systemError(thrown);
      return undefined;
    });
    const { id } = await f.bench.submit(1);
    await f.clock.pass(1);
    expect((await f.bodyOf(id)).waiting?.code).toBe(code);
    await f.clock.pass(10 * minute);
    expect((await f.bodyOf(id)).state).toBe('done');
  }
});

test('files that are never there are a mistake of ours: the job fails with what it missed', async () => {
  const f = await farm(() => failed('CACHE_LOST'));
  const { id } = await f.bench.submit(1);
  await f.clock.pass(60 * minute);
  expect(await f.bodyOf(id)).toMatchObject({ state: 'failed', error: { code: 'CACHE_LOST' } });
  expect(f.runs.length).toBe(6);
});

test('a database that was deleted while it was open is the end, in words', async () => {
  const f = await farm((farm, _, done) => {
    if (done < 2) return undefined;
    rmSync(join(farm.dir, databaseName));
    return failed('CACHE_LOST');
  });
  const { id } = await f.bench.submit(1);
  await f.clock.pass(minute);
  expect(f.broken).toEqual(['DATA_DIR_BAD']);
  expect(f.runs).toEqual([id]);
  expect(f.bench.jobs.stopped).toBe(true);
});

test('a daemon that stops while jobs rest leaves them as they are, and looks no more', async () => {
  const f = await farm(() => failed('DISK_FULL'));
  const { id } = await f.bench.submit(1);
  await f.clock.pass(minute);
  await f.bench.jobs.stop(1000);
  const runs = f.runs.length;
  await f.clock.pass(60 * minute);
  expect(f.runs.length).toBe(runs);
  expect(f.store.job(id)?.state).toBe('running');
});
