/** Processes that are killed while they write or hold a data directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { databaseName, type Lock, lockDataDir, openStore, readDaemon } from '../../db/index.ts';
import { samples } from '../samples.ts';
import { opened, room, withoutWriting } from './db-helpers.ts';
import { Random } from './random.ts';

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--expose-gc', join(import.meta.dirname, 'db-child.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}
/** Kills once `count` lines came; all lines that it printed. */
async function killAfter(child: ChildProcess, count: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout! })) {
    lines.push(line);
    if (lines.length === count) child.kill('SIGKILL');
  }
  return lines;
}

test('kill -9 while appending: every id that was given out is there, the file is sound, and appending goes on', async () => {
  const r = new Random(9);
  const dir = room();
  const given: string[] = [];
  for (let round = 0; round < samples(3, 40); round++) {
    given.push(...(await killAfter(start('record', dir), r.int(1, 60))));
    const store = opened({ dir });
    const ids = store.records({}, 100_000).items.map((x) => x.id);
    expect(new Set(ids)).toEqual(new Set([...ids, ...given]));
    expect(ids.length - given.length, 'at most one a kill was durable and not yet printed').toBeLessThanOrEqual(
      round + 1,
    );
    store.close();
    const db = new Database(join(dir, databaseName), { readonly: true });
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(db.pragma('foreign_key_check')).toEqual([]);
    db.close();
  }
});

test('readers see what a writing process has made durable', async () => {
  const dir = room();
  const child = start('record', dir);
  const lines = createInterface({ input: child.stdout! });
  let seen = 0;
  for await (const id of lines) {
    const reader = opened({ dir }, { mode: 'read' });
    expect(reader.record(id)?.id).toBe(id);
    reader.close();
    if (++seen === 20) child.kill('SIGKILL');
    if (seen === 20) break;
  }
  expect(seen).toBe(20);
});

const taken = (dir: string): Lock => {
  const lock = lockDataDir(dir);
  if (!lock.ok) throw new Error(lock.error.detail);
  return lock.value;
};

test('one daemon a directory: the second is told by whom it is held, and a killed one leaves it free', async () => {
  const dir = join(room(), 'made', 'for', 'it');
  const url = 'http://127.0.0.1:4711';
  expect(readDaemon(dir)).toBeUndefined();
  const child = start('lock', dir, url);
  await once(child.stdout!, 'data');
  expect(readDaemon(dir)).toEqual({ pid: child.pid, url });
  const second = lockDataDir(dir);
  expect(second).toMatchObject({ ok: false, error: { stage: 'data', code: 'DATA_IN_USE' } });
  expect(second.ok || second.error.detail).toContain(`pid ${child.pid} at ${url}`);
  expect(openStore({ dir }, { mode: 'read' }), 'the lock is not the database').toMatchObject({
    error: { code: 'DB_MISSING' },
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readDaemon(dir), 'what a dead one wrote is not believed').toBeUndefined();
  const lock = taken(dir);
  expect(readDaemon(dir), 'held, not yet listening').toBeUndefined();
  expect(lockDataDir(dir)).toMatchObject({ error: { code: 'DATA_IN_USE' } });
  lock.announce('http://127.0.0.1:1');
  expect(readDaemon(dir)).toEqual({ pid: process.pid, url: 'http://127.0.0.1:1' });
  lock.release();
  lock.release();
  expect(readDaemon(dir)).toBeUndefined();
  taken(dir).release();
});

test('a lock needs a directory that can be written; to see a daemon, reading is enough', () => {
  const dir = room();
  expect(withoutWriting(dir, () => lockDataDir(dir))).toMatchObject({
    error: { code: 'DATA_DIR_READONLY', stage: 'data' },
  });
  const lock = taken(dir);
  lock.announce('http://127.0.0.1:2');
  expect(withoutWriting(dir, () => readDaemon(dir))).toEqual({ pid: process.pid, url: 'http://127.0.0.1:2' });
  writeFileSync(join(dir, 'daemon.json'), '{"pid":');
  expect(readDaemon(dir)).toBeUndefined();
  lock.release();
  writeFileSync(join(dir, 'file'), '');
  expect(lockDataDir(join(dir, 'file'))).toMatchObject({ error: { code: 'DATA_DIR_BAD' } });
});
