/** The Store against a model that is a plain list: whatever is done in whatever order, with the file closed and opened between. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import {
  BadCursor,
  BadFilter,
  databaseName,
  type JobRow,
  type JobState,
  type RankedOf,
  type RecordFilter,
  type Store,
  type TuningRecord,
} from '../../db/index.ts';
import { migrate, schemaFiles } from '../../db/migrate.ts';
import { openDatabase } from '../../db/open.ts';
import { samples } from '../samples.ts';
import { clock, opened, room } from './db-helpers.ts';
import { boards, jobNames, randomRecord, seededRecords, tasks } from './db-records.ts';
import { Random } from './random.ts';

const kinds = ['host', 'instructions'] as const;

const matches = (r: TuningRecord, f: RecordFilter): boolean =>
  (f.job === undefined || r.job === f.job) &&
  (f.board === undefined || r.board === f.board) &&
  (f.kind === undefined || r.kind === f.kind) &&
  (f.task === undefined || r.task === f.task) &&
  (f.status === undefined || r.status === f.status) &&
  (f.since === undefined || Date.parse(r.at) >= Date.parse(f.since));

function randomFilter(r: Random): RecordFilter {
  const some = <T>(key: string, value: T): Record<string, T> => (r.int(0, 2) === 0 ? { [key]: value } : {});
  return {
    ...some('job', r.pick(['j-a', 'j-b', 'j-nobody'])),
    ...some('board', r.pick(boards)),
    ...some('kind', r.pick(kinds)),
    ...some('task', r.pick(tasks)),
    ...some('status', r.pick(['ok', 'failed'] as const)),
    ...some('since', r.pick(['2026-01-01T00:00:00.100Z', '2026-01-01T01:00:00.3+01:00', '2025-12-31'])),
  };
}

/** Neither it nor what it took over is doubted. */
const stands = (all: readonly TuningRecord[], r: TuningRecord): boolean =>
  r.doubt === null && all.find((x) => x.id === r.reusedFrom)?.doubt == null;

/** What the Store must answer, from a list of all records in the order of appending. */
const model = {
  best(all: readonly TuningRecord[], { task, board, kind, job }: RankedOf, limit: number) {
    const good = all.filter(
      (r) =>
        r.task === task &&
        r.board === board &&
        r.kind === kind &&
        (job === undefined || r.job === job) &&
        r.cycles !== null &&
        stands(all, r),
    );
    const sorted = good.toSorted((a, b) => (a.cycles ?? 0) - (b.cycles ?? 0));
    return sorted
      .filter((r, i) => r.binary === null || sorted.findIndex((s) => s.binary === r.binary) === i)
      .slice(0, limit);
  },
  counts(all: readonly TuningRecord[], job: string) {
    const done = all.filter((r) => r.job === job && r.reusedFrom === null && r.doubt === null);
    return { done: done.length, failed: done.filter((r) => r.status === 'failed').length };
  },
};

/** Every answer about records equals the model's. */
function compareRecords(store: Store, all: readonly TuningRecord[], r: Random): void {
  const [task, board, kind, limit] = [r.pick(tasks), r.pick(boards), r.pick(kinds), r.int(1, 6)];
  const filter = randomFilter(r);
  const of = { task, board, kind };
  expect(store.best(task, board, kind, limit)).toEqual(model.best(all, of, limit));
  const [piece, job] = [r.int(1, 4), r.pick(jobNames)];
  const asked = job === null ? of : { ...of, job };
  const pieces = [...store.bestInPieces(asked, { limit, piece })];
  expect(pieces.flat()).toEqual(model.best(all, asked, limit));
  expect(Math.max(0, ...pieces.map((records) => records.length))).toBeLessThanOrEqual(piece);
  expect(store.records(filter, 1000)).toEqual({ items: all.filter((x) => matches(x, filter)), next: null });
  for (const job of jobNames) if (job !== null) expect(store.counts(job)).toEqual(model.counts(all, job));
  const one = all[r.int(0, Math.max(0, all.length - 1))];
  if (one !== undefined) expect(store.record(one.id)).toEqual(one);
  expect(store.record('t-nowhere-000000001')).toBeUndefined();
}

test('records: any order of appending, merging and reopening answers as a plain list does', () => {
  const r = new Random(1);
  for (let round = 0; round < samples(8, 150); round++) {
    const [place, now] = [{ dir: room() }, clock(r)];
    let store = opened(place, { mode: 'write', now });
    const all: TuningRecord[] = [];
    for (let step = 0; step < 50; step++) {
      const what = r.int(0, 9);
      const any = r.int(0, 9) === 0 ? r.int(0, all.length - 1) : -1;
      const doubted = all[any];
      if (doubted !== undefined) {
        store.doubt(doubted.id, `drift ${step}`);
        // The first reason stays.
        all[any] = { ...doubted, doubt: doubted.doubt ?? `drift ${step}` };
      } else if (what < 7) {
        const original = r.int(0, 4) === 0 && all.length > 0 ? { reusedFrom: r.pick(all).id } : {};
        const added = { ...randomRecord(r), ...original };
        all.push(store.addRecord(added));
        expect(all.at(-1)).toMatchObject(added);
      } else if (what < 8) {
        const foreign = { ...randomRecord(r), id: `t-far-${r.int(0, 5)}`, at: now().toISOString(), doubt: null };
        const known = all.find((x) => x.id === foreign.id);
        const merged = store.mergeRecords(known === undefined ? [foreign, foreign] : [foreign, known]);
        if (known === undefined) all.push(foreign);
        const fate = known === undefined ? { added: 1, conflicts: 0 } : { added: 0, conflicts: 1 };
        expect(merged).toEqual({ ...fate, duplicates: 1 });
      } else if (what < 9) {
        store.close();
        store = opened(place, { mode: r.pick(['write', 'write', 'read'] as const), now });
        compareRecords(store, all, r);
        store.close();
        store = opened(place, { mode: 'write', now });
      } else compareRecords(store, all, r);
    }
    const own = all.map((x) => x.id).filter((id) => !id.startsWith('t-far-'));
    expect(own, 'ids grow and are never given twice').toEqual([...new Set(own)].toSorted());
    compareRecords(store, all, r);
    store.close();
  }
});

test('a doubt goes with its record from one database to another, also to one that knows the record already', () => {
  const r = new Random(9);
  const [from, knows, empty] = [0, 1, 2].map(() => opened('memory', { mode: 'write', now: clock(r) })) as [
    Store,
    Store,
    Store,
  ];
  const records = Array.from({ length: 20 }, () => from.addRecord(randomRecord(r)));
  const everything = (s: Store): readonly TuningRecord[] => s.records({}, 1000).items;
  expect(knows.mergeRecords(records)).toEqual({ added: 20, duplicates: 0, conflicts: 0 });
  for (const { id } of records.slice(0, 5)) from.doubt(id, 'its device was not well');
  expect(knows.mergeRecords(everything(from))).toEqual({ added: 0, duplicates: 20, conflicts: 0 });
  expect(empty.mergeRecords(everything(from))).toEqual({ added: 20, duplicates: 0, conflicts: 0 });
  for (const s of [knows, empty]) expect(everything(s)).toEqual(everything(from));
  // What is known to be doubtful stays so.
  expect(knows.mergeRecords(records)).toEqual({ added: 0, duplicates: 20, conflicts: 0 });
  expect(everything(knows)).toEqual(everything(from));
  expect(() => from.doubt('t-nowhere-000000001', 'nothing')).toThrow('no record');
  for (const s of [from, knows, empty]) s.close();
});

test('pages: whatever is appended while paging, every earlier row comes once, in order', () => {
  const r = new Random(2);
  for (let round = 0; round < samples(40, 2000); round++) {
    const store = opened('memory', { mode: 'write', now: clock(r) });
    const before = Array.from({ length: r.int(0, 60) }, () => store.addRecord(randomRecord(r)));
    const filter = randomFilter(r);
    const seen: TuningRecord[] = [];
    for (let cursor: string | undefined; ; ) {
      const limit = r.int(1, 9);
      const page = store.records(filter, limit, cursor);
      const texts = page.items.map((record) => JSON.stringify(record));
      expect(store.recordTexts(filter, limit, cursor)).toEqual({ items: texts, next: page.next });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      seen.push(...page.items);
      if (page.next === null) break;
      expect(page.items.length).toBe(limit);
      cursor = page.next;
      if (seen.length < 150 && r.int(0, 1) === 0) store.addRecord(randomRecord(r));
    }
    const wanted = before.filter((x) => matches(x, filter));
    expect(seen.slice(0, wanted.length)).toEqual(wanted);
    expect(new Set(seen.map((x) => x.id)).size).toBe(seen.length);
    store.close();
  }
});

test('cursors: only the `next` of the same list is taken', () => {
  const store = opened('memory');
  for (const record of seededRecords(3, 20)) store.addRecord({ ...record, board: 'host' });
  const next = store.records({ board: 'host' }, 5).next ?? '';
  expect(store.records({ board: 'host' }, 5, next).items).toHaveLength(5);
  const other = opened('memory');
  other.addRecord(seededRecords(3, 1)[0]!);
  expect(() => other.records({ board: 'host' }, 5, next), 'of another database').toThrow(BadCursor);
  expect(() => store.records({}, 5, next), 'of another filter').toThrow(BadCursor);
  const r = new Random(4);
  const letters = 'ABCXYZabcxyz0189-_=+/ \n\u00e9';
  const wrong = ['', 'null', '0', '1', `${next}=`, ` ${next}`, next.slice(1), Buffer.from('5').toString('base64url')];
  for (let i = 0; i < samples(300, 20_000); i++) {
    const at = r.int(0, next.length - 1);
    wrong.push(next.slice(0, at) + letters[r.int(0, letters.length - 1)] + next.slice(at + r.int(0, 1)));
  }
  for (const text of wrong)
    if (text !== next) expect(() => store.records({ board: 'host' }, 5, text), text).toThrow(BadCursor);
  expect(() => store.records({ since: 'yesterday' }, 5)).toThrow(BadFilter);
  for (const limit of [0, -1, 1.5, Number.NaN]) expect(() => store.records({}, limit)).toThrow(RangeError);
});

test('trials cannot be changed or taken away, whoever opens the file', () => {
  const dir = room();
  const store = opened({ dir });
  const [first] = seededRecords(5, 3).map((x) => store.addRecord(x));
  const db = new Database(join(dir, databaseName));
  db.pragma('recursive_triggers = OFF');
  for (const sql of [
    'UPDATE trials SET cycles = 1',
    'DELETE FROM trials',
    'DELETE FROM trials WHERE seq = 2',
    'INSERT OR REPLACE INTO trials SELECT * FROM trials WHERE seq = 1',
    "UPDATE OR IGNORE trials SET detail = '' WHERE seq = 1",
    "UPDATE tasks SET workload = 'other'",
    "UPDATE environments SET toolchain = 'other'",
  ])
    expect(() => db.exec(sql), sql).toThrow(/append-only/);
  expect(() => db.exec('DELETE FROM tasks WHERE id IN (SELECT task FROM trials)')).toThrow(/FOREIGN KEY/);
  expect(store.record(first!.id)).toEqual(first);
  expect(() => store.addRecord({ ...first!, workload: 'another' }), 'a task is one workload').toThrow(/workload/);
  expect(() => store.addRecord({ ...first!, status: 'ok', cycles: Number.NaN }), 'no number').toThrow(/CHECK/);
  expect(() => store.addRecord({ ...first!, status: 'failed', cycles: null, stage: null }), 'no stage').toThrow(
    /CHECK/,
  );
  expect(store.records({}, 10).items).toHaveLength(3);
});

test('jobs: state, event and companions go together, and all is there after reopening', () => {
  const r = new Random(6);
  const dir = room();
  let store = opened({ dir }, { mode: 'write', now: clock(r) });
  const bytes = new Uint8Array([0, 255, 7]);
  const stored = store.putModel({ id: 'm', name: 'kws', bytes });
  expect(store.putModel({ id: 'm', name: 'renamed', bytes }), 'the same bytes are one model').toEqual(stored);
  const jobs = new Map<string, JobRow>();
  const told = new Map<string, string[]>();
  const newJob = { model: 'm', board: 'host', kind: 'host', policy: 'random', trials: 400 } as const;
  for (let step = 0; step < samples(150, 3000); step++) {
    const id = r.pick([...jobs.keys(), 'new']);
    const what = id === 'new' ? 0 : r.int(1, 6);
    if (what === 0) {
      const budgets = r.pick([{}, { ramBudget: 65536, flashBudget: null }, { ramBudget: null, flashBudget: 2 ** 31 }]);
      const job = store.addJob({ ...newJob, ...budgets, seed: r.int(0, 2 ** 32 - 1), timeMs: r.pick([null, 1.5]) });
      expect(job).toMatchObject({
        ...{ ramBudget: null, flashBudget: null, ...budgets },
        state: 'queued',
        spentMs: 0,
        startedAt: null,
        endedAt: null,
        error: null,
        report: null,
      });
      jobs.set(job.id, job);
      told.set(job.id, ['queued']);
    } else if (what < 4) {
      const change = {
        ...r.pick([{}, { state: r.pick<JobState>(['running', 'paused', 'done', 'failed', 'cancelled']) }]),
        ...r.pick([{}, { spentMs: r.int(0, 1e9) + 0.25 }, { startedAt: '2026-01-01T00:00:00.000Z' }]),
        ...r.pick([
          {},
          { report: { layers: [1, { a: null }] } },
          { error: { stage: 'run', code: 'X', detail: 'ü' } },
          { error: null },
        ]),
      };
      const wanted = { ...jobs.get(id)!, ...change };
      expect(store.updateJob(id, change)).toEqual(wanted);
      jobs.set(id, wanted);
      if ('state' in change) told.get(id)!.push(change.state);
    } else if (what === 4) {
      store.addEvent(id, 'progress', { done: step });
      told.get(id)!.push('progress');
    } else if (what === 5) {
      store.close();
      store = opened({ dir }, { mode: 'write', now: clock(r) });
    }
    expect(store.jobs()).toEqual([...jobs.values()].toReversed());
  }
  for (const [id, words] of told) {
    const events = store.events(id, 0, 10_000);
    expect(events.map((e) => (e.type === 'state' ? e.data.state : e.type))).toEqual(words);
    const after = events[r.int(0, events.length - 1)]!.id;
    expect(store.events(id, after, 2)).toEqual(events.filter((e) => e.id > after).slice(0, 2));
    expect(events.map((e) => e.id)).toEqual(events.map((e) => e.id).toSorted((a, b) => a - b));
    for (const type of ['state', 'progress', 'log', 'none'])
      expect(store.lastEvent(id, type)).toEqual(events.findLast((e) => e.type === type));
  }
  expect(store.model('m')).toEqual({ id: 'm', name: 'kws', bytes, at: stored.at });
  expect(() => store.addJob({ ...newJob, model: 'none', seed: 0, timeMs: null })).toThrow(/FOREIGN KEY/);
  expect(() => store.updateJob('j-none-1', { state: 'done' })).toThrow(/no job/);
  expect(store.jobs()).toHaveLength(jobs.size);
});

test('migrations: every file of schema/ is in the list, and applying them again does nothing', () => {
  expect(readdirSync(join(import.meta.dirname, '../../db/schema')).toSorted()).toEqual(schemaFiles);
  schemaFiles.forEach((name, i) =>
    expect(name).toMatch(new RegExp(`^${String(i + 1).padStart(4, '0')}-[a-z-]+\\.sql$`)),
  );
  const db = new Database(':memory:');
  migrate(db);
  const once = db.serialize();
  migrate(db);
  expect(db.serialize().equals(once)).toBe(true);
  expect(db.pragma('user_version', { simple: true })).toBe(schemaFiles.length);
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
});

test('a writing connection: commits are flushed, foreign keys hold, and closing leaves one file', () => {
  const dir = room();
  const db = openDatabase({ dir }, 'write');
  if (!db.ok) throw new Error(db.error.detail);
  const setting = (name: string): unknown => db.value.pragma(name, { simple: true });
  const full = 2;
  expect(['journal_mode', 'synchronous', 'foreign_keys'].map(setting)).toEqual(['wal', full, 1]);
  db.value.close();
  expect(readdirSync(dir), 'closing folds the log into the file').toEqual([databaseName]);
});
