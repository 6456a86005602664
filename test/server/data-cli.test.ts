/** Care of data on the command line: merging farms, backups, the doctor, each with and without a daemon. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { databaseName, type RecordFilter, type RecordSort, recordsToJsonLines, type Store } from '../../db/index.ts';
import { lockDataDir } from '../../db/lock.ts';
import { samples } from '../samples.ts';
import { opened, room } from '../unit/db-helpers.ts';
import { seededRecords } from '../unit/db-records.ts';
import { startBench } from './bench.ts';
import { cli } from './cli.ts';

/** A data directory with some records, and what is in it. */
function farm(seed: number, count: number) {
  const dir = room();
  const store = opened({ dir });
  for (const x of seededRecords(seed, count)) store.addRecord(x);
  store.doubt(store.records({}, 1).items[0]!.id, 'drift');
  const { items } = store.records({}, 10_000);
  store.close();
  return { dir, items };
}
function reading<T>(dir: string, work: (store: Store) => T): T {
  const store = opened({ dir }, { mode: 'read' });
  try {
    return work(store);
  } finally {
    store.close();
  }
}
const all = (dir: string) => reading(dir, (store) => store.records({}, 10_000).items);

test('records by every filter and order that the store has, from a database or a daemon', async () => {
  const a = farm(6, 60);
  const bench = await startBench(opened({ dir: a.dir }));
  const url = await bench.app.listen({ port: 0, host: '127.0.0.1' });
  const asked: readonly (readonly [RecordFilter, RecordSort, readonly string[]])[] = [
    [{ op: 'conv', board: 'host' }, 'at', ['--op', 'conv', '--board', 'host']],
    [
      { policy: 'random', template: 'conv-gemm' },
      '-at',
      ['--policy', 'random', '--template', 'conv-gemm', '--sort=-at'],
    ],
    [{ knobs: { tile: 3 } }, 'at', ['--knob', 'tile=3']],
    [{ knobs: { tile: 2, pack: '=1+1' } }, 'at', ['--knob', 'tile=2', '--knob', 'pack==1+1']],
    [
      { kind: 'host', cyclesMin: 2, cyclesMax: 5 },
      'cycles',
      ['--kind', 'host', '--cycles-min', '2', '--cycles-max', '5', '--sort', 'cycles'],
    ],
    [{ stage: 'run', code: 'FAULT' }, 'at', ['--stage', 'run', '--code', 'FAULT']],
    [
      { device: 'qemu-0', binary: 'b1', toolchain: 'gcc 13' },
      'at',
      ['--device', 'qemu-0', '--binary', 'b1', '--toolchain', 'gcc 13'],
    ],
    [{ until: '2000-01-01' }, 'at', ['--until', '2000-01-01']],
  ];
  for (const [filter, sort, args] of asked) {
    const wanted = bench.store.records(filter, 1000, undefined, sort).items.map((x) => x.id);
    for (const where of [
      ['--data', a.dir],
      ['--url', url],
    ]) {
      const told = await cli('records', ...args, ...where, '--json');
      expect([told.code, (JSON.parse(told.out) as { id: string }[]).map((x) => x.id)], args.join(' ')).toEqual([
        0,
        wanted,
      ]);
    }
  }
  for (const [args, code] of [
    [['--sort', 'cycles'], 'KINDS_MIXED'],
    [['--layer', 'a'], 'USAGE'],
    [['--knob', 'tile'], 'USAGE'],
    [['--sort', 'speed'], 'USAGE'],
    [['--cycles-min', 'few'], 'USAGE'],
  ] as const)
    expect((await cli('records', ...args, '--data', a.dir)).err.split(':')[0], args.join(' ')).toBe(`error ${code}`);
});

test('farms are merged from a directory, a database or lines of JSON, with or without a daemon, without duplicates', async () => {
  const [a, b] = [farm(1, 30), farm(2, samples(40, 400))];
  const lines = join(b.dir, 'records.jsonl');
  writeFileSync(lines, recordsToJsonLines(b.items));
  const merged = await cli('records', 'merge', b.dir, '--data', a.dir, '--json');
  expect([merged.code, JSON.parse(merged.out)]).toEqual([0, { added: b.items.length, duplicates: 0, conflicts: 0 }]);
  for (const other of [b.dir, join(b.dir, databaseName), lines]) {
    const again = await cli('records', 'merge', other, '--data', a.dir);
    expect([again.code, again.out.trim()]).toEqual([0, `0 records taken over, ${b.items.length} known before`]);
  }
  expect(all(a.dir)).toEqual([...a.items, ...b.items]);
  const bench = await startBench();
  const url = await bench.app.listen({ port: 0, host: '127.0.0.1' });
  const there = await cli('records', 'merge', a.dir, '--data', room(), '--url', url, '--json');
  expect(JSON.parse(there.out)).toMatchObject({ added: a.items.length + b.items.length });
  expect(bench.store.records({}, 10_000).items).toEqual(all(a.dir));
});

test('what cannot be merged is told of, and changes nothing', async () => {
  const a = farm(3, 5);
  const bad = join(a.dir, 'bad.jsonl');
  writeFileSync(bad, '{}\n');
  for (const [other, code] of [
    [bad, 'RECORD_BAD'],
    [join(a.dir, 'none.jsonl'), 'FILE_UNUSABLE'],
    [room(), 'FILE_UNUSABLE'],
  ] as const) {
    const told = await cli('records', 'merge', other, '--data', a.dir);
    expect([told.code, told.err.split(':')[0]]).toEqual([2, `error ${code}`]);
  }
  const lock = lockDataDir(a.dir);
  expect((await cli('records', 'merge', a.dir, '--data', a.dir)).err).toMatch(/^error DATA_IN_USE/);
  if (lock.ok) lock.value.release();
  expect(all(a.dir)).toEqual(a.items);
});

test('a backup is the database, asked of the daemon or made here', async () => {
  const a = farm(4, 20);
  const made = await cli('backup', '--data', a.dir, '--json');
  const { file, bytes } = JSON.parse(made.out) as { readonly file: string; readonly bytes: number };
  expect(bytes).toBe(readFileSync(join(a.dir, file)).length);
  const copy = opened({ file: join(a.dir, file) }, { mode: 'read' });
  expect(copy.records({}, 1000).items).toEqual(a.items);
  copy.close();
  const bench = await startBench(opened({ dir: a.dir }));
  const url = await bench.app.listen({ port: 0, host: '127.0.0.1' });
  const there = await cli('backup', '--data', a.dir, '--url', url);
  expect([there.code, there.out]).toEqual([0, expect.stringMatching(/^backups\/microtune-.*\.db: [\d,]+ bytes/)]);
  expect((await cli('backup', '--data', room())).err).toMatch(/^error DB_MISSING/);
});

test('the doctor finds what is wrong with a data directory, and repairs summaries', async () => {
  const a = farm(5, 20);
  const doctor = async (...more: readonly string[]) => {
    const told = await cli('doctor', '--data', a.dir, '--json', ...more);
    const findings = JSON.parse(told.out) as readonly { readonly check: string; readonly state: string }[];
    return { code: told.code, states: Object.fromEntries(findings.map((f) => [f.check, f.state])) };
  };
  const healthy = { database: 'ok', summaries: 'ok', records: 'warn', devices: 'ok', 'job folders': 'ok', room: 'ok' };
  // Its random records name an origin that is elsewhere.
  expect(await doctor()).toEqual({ code: 0, states: healthy });
  mkdirSync(join(a.dir, 'jobs', 'j-nobody'), { recursive: true });
  expect((await doctor()).states).toEqual({ ...healthy, 'job folders': 'warn' });
  const db = new Database(join(a.dir, databaseName));
  db.exec('UPDATE tallies SET trials = trials + 1');
  db.close();
  expect(await doctor()).toEqual({ code: 4, states: { ...healthy, summaries: 'fail', 'job folders': 'warn' } });
  const lock = lockDataDir(a.dir);
  expect((await cli('doctor', '--data', a.dir, '--repair')).err).toMatch(/^error DATA_IN_USE/);
  if (lock.ok) lock.value.release();
  expect(await doctor('--repair')).toEqual({ code: 0, states: { ...healthy, 'job folders': 'warn' } });
  expect(all(a.dir)).toEqual(a.items);
  writeFileSync(join(a.dir, databaseName), 'x'.repeat(5000));
  expect(await doctor()).toEqual({ code: 4, states: { database: 'fail' } });
  expect((await cli('doctor', '--data', room())).code).toBe(0);
});
