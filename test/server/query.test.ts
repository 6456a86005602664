/**
 * SQL on the log, against the real processes that run it. Must stay true: nothing that a statement says changes a byte of the
 * database, shows what the views do not, or keeps the daemon from answering.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../db/index.ts';
import type { Store } from '../../db/types.ts';
import { logViews } from '../../db/views.ts';
import { Queries, type QueryLimits } from '../../server/query/queries.ts';
import { builtInQueries } from '../../server/query/saved.ts';
import type { QueryBody, SavedQueryBody, SavedQueryList, SchemaBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { errorIn, recordWith, startBench } from './bench.ts';
import { hostile, tricks } from './hostile-sql.ts';

/** A store on the disk: processes of their own look at it. */
function diskStore(): Store {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-query-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const opened = openStore({ dir }, { mode: 'write' });
  if (!opened.ok) throw new Error(opened.error.detail);
  return opened.value;
}

/** With a model, jobs, tokens, and trials of two boards, one in five failed. */
function filledStore(trials = 20): Store {
  const store = diskStore();
  store.putModel({ id: 'm0', name: 'kws.tflite', bytes: new TextEncoder().encode(secret) });
  store.putLayers('m0', [{ position: 0, name: 'first', task: 'task0', workload: '{"op":"conv2d"}', macs: 9 }]);
  const job = store.addJob({
    model: 'm0',
    board: 'mps2-an386',
    kind: 'instructions',
    policy: 'guided',
    seed: 1,
    trials: 9,
    timeMs: null,
  });
  store.tokens.add({ name: secret, scope: 'admin', hash: new TextEncoder().encode(secret) });
  for (let i = 0; i < trials; i++) {
    const config = { template: 'conv', version: 1, knobs: { rows: i % 3, flags: `-O${i % 2}` } };
    const failure = {
      status: 'failed',
      stage: 'run',
      code: 'FAULT',
      detail: 'x',
      cycles: null,
      repeats: null,
      sizes: null,
    } as const;
    store.addRecord(
      recordWith({
        job: job.id,
        task: `task${i % 2}`,
        cycles: 1000 + i,
        template: 'conv',
        config,
        binary: `b${i}`,
        ...(i % 5 === 4 && failure),
      }),
    );
  }
  return store;
}
/** What no answer may hold. */
const secret = 'open-sesame-open-sesame-openopen';

function queriesOn(store: Store, limits: Partial<QueryLimits> = {}): Queries {
  const queries = new Queries(store.file, limits);
  onTestFinished(() => queries.close());
  return queries;
}
const rowsOf = async (queries: Queries, sql: string): Promise<unknown> => {
  const answer = await queries.run({ sql });
  if (!answer.ok) throw new Error(`${sql}: ${answer.error.detail}`);
  return JSON.parse(answer.value.rows.toString()) as unknown;
};
const codeOf = async (queries: Queries, sql: string, timeMs?: number): Promise<string> => {
  const answer = await queries.run({ sql, ...(timeMs !== undefined && { timeMs }) });
  return answer.ok ? 'ok' : answer.error.code;
};
const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

test('a query over HTTP: columns, rows, parameters by place and by name', async () => {
  const bench = await startBench(filledStore());
  const ask = async (body: unknown): Promise<QueryBody> => (await bench.post('/v1/query', body)).json<QueryBody>();
  const all = await ask({ sql: 'SELECT status, count(*) AS n FROM trials GROUP BY status ORDER BY status' });
  expect(all.columns).toEqual([{ name: 'status' }, { name: 'n' }]);
  expect(all.rows).toEqual([
    ['failed', 4],
    ['ok', 16],
  ]);
  expect(all.truncated).toBe(false);
  const placed = await ask({
    sql: 'SELECT cycles FROM trials WHERE task = ? AND cycles < ? ORDER BY 1 LIMIT ?',
    params: ['task0', 1500, 2],
  });
  expect(placed.rows).toEqual([[1000], [1002]]);
  for (const text of ['\u2028', '\u2029', '\n', '\r', '"', 'ä🙂'])
    expect((await ask({ sql: `SELECT '${text}', ?`, params: [text] })).rows).toEqual([[text, text]]);
  const named = await ask({ sql: 'SELECT typeof(:n), typeof(:x), :t IS NULL', params: { n: 1, x: 1.5, t: null } });
  expect(named.rows).toEqual([['integer', 'real', 1]]);
});

test('what JSON cannot say: large whole numbers and infinity are texts, blobs are refused', async () => {
  const queries = queriesOn(filledStore());
  expect(
    await rowsOf(queries, 'SELECT 9007199254740991, 9007199254740993, -9223372036854775807, 9e999, -9e999, 0.5'),
  ).toEqual([[9007199254740991, '9007199254740993', '-9223372036854775807', 'Infinity', '-Infinity', 0.5]]);
  const blob = await queries.run({ sql: `SELECT zeroblob(3) AS b` });
  expect(blob.ok ? '' : blob.error.detail).toMatch(/column b holds a blob/);
  expect(await rowsOf(queries, 'SELECT hex(zeroblob(3))')).toEqual([['000000']]);
});

test('refusals: 400 with the words of SQLite, 408 where it takes too long, for bodies that are none', async () => {
  const bench = await startBench(filledStore());
  const wrong = await bench.post('/v1/query', { sql: 'SELECT nowhere FROM trials' });
  expect([wrong.statusCode, errorIn(wrong).code]).toEqual([400, 'QUERY_REFUSED']);
  expect(errorIn(wrong).detail).toMatch(/no such column: nowhere/);
  const endless = 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c';
  const late = await bench.post('/v1/query', { sql: endless, timeMs: 50 });
  expect([late.statusCode, errorIn(late).code]).toEqual([408, 'QUERY_TIMEOUT']);
  for (const body of [
    {},
    { sql: '' },
    { sql: 'SELECT 1', more: 1 },
    { sql: 'x'.repeat(65_537) },
    { sql: 'SELECT 1', rows: 0 },
  ])
    expect((await bench.post('/v1/query', body)).statusCode).toBe(400);
});

test('limits: rows, bytes and processes; whoever asks for more gets less', async () => {
  const queries = queriesOn(filledStore(), { rows: 7, bytes: 400, processes: 1, queue: 2 });
  const many = await queries.run({ sql: 'SELECT id FROM trials', rows: 100 });
  expect(many.ok && [JSON.parse(many.value.rows.toString()).length, many.value.truncated]).toEqual([7, true]);
  const all = await queries.run({ sql: "SELECT seq.key FROM json_each('[1,2,3,4,5,6,7]') seq" });
  expect(all.ok && all.value.truncated).toBe(false);
  const wide = await queries.run({ sql: `SELECT hex(zeroblob(100)) FROM trials` });
  expect(wide.ok && [JSON.parse(wide.value.rows.toString()).length, wide.value.truncated]).toEqual([1, true]);
  const asked = await Promise.all(Array.from({ length: 5 }, () => codeOf(queries, 'SELECT 1')));
  expect(asked.toSorted()).toEqual(['QUERY_BUSY', 'QUERY_BUSY', 'ok', 'ok', 'ok']);
});

test('a query sees what was committed, and its look at the database ends with it', async () => {
  const store = filledStore(3);
  const queries = queriesOn(store);
  expect(await rowsOf(queries, 'SELECT count(*) FROM trials')).toEqual([[3]]);
  store.addRecord(recordWith({}));
  expect(await rowsOf(queries, 'SELECT count(*) FROM trials')).toEqual([[4]]);
  // Cut short by its limit: were it still looking, the log could not be cut.
  expect((await queries.run({ sql: 'SELECT * FROM trials', rows: 1 })).ok).toBe(true);
  const other = new Database(store.file, { timeout: 0 });
  expect(other.pragma('wal_checkpoint(TRUNCATE)')).toEqual([{ busy: 0, log: 0, checkpointed: 0 }]);
  other.close();
});

test('what takes too much memory costs its process alone', async () => {
  const queries = queriesOn(filledStore(), { processes: 1, timeMs: 60_000 });
  // A table of a thousand mebibytes, kept in memory as all that is temporary.
  const greedy = `WITH c AS MATERIALIZED (SELECT hex(zeroblob(1048576)) AS s FROM json_each('[${Array(512).fill(1)}]'))
    SELECT count(*), max(length(s)) FROM c a`;
  const answer = await queries.run({ sql: greedy });
  expect(answer.ok ? 'ok' : answer.error.detail).toMatch(/memory/);
  expect(await rowsOf(queries, 'SELECT 1')).toEqual([[1]]);
});

test('known tricks: none writes, attaches, loads, or shows what the views do not', async () => {
  const store = filledStore();
  const queries = queriesOn(store, { timeMs: 400 });
  const before = hashOf(store.file);
  const got: Record<string, string> = {};
  for (const sql of tricks) {
    const answer = await queries.run({ sql });
    if (answer.ok) got[sql] = answer.value.rows.toString();
  }
  expect(got).toEqual({});
  expect(hashOf(store.file)).toBe(before);
});

test('hostile statements by the thousand: the file stays, secrets stay, the daemon answers', async () => {
  const store = filledStore();
  const bench = await startBench(store);
  const queries = queriesOn(store, { timeMs: 60, bytes: 100_000 });
  const before = hashOf(store.file);
  const random = new Random(11);
  const count = samples(1500, 40_000);
  let answered = 0;
  for (let i = 0; i < count; i++) {
    const sql = hostile(random);
    const answer = await queries.run({ sql });
    if (answer.ok) answered++;
    const text = answer.ok ? answer.value.rows.toString() : answer.error.detail;
    expect(text.includes(secret) || text.toLowerCase().includes(hexSecret), sql).toBe(false);
    expect(answer.ok ? 'ok' : answer.error.code, sql).toMatch(/^(ok|QUERY_REFUSED|QUERY_TIMEOUT)$/);
    if (i % 50 === 0) expect((await bench.get('/v1/boards')).statusCode).toBe(200);
  }
  // Some of them are no more than odd: else the grammar would test the parser alone.
  expect(answered).toBeGreaterThan(count / 40);
  expect(hashOf(store.file)).toBe(before);
  expect(readdirSync(join(store.file, '..')).toSorted()).toEqual([
    'microtune.db',
    'microtune.db-shm',
    'microtune.db-wal',
  ]);
});
const hexSecret = Buffer.from(secret).toString('hex');

test('the daemon answers, and goes on recording, while queries hang', async () => {
  const store = filledStore();
  const bench = await startBench(store);
  const endless = 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c, trials';
  const hanging = [1, 2, 3].map(() => bench.post('/v1/query', { sql: endless, timeMs: 1500 }));
  let over = false;
  const all = Promise.all(hanging).then((answers) => {
    over = true;
    return answers;
  });
  let answered = 0;
  while (!over) {
    expect((await bench.get('/v1/records?limit=1')).statusCode).toBe(200);
    store.addRecord(recordWith({}));
    answered++;
    // A turn of the event loop: requests that are injected need none, pipes do.
    await new Promise((turn) => setImmediate(turn));
  }
  expect((await all).map((a) => a.statusCode)).toEqual([408, 408, 408]);
  expect(answered).toBeGreaterThan(3);
});

test('the schema: every view gives the columns that are documented, of the types that are', async () => {
  const store = filledStore();
  store.doubt(store.records({}, 1).items[0]?.id ?? '', 'a test');
  const bench = await startBench(store);
  const { views } = (await bench.get('/v1/schema')).json<SchemaBody>();
  expect(views.map((v) => v.name)).toEqual([
    'trials',
    'jobs',
    'tasks',
    'layers',
    'summary',
    'totals',
    'best',
    'devices',
    'doubts',
  ]);
  for (const view of views) {
    const body = (await bench.post('/v1/query', { sql: `SELECT * FROM ${view.name}` })).json<QueryBody>();
    expect(body.columns.map((c) => c.name)).toEqual(view.columns.map((c) => c.name));
    expect(body.rows.length, view.name).toBeGreaterThan(0);
    view.columns.forEach((column, i) => {
      const types = new Set(
        body.rows
          .map((row) => row[i])
          .filter((v) => v !== null)
          .map((v) => typeof v),
      );
      expect(
        [...types].every((t) => t === (column.type === 'text' ? 'string' : 'number')),
        `${view.name}.${column.name}`,
      ).toBe(true);
    });
  }
  expect(logViews.flatMap((v) => v.columns).every((c) => c.about.length > 0)).toBe(true);
});

test('queries that come with microtune run, on an empty log as well', async () => {
  for (const store of [filledStore(), diskStore()]) {
    const queries = queriesOn(store);
    for (const { name, sql } of builtInQueries) expect(await codeOf(queries, sql), name).toBe('ok');
  }
});

test('saved queries: put, listed, read, replaced, forgotten; ours stay', async () => {
  const bench = await startBench(filledStore());
  const call = (method: 'PUT' | 'DELETE', name: string, payload?: object) =>
    bench.app.inject({ method, url: `/v1/queries/${name}`, ...(payload !== undefined && { payload }) });
  const mine = { title: 'Mine', sql: 'SELECT 1' };
  expect((await call('PUT', 'mine', mine)).json()).toEqual({ name: 'mine', ...mine, builtIn: false });
  expect((await call('PUT', 'mine', { ...mine, title: 'Still mine' })).statusCode).toBe(200);
  expect((await bench.get('/v1/queries/mine')).json<SavedQueryBody>().title).toBe('Still mine');
  const { items } = (await bench.get('/v1/queries')).json<SavedQueryList>();
  expect(items.map((q) => q.name)).toEqual([...builtInQueries.map((q) => q.name), 'mine']);
  expect(new Set(items.map((q) => q.name)).size).toBe(items.length);
  const [ours] = builtInQueries;
  for (const method of ['PUT', 'DELETE'] as const) {
    const refused = await call(method, ours?.name ?? '', method === 'PUT' ? mine : undefined);
    expect([refused.statusCode, errorIn(refused).code]).toEqual([409, 'QUERY_BUILT_IN']);
  }
  expect((await call('DELETE', 'mine')).statusCode).toBe(204);
  for (const gone of [await call('DELETE', 'mine'), await bench.get('/v1/queries/mine')])
    expect([gone.statusCode, errorIn(gone).code]).toEqual([404, 'QUERY_NOT_FOUND']);
  for (const name of ['UPPER', 'a%20b', '..%2Fx', 'x'.repeat(65)])
    expect((await call('PUT', name, mine)).statusCode).toBe(400);
});
