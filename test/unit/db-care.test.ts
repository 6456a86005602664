/** Taking care of a database: what is wrong is found, summaries are made again, and a copy made in mid-work is whole. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { databaseName, type Store, type TuningRecord } from '../../db/index.ts';
import { schemaFiles } from '../../db/migrate.ts';
import { samples } from '../samples.ts';
import { clock, opened, room } from './db-helpers.ts';
import { randomRecord } from './db-records.ts';
import { Random } from './random.ts';

const longAgo = '2000-01-01T00:00:00.000Z';
const sound = { damage: [], dangling: 0, wrongSummaries: 0, doubtsOfNothing: 0, staleDevices: [] };

/** Records, some taken over from others, some doubted. */
function fill(store: Store, r: Random, count: number): readonly TuningRecord[] {
  const all: TuningRecord[] = [];
  for (let i = 0; i < count; i++) {
    const reusedFrom = i > 0 && r.int(0, 3) === 0 ? r.pick(all).id : null;
    all.push(store.addRecord({ ...randomRecord(r), reusedFrom }));
    if (r.int(0, 4) === 0) store.doubt(r.pick(all).id, 'drift');
  }
  return all;
}

test('summaries that are not what the trials say are found, whatever is wrong, and made again', () => {
  const r = new Random(80);
  const wrongs = [
    'UPDATE tallies SET trials = trials + 1 WHERE id = (SELECT min(id) FROM tallies)',
    'UPDATE tallies SET best = best - 0.25 WHERE best IS NOT NULL',
    'UPDATE tallies SET best_seq = 0 WHERE best IS NOT NULL',
    "UPDATE lots SET board = 'other' WHERE id = (SELECT max(id) FROM lots)",
    'UPDATE lots SET stands = 1 - stands WHERE id = (SELECT max(id) FROM lots)',
    'DELETE FROM tallies WHERE id = (SELECT max(id) FROM tallies)',
    'DELETE FROM marks WHERE seq = 3',
    'INSERT INTO marks SELECT tally, 9999, at, cycles FROM marks LIMIT 1',
    'UPDATE marks SET cycles = 1e9 WHERE seq = 5',
    'UPDATE marks SET tally = 999 WHERE seq = 5',
    'UPDATE lots SET trials = trials + 1 WHERE id = (SELECT min(id) FROM lots)',
    'UPDATE lots SET best_seq = 0 WHERE best IS NOT NULL',
    "UPDATE tallies SET device = 'other' WHERE id = (SELECT max(id) FROM tallies)",
    'DELETE FROM lots WHERE id = (SELECT max(id) FROM lots)',
    "UPDATE spans SET last_at = '2027'",
    'UPDATE outcomes SET trials = trials + 1 WHERE id = (SELECT min(id) FROM outcomes)',
    "UPDATE outcomes SET job = 'other' WHERE id = (SELECT max(id) FROM outcomes)",
    'UPDATE tallies SET outcome = NULL WHERE id = (SELECT min(id) FROM tallies)',
    'DELETE FROM lots; DELETE FROM tallies; DELETE FROM outcomes; DELETE FROM marks; DELETE FROM spans',
  ];
  for (const sql of wrongs) {
    const dir = room();
    const store = opened({ dir }, { mode: 'write', now: clock(r) });
    const all = fill(store, r, samples(40, 300));
    const before = [store.log.best({}), store.log.failures({}, 'code')];
    expect(store.health(longAgo)).toEqual({ ...sound, withoutOrigin: 0 });
    const other = new Database(join(dir, databaseName));
    other.exec(sql);
    other.close();
    expect(store.health(longAgo).wrongSummaries, sql).toBeGreaterThan(0);
    store.remakeSummaries();
    expect(store.health(longAgo), sql).toEqual({ ...sound, withoutOrigin: 0 });
    expect([store.log.best({}), store.log.failures({}, 'code')]).toEqual(before);
    expect(store.records({}, 1000).items.map((x) => x.id)).toEqual(all.map((x) => x.id));
    // And they are kept from there on.
    fill(store, r, 10);
    expect(store.health(longAgo).wrongSummaries, sql).toBe(0);
    store.close();
  }
});

test('a database of before the summaries gets them, and words for its tasks', () => {
  const [dir, old] = [room(), join(room(), 'old.db')];
  const store = opened({ dir });
  const all = fill(store, new Random(82), samples(80, 600));
  const workload = '{"inputs":[{"shape":[1,8]}],"op":"add","outputs":[{"shape":[4]}]}';
  store.addRecord({ ...randomRecord(new Random(3)), task: 'real', workload });
  const db = new Database(old);
  const before = schemaFiles.slice(0, 3);
  for (const file of before) db.exec(readFileSync(join(import.meta.dirname, '../../db/schema', file), 'utf8'));
  db.pragma(`user_version = ${before.length}`);
  db.prepare('ATTACH ? AS new').run(join(dir, databaseName));
  db.exec(`DELETE FROM farm; INSERT INTO farm SELECT * FROM new.farm;
    INSERT INTO tasks SELECT id, workload FROM new.tasks; INSERT INTO environments SELECT * FROM new.environments;
    INSERT INTO trials SELECT * FROM new.trials; INSERT INTO doubts SELECT * FROM new.doubts;`);
  db.close();
  const migrated = opened({ file: old });
  expect(migrated.records({}, 1000)).toEqual(store.records({}, 1000));
  expect(migrated.health(longAgo)).toEqual(store.health(longAgo));
  expect(migrated.health(longAgo).wrongSummaries).toBe(0);
  expect(migrated.log.best({})).toEqual(store.log.best({}));
  expect(migrated.log.task('real')).toMatchObject({ op: 'add', shape: '1x8 -> 4' });
  expect(migrated.records({}, 1000).items.length).toBe(all.length + 1);
  for (const s of [store, migrated]) s.close();
});

test('what is missing or idle is told of', () => {
  const store = opened('memory', { mode: 'write', now: () => new Date('2026-02-01') });
  const plain = { ...randomRecord(new Random(1)), device: 'd0', board: 'host', reusedFrom: null };
  store.addRecord(plain);
  store.addRecord({ ...plain, reusedFrom: 't-elsewhere-1' });
  const told = store.health('2026-03-01T00:00:00.000Z');
  expect(told).toMatchObject({
    withoutOrigin: 1,
    staleDevices: [{ device: 'd0', board: 'host', lastAt: '2026-02-01T00:00:00.000Z' }],
  });
  expect(store.health('2026-02-01T00:00:00.000Z').staleDevices).toEqual([]);
});

test('a backup made while records are appended is a whole database that holds the log up to some point', async () => {
  const dir = room();
  const store = opened({ dir });
  const r = new Random(81);
  // More pages than are copied at once, so that there is a between.
  const before = fill(store, r, 400);
  const file = join(dir, 'backups', 'a.db');
  const copying = store.backup(file);
  const during: TuningRecord[] = [];
  let over = false;
  void copying.finally(() => {
    over = true;
  });
  while (!over) {
    during.push(store.addRecord(randomRecord(r)));
    await new Promise((turn) => setImmediate(turn));
  }
  const done = await copying;
  if (!done.ok) throw new Error(done.error.detail);
  const all = store.records({}, 10_000).items;
  const copy = opened({ file }, { mode: 'read' });
  const { items } = copy.records({}, 10_000);
  expect(items).toEqual(all.slice(0, items.length));
  expect(items.length).toBeGreaterThanOrEqual(before.length);
  expect(during.length).toBeGreaterThan(1);
  expect(copy.health(longAgo)).toEqual({ ...sound, withoutOrigin: store.health(longAgo).withoutOrigin });
  copy.close();
  expect(await store.backup(file), 'a backup is never written over').toMatchObject({
    error: { code: 'FILE_UNUSABLE' },
  });
  store.close();
});

test('a backup that cannot be written says so and leaves nothing', async () => {
  const dir = room();
  const store = opened({ dir });
  writeFileSync(join(dir, 'file'), '');
  const failed = await store.backup(join(dir, 'file', 'a.db'));
  expect(failed).toMatchObject({ ok: false, error: { stage: 'data', code: 'DATA_DIR_BAD' } });
  expect(existsSync(join(dir, 'file', 'a.db'))).toBe(false);
  expect(readdirSync(dir).filter((f) => f.includes('part'))).toEqual([]);
  store.close();
});
