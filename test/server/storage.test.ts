/** The data directory over HTTP: sizes, copies, records from another farm; and what is thrown away by itself. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import pino from 'pino';
import { expect, test } from 'vitest';
import { type JobRow, recordsToJsonLines, type TuningRecord } from '../../db/index.ts';
import { artifactDir } from '../../server/artifact.ts';
import { expired, type Keep, parseKeep, tidy } from '../../server/data/retention.ts';
import type { BackupBody, JobBody, StorageBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { opened, room } from '../unit/db-helpers.ts';
import { seededRecords } from '../unit/db-records.ts';
import { type Bench, errorIn, recordWith, startBench } from './bench.ts';

const send = (b: Bench, payload: string) =>
  b.app.inject({
    method: 'POST',
    url: '/v1/records/import',
    headers: { 'content-type': 'application/x-ndjson' },
    payload,
  });

test('records of another farm come in once, all of them or none; the daemon answers meanwhile', async () => {
  const [b, far] = [await startBench(), opened('memory')];
  const records = seededRecords(90, samples(600, 3000)).map((x) => far.addRecord(x));
  far.doubt(records[3]!.id, 'drift');
  const all = far.records({}, 10_000).items;
  const text = recordsToJsonLines(all);
  const [merged, health] = await Promise.all([send(b, text), b.get('/healthz')]);
  expect(health.statusCode).toBe(200);
  expect([merged.statusCode, merged.json()]).toEqual([200, { added: all.length, duplicates: 0, conflicts: 0 }]);
  expect((await send(b, text)).json()).toEqual({ added: 0, duplicates: all.length, conflicts: 0 });
  expect(b.store.records({}, 10_000).items).toEqual(all);
  const changed: TuningRecord = { ...all[0]!, policy: 'another' };
  expect((await send(b, recordsToJsonLines([changed]))).json()).toEqual({ added: 0, duplicates: 0, conflicts: 1 });
  const good = recordsToJsonLines([{ ...all[1]!, id: 't-new-1' }]);
  const wrong = await send(b, `${good}{"id":1}\n`);
  expect(errorIn(wrong)).toMatchObject({ status: 400, code: 'RECORD_BAD', detail: expect.stringContaining('line 2') });
  expect(b.store.record('t-new-1')).toBeUndefined();
  const asJson = await b.post('/v1/records/import', {});
  expect(asJson.statusCode).toBeGreaterThanOrEqual(400);
});

test('what takes room is counted, and a backup is a database', async () => {
  const b = await startBench(opened({ dir: room() }));
  b.store.addRecord(recordWith({}));
  b.store.addRecord(recordWith({ binary: 'b1' }));
  for (const [file, bytes] of [
    ['jobs/j-1/out/net.c', 100],
    ['jobs/j-1/default/net.c', 50],
    ['cache/a.o', 7],
    ['log', 20],
    ['log.1', 30],
    ['logbook', 1000],
  ] as const) {
    mkdirSync(join(b.dataDir, file, '..'), { recursive: true });
    writeFileSync(join(b.dataDir, file), 'x'.repeat(bytes));
  }
  const made = await b.post('/v1/backup');
  expect(made.statusCode).toBe(201);
  const backup = made.json<BackupBody>();
  const storage = (await b.get('/v1/storage')).json<StorageBody>();
  expect(storage).toMatchObject({
    trials: 2,
    artifacts: { jobs: 1, files: 2, bytes: 150 },
    cache: { files: 1, bytes: 7 },
    log: { files: 2, bytes: 50 },
    backups: { files: 1, bytes: backup.bytes },
  });
  expect(storage.bytes).toBeGreaterThan(0);
  expect(storage.bytesPerTrial).toBe(Math.round(storage.bytes / 2));
  const copy = opened({ file: join(b.dataDir, backup.file) }, { mode: 'read' });
  expect(copy.records({}, 10).items).toEqual(b.store.records({}, 10).items);
  copy.close();
});

const jobAt = (id: number, endedAt: string | null) => ({ id: `j-${id}`, endedAt }) as JobRow;

test('only jobs that ended expire: those that are too old, or not among the last', () => {
  const now = new Date('2026-06-01T00:00:00.000Z');
  const hour = fc.integer({ min: 0, max: 24 * 200 });
  const job = fc.option(hour.map((h) => new Date(now.getTime() - h * 3_600_000).toISOString()));
  fc.assert(
    fc.property(fc.array(job, { maxLength: 30 }), fc.nat(100), (ends, n) => {
      const jobs = ends.map((at, i) => jobAt(i, at));
      const age = (j: JobRow): number => now.getTime() - Date.parse(j.endedAt ?? '');
      const gone = (keep: Keep): readonly JobRow[] => expired(jobs, keep, now);
      const ended = jobs.filter((j) => j.endedAt !== null);
      expect(gone('all')).toEqual([]);
      expect(gone({ days: n })).toEqual(ended.filter((j) => age(j) > n * 86_400_000));
      const old = gone({ jobs: n });
      expect(old.length).toBe(Math.max(0, ended.length - n));
      const kept = ended.filter((j) => !old.includes(j));
      for (const j of old) for (const k of kept) expect(age(j)).toBeGreaterThanOrEqual(age(k));
    }),
    { seed: 6, numRuns: samples(60, 2000) },
  );
});

test('how much to keep is days or a number of jobs', () => {
  expect(parseKeep('90d')).toEqual({ ok: true, value: { days: 90 } });
  expect(parseKeep('12')).toEqual({ ok: true, value: { jobs: 12 } });
  for (const text of ['', 'd', '-1', '1.5d', '90 d', '90days', '1e3'])
    expect(parseKeep(text), text).toMatchObject({ error: { code: 'BAD_TIME' } });
});

test('tidying takes builds and artifacts of old jobs, and nothing that was measured', async () => {
  const b = await startBench();
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) {
    const { id } = await b.submit(i);
    ids.push(id);
    b.store.addRecord(recordWith({ job: id, binary: `b${i}` }));
    mkdirSync(artifactDir(b.dataDir, id), { recursive: true });
    writeFileSync(join(artifactDir(b.dataDir, id), 'net.c'), 'int x;');
  }
  mkdirSync(join(b.dataDir, 'jobs', 'of-nobody'));
  const [first = '', second = '', third = ''] = ids;
  b.store.updateJob(first, { state: 'done', endedAt: '2026-01-01T00:00:00.000Z', report: {} });
  b.store.updateJob(second, { state: 'done', endedAt: '2026-01-20T00:00:00.000Z', report: {} });
  const before = b.store.records({}, 10).items;
  const cacheDir = join(b.dataDir, 'cache');
  mkdirSync(cacheDir);
  const options = { store: b.store, dataDir: b.dataDir, cacheDir, log: pino({ level: 'silent' }) };
  await tidy({ ...options, keep: 'all' }, new Date('2030-01-01'));
  expect(readdirSync(join(b.dataDir, 'jobs')).length).toBe(4);
  await tidy({ ...options, keep: { days: 20 } }, new Date('2026-01-25'));
  const there = (id: string): boolean => existsSync(join(b.dataDir, 'jobs', id));
  expect([there(first), there(second), there(third), there('of-nobody')]).toEqual([false, true, true, true]);
  expect(b.store.records({}, 10).items).toEqual(before);
  expect((await b.get(`/v1/jobs/${first}`)).json<JobBody>().state).toBe('done');
  expect(errorIn(await b.get(`/v1/jobs/${first}/artifact`))).toMatchObject({ status: 410, code: 'ARTIFACT_GONE' });
  expect((await b.get(`/v1/jobs/${second}/artifact`)).statusCode).toBe(200);
});
