/** Starting a daemon: what it refuses, in which words, and that a refusal leaves nothing locked or half open. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { recordsToJsonLines } from '../../db/export.ts';
import { databaseName, lockDataDir, openStore } from '../../db/index.ts';
import { type Daemon, type DaemonOptions, startDaemon } from '../../server/daemon.ts';
import type { RecordPage } from '../../server/schemas/index.ts';
import { newToken, tokenHash } from '../../server/service/tokens.ts';
import { openBenchStore, recordWith } from './bench.ts';

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-daemon-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
const plain = { host: '127.0.0.1', port: 0, devices: [], emulate: {}, logLevel: 'silent' } as const;
function addToken(dir: string): string {
  const store = openStore({ dir }, { mode: 'write' });
  if (!store.ok) throw new Error(store.error.detail);
  const text = newToken();
  store.value.tokens.add({ name: 'test', scope: 'read', hash: tokenHash(text) });
  store.value.close();
  return text;
}
const refusal = async (change: Partial<DaemonOptions>) => {
  const started = await startDaemon({ ...plain, dataDir: folder(), ...change });
  if (started.ok) await started.value.stop();
  return started.ok ? { code: 'STARTED', detail: '' } : started.error;
};
async function started(o: Partial<DaemonOptions> & { readonly dataDir: string }): Promise<Daemon> {
  const daemon = await startDaemon({ ...plain, ...o });
  if (!daemon.ok) throw new Error(daemon.error.detail);
  onTestFinished(() => daemon.value.stop());
  return daemon.value;
}
const recordsAt = async (d: Daemon): Promise<RecordPage> =>
  (await fetch(`${d.url}/v1/records`)).json() as Promise<RecordPage>;

test('boards that nobody knows', async () => {
  expect(await refusal({ emulate: { stm32: 1 } })).toMatchObject({
    code: 'BOARD_UNKNOWN',
    detail: expect.stringContaining('stm32'),
  });
  expect(await refusal({ devices: [{ board: 'avr', address: '/dev/null' }] })).toMatchObject({ code: 'BOARD_UNKNOWN' });
});

test('a directory that is in use, or cannot be one', async () => {
  const dataDir = folder();
  const first = await started({ dataDir });
  expect(await refusal({ dataDir })).toMatchObject({ code: 'DATA_IN_USE', detail: expect.stringContaining(first.url) });
  await first.stop();
  await first.stop();
  const second = await started({ dataDir });
  expect((await fetch(`${second.url}/healthz`)).status).toBe(200);
  const file = join(folder(), 'file');
  writeFileSync(file, 'no directory');
  expect(await refusal({ dataDir: file })).toMatchObject({
    code: 'DATA_DIR_BAD',
    detail: expect.stringContaining(file),
  });
});

test('a port that is taken, an address that is not ours; the directory is free again afterwards', async () => {
  const other = createServer();
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  onTestFinished(() => void other.close());
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const dataDir = folder();
  expect(await refusal({ dataDir, port })).toMatchObject({
    code: 'PORT_IN_USE',
    detail: expect.stringContaining(String(port)),
  });
  addToken(dataDir);
  const elsewhere = { dataDir, host: '203.0.113.1', plainHttp: 'allowed' } as const;
  expect(await refusal(elsewhere)).toMatchObject({ code: 'LISTEN_FAILED' });
  await started({ dataDir });
});

test('a database that takes no job: the daemon does not stay, and the directory is free again', async () => {
  const dataDir = folder();
  const store = openStore({ dir: dataDir }, { mode: 'write' });
  if (!store.ok) throw new Error(store.error.detail);
  const { id } = store.value.putModel({ id: 'm', name: 'm', bytes: new Uint8Array(1) });
  store.value.addJob({ model: id, board: 'host', kind: 'host', policy: 'random', seed: 0, trials: 1, timeMs: null });
  store.value.close();
  const db = new Database(join(dataDir, databaseName));
  db.exec("CREATE TRIGGER full BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'no room left'); END");
  db.close();
  await expect(startDaemon({ ...plain, dataDir })).rejects.toThrow('no room left');
  const lock = lockDataDir(dataDir);
  expect(lock.ok).toBe(true);
  if (lock.ok) lock.value.release();
});

test('records of a file are known afterwards, once; a file that holds none is refused', async () => {
  const store = openBenchStore();
  for (let i = 0; i < 5; i++) store.addRecord(recordWith({ binary: `b${i}`, cycles: 100 - i }));
  const recordsFile = join(folder(), 'shared.jsonl');
  writeFileSync(recordsFile, recordsToJsonLines(store.records({}, 10).items));
  const dataDir = folder();
  for (let times = 0; times < 2; times++) {
    const daemon = await started({ dataDir, recordsFile });
    expect((await recordsAt(daemon)).items).toEqual(store.records({}, 10).items);
    await daemon.stop();
  }
  writeFileSync(recordsFile, 'id,at,job\n');
  expect(await refusal({ dataDir, recordsFile })).toMatchObject({
    code: 'RECORD_BAD',
    detail: expect.stringContaining(recordsFile),
  });
  const own = await started({ dataDir, recordsFile: 'none' });
  expect((await recordsAt(own)).items.length).toBe(5);
});
