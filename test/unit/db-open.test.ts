/** Files that are damaged, newer, foreign, full or not ours to write: a code and a hint each, and the file is left as it was. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { databaseName, openStore, type Place, StoreError } from '../../db/index.ts';
import { schemaFiles } from '../../db/migrate.ts';
import { storeOn } from '../../db/store.ts';
import { samples } from '../samples.ts';
import { opened, room, withoutWriting } from './db-helpers.ts';
import { seededRecords } from './db-records.ts';
import { Random } from './random.ts';

const modes = ['write', 'read'] as const;
const codeAt = (place: Place, mode: 'write' | 'read'): string => {
  const store = openStore(place, { mode });
  if (!store.ok) return store.error.code;
  store.value.close();
  return 'ok';
};
/** A closed database of some records. */
function filled(dir: string, count = 30): string {
  const store = opened({ dir });
  for (const record of seededRecords(10, count)) store.addRecord(record);
  store.close();
  return join(dir, databaseName);
}
const altered = (file: string, sql: string): void => {
  const db = new Database(file);
  db.exec(sql);
  db.pragma('journal_mode = DELETE');
  db.close();
};

const patched = (file: string, change: (bytes: Buffer) => void): void => {
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);
};

test('a damaged or foreign file is told of, with what to do, and not touched', () => {
  const dir = room();
  const good = filled(dir);
  const file = join(dir, 'it.db');
  const size = readFileSync(good).length;
  const make: Record<string, () => void> = {
    text: () => writeFileSync(file, 'these are not the bytes of a database\n'.repeat(40)),
    short: () => writeFileSync(file, 'x'),
    zeros: () => writeFileSync(file, Buffer.alloc(8192)),
    'cut in the header': () => truncateSync(file, 60),
    'cut after the header': () => truncateSync(file, 100),
    'cut in the first page': () => truncateSync(file, 1000),
    'cut in the middle': () => truncateSync(file, size / 2 - 7),
    'cut by one byte': () => truncateSync(file, size - 1),
    'of an unknown format': () => patched(file, (bytes) => bytes.writeUInt32BE(9, 44)),
    'no SQL in its schema': () =>
      patched(file, (bytes) => {
        const table = 'CREATE TABLE models (';
        // SQLite leaves old copies of moved rows in a page.
        for (let i = bytes.indexOf(table); i >= 0; i = bytes.indexOf(table, i + 1)) bytes.write('^', i);
      }),
    'of another program': () => altered(file, 'PRAGMA application_id = 5'),
    'of another program, unversioned': () => altered(file, 'PRAGMA application_id = 0; PRAGMA user_version = 0'),
    'a trigger dropped': () => altered(file, 'DROP TRIGGER trials_keep'),
    'no farm': () => altered(file, 'DELETE FROM farm'),
  };
  for (const [name, damage] of Object.entries(make))
    for (const mode of modes) {
      copyFileSync(good, file);
      damage();
      const before = readFileSync(file);
      const store = openStore({ file }, { mode });
      expect(store, `${name}, ${mode}`).toMatchObject({ ok: false, error: { stage: 'data', code: 'DB_CORRUPT' } });
      expect(store.ok || store.error.detail).toMatch(/it\.db.*move it aside/);
      if (!/trigger|farm/.test(name)) expect(readFileSync(file).equals(before), name).toBe(true);
    }
});

test('bytes changed anywhere give records or DB_CORRUPT, never a crash', () => {
  const r = new Random(11);
  const dir = room();
  const good = readFileSync(filled(dir, 12));
  const file = join(dir, 'flipped.db');
  for (let round = 0; round < samples(150, 5000); round++) {
    const bytes = Buffer.from(good);
    const at = r.int(0, bytes.length - 1);
    for (let i = r.pick([1, 1, 40, 4096]); i > 0; i--) bytes[Math.min(at + i, bytes.length - 1)] = r.int(0, 255);
    writeFileSync(file, bytes);
    for (const rest of ['-wal', '-shm']) if (existsSync(file + rest)) truncateSync(file + rest, 0);
    const store = openStore({ file }, { mode: 'read' });
    if (!store.ok) {
      expect(['DB_CORRUPT', 'DB_NEWER', 'DB_OLDER'], store.error.detail).toContain(store.error.code);
      continue;
    }
    try {
      store.value.records({}, 1000);
      store.value.best('t0', 'host', 'host', 5);
    } catch (error) {
      expect(error, String(error)).toBeInstanceOf(StoreError);
      if (error instanceof StoreError) expect(error.failure).toMatchObject({ stage: 'record', code: 'DB_CORRUPT' });
    } finally {
      store.value.close();
    }
  }
});

test('a schema of another version: newer is refused, older is only read after a writer was there', () => {
  const dir = room();
  const file = filled(dir);
  altered(file, `PRAGMA user_version = ${schemaFiles.length + 1}`);
  for (const mode of modes) {
    const store = openStore({ file }, { mode });
    expect(store).toMatchObject({ error: { stage: 'data', code: 'DB_NEWER' } });
    expect(store.ok || store.error.detail).toContain(`schema ${schemaFiles.length + 1}`);
  }
  const empty = join(dir, 'empty.db');
  writeFileSync(empty, '');
  expect(codeAt({ file: empty }, 'read')).toBe('DB_OLDER');
  expect(codeAt({ file: empty }, 'write')).toBe('ok');
  expect(codeAt({ file: empty }, 'read')).toBe('ok');
});

test('places that cannot hold a database', () => {
  const dir = room();
  writeFileSync(join(dir, 'file'), '');
  mkdirSync(join(dir, 'folder'));
  for (const place of [
    { dir: join(dir, 'file') },
    { dir: join(dir, 'file', 'x') },
    { file: join(dir, 'folder') },
    { dir: '/proc/none' },
  ])
    expect(codeAt(place, 'write'), JSON.stringify(place)).toBe('DATA_DIR_BAD');
  expect(codeAt({ dir: join(dir, 'a', 'b') }, 'read')).toBe('DB_MISSING');
  expect(existsSync(join(dir, 'a')), 'reading makes nothing').toBe(false);
});

test('a directory without the right to write: reading works, writing says so', () => {
  const dir = room();
  expect(withoutWriting(dir, () => codeAt({ dir }, 'write'))).toBe('DATA_DIR_READONLY');
  expect(withoutWriting(dir, () => codeAt({ dir: join(dir, 'new') }, 'write'))).toBe('DATA_DIR_READONLY');
  filled(dir);
  const read = withoutWriting(dir, () => {
    const store = opened({ dir }, { mode: 'read' });
    const { items } = store.records({}, 100);
    store.close();
    return items.length;
  });
  expect(read).toBe(30);
  expect(readdirSync(dir)).toEqual([databaseName]);
  expect(withoutWriting(dir, () => codeAt({ dir }, 'write'))).toBe('DATA_DIR_READONLY');
  const reader = opened({ dir }, { mode: 'read' });
  const refused = (): unknown => reader.addRecord(seededRecords(12, 1)[0]!);
  expect(refused).toThrow(expect.objectContaining({ failure: expect.objectContaining({ code: 'DATA_DIR_READONLY' }) }));
  reader.close();
});

test('the same beside a writer, and with a log that nobody folded in', () => {
  const dir = room();
  filled(dir);
  const writer = opened({ dir });
  const last = writer.addRecord(seededRecords(13, 1)[0]!);
  const read = (at: string): unknown =>
    withoutWriting(at, () => {
      const store = openStore({ dir: at }, { mode: 'read' });
      if (!store.ok) return store.error;
      const record = store.value.record(last.id);
      store.value.close();
      return record;
    });
  expect(read(dir)).toEqual(last);
  const left = room();
  for (const name of [databaseName, `${databaseName}-wal`]) copyFileSync(join(dir, name), join(left, name));
  writer.close();
  const failure = read(left);
  expect(failure).toMatchObject({ code: 'DATA_DIR_READONLY', detail: expect.stringContaining('-wal') });
  const whole = opened({ dir: left }, { mode: 'read' });
  expect(whole.record(last.id)).toEqual(last);
  whole.close();
});

test('a full disk and a lock held too long are StoreErrors; nothing is half written', () => {
  const dir = room();
  const file = filled(dir);
  const db = new Database(file, { timeout: 0 });
  const store = storeOn(db, () => new Date(0));
  const failing = (code: string) =>
    expect.objectContaining({ failure: expect.objectContaining({ stage: 'record', code }) });
  const other = new Database(file);
  other.exec('BEGIN IMMEDIATE');
  expect(() => store.addRecord(seededRecords(14, 1)[0]!)).toThrow(failing('DB_BUSY'));
  other.close();
  db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
  const records = seededRecords(14, 400);
  expect(() =>
    store.mergeRecords(
      records.map((x, i) => ({ ...x, id: `t-far-${i}`, at: '2026-01-01T00:00:00.000Z', doubt: null })),
    ),
  ).toThrow(failing('DISK_FULL'));
  expect(store.records({}, 1000).items).toHaveLength(30);
  db.pragma('max_page_count = 100000');
  expect(store.addRecord(records[0]!)).toMatchObject(records[0]!);
  store.close();
});
