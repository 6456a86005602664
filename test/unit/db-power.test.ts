/**
 * What a power cut does to a database: its write-ahead log ends anywhere, or its end holds other bytes. Each copy that is cut so
 * opens, is sound, and holds exactly the records whose transaction was whole: the tail is lost and nothing else.
 */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { databaseName, type TuningRecord } from '../../db/index.ts';
import { samples } from '../samples.ts';
import { opened, room } from './db-helpers.ts';
import { randomRecord } from './db-records.ts';
import { Random } from './random.ts';

const headBytes = 32;
const frameBytes = 24 + 4096;
const logOf = (dir: string): string => join(dir, `${databaseName}-wal`);

interface Written {
  /** A copy of the directory as it was while the database was open. */
  readonly dir: string;
  readonly log: Buffer;
  /** Each record with the length of the log behind its transaction. */
  readonly records: readonly { readonly record: TuningRecord; readonly end: number }[];
}
/** Writes records (and now and then a doubt) without a checkpoint, which would take them out of the log. */
function written(r: Random, count: number): Written {
  const live = room();
  opened({ dir: live }).close();
  const store = opened({ dir: live });
  const records = Array.from({ length: count }, () => {
    const record = store.addRecord(randomRecord(r));
    return { record, end: statSync(logOf(live)).size };
  });
  const dir = room();
  for (const file of [databaseName, `${databaseName}-wal`]) copyFileSync(join(live, file), join(dir, file));
  store.close();
  return { dir, log: readFileSync(logOf(dir)), records };
}

let opens = 0;
/** The records of the database with another log, after looking at how sound it is; and it takes new ones. */
function recordsWith({ dir }: Written, log: Uint8Array): readonly TuningRecord[] {
  const copy = join(dir, `cut${opens++}`);
  mkdirSync(copy);
  copyFileSync(join(dir, databaseName), join(copy, databaseName));
  writeFileSync(logOf(copy), log);
  const store = opened({ dir: copy });
  const records = store.records({}, 10_000).items;
  const next = store.addRecord(randomRecord(new Random(opens)));
  expect(store.record(next.id)).toEqual(next);
  store.close();
  const db = new Database(join(copy, databaseName), { readonly: true });
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(db.pragma('foreign_key_check')).toEqual([]);
  db.close();
  return records;
}
/** Whose transaction lies wholly before this place. */
const before = (w: Written, at: number): readonly TuningRecord[] =>
  w.records.filter(({ end }) => end <= at).map(({ record }) => record);

test('a log that ends anywhere: at every frame and at random bytes, what was whole before is there and nothing else', () => {
  const r = new Random(21);
  const w = written(r, samples(4, 60));
  const frames = (w.log.length - headBytes) / frameBytes;
  expect([Number.isInteger(frames), frames > w.records.length]).toEqual([true, true]);
  const boundaries = Array.from({ length: frames + 1 }, (_, i) => headBytes + i * frameBytes);
  const anywhere = Array.from({ length: samples(10, 1000) }, () => r.int(0, w.log.length));
  for (const at of [0, 1, headBytes - 1, ...boundaries, ...anywhere])
    expect(recordsWith(w, w.log.subarray(0, at)), `cut at ${at}`).toEqual(before(w, at));
  expect(recordsWith(w, w.log)).toEqual(w.records.map(({ record }) => record));
});

test('a log whose end was never written: zeros, other bytes or one changed bit end it there', () => {
  const r = new Random(22);
  const w = written(r, samples(4, 60));
  for (let i = 0; i < samples(12, 600); i++) {
    const at = r.int(headBytes, w.log.length - 1);
    const bytes = Buffer.from(w.log);
    const kind = r.int(0, 2);
    if (kind === 0) bytes.fill(0, at);
    else if (kind === 1) for (let k = at; k < bytes.length; k++) bytes[k] = r.int(0, 255);
    else bytes[at] = (bytes[at] ?? 0) ^ (1 << r.int(0, 7));
    const changed = bytes.findIndex((b, k) => b !== w.log[k]);
    const frame = headBytes + Math.floor((changed - headBytes) / frameBytes) * frameBytes;
    const sound = changed < 0 ? w.log.length : frame;
    expect(recordsWith(w, bytes), `changed from ${at} on`).toEqual(before(w, sound));
  }
});

test('a database that was just being made is made anew, or is there', () => {
  const live = room();
  const store = opened({ dir: live });
  const record = store.addRecord(randomRecord(new Random(23)));
  const dir = room();
  for (const file of [databaseName, `${databaseName}-wal`]) copyFileSync(join(live, file), join(dir, file));
  store.close();
  const log = readFileSync(logOf(dir));
  const w: Written = { dir, log, records: [{ record, end: log.length }] };
  const frames = (log.length - headBytes) / frameBytes;
  for (let i = 0; i <= frames; i += samples(7, 1)) {
    const at = headBytes + i * frameBytes;
    expect(recordsWith(w, log.subarray(0, at))).toEqual(before(w, at));
  }
});
