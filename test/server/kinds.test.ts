/** Counts of different kinds are never compared: not in a ranking, not in what a job knows, not among the devices of a board. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Board, BoardModule, Kind } from '../../boards/index.ts';
import { boards } from '../../boards/index.ts';
import { failed } from '../../compiler/result.ts';
import { csvHeader, recordsToJsonLines } from '../../db/export.ts';
import { importRecords } from '../../db/import.ts';
import type { NewRecord, Store } from '../../db/types.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { main } from '../../server/cli/index.ts';
import { startDaemon } from '../../server/daemon.ts';
import { Farm } from '../../server/devices.ts';
import { prepare } from '../../server/models.ts';
import { selectKnown } from '../../server/offers.ts';
import { boardsFor, isEmulated } from '../../server/product.ts';
import { ranked } from '../../server/ranking.ts';
import type { RecordPage } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { type Bench, errorIn, openBenchStore, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

const kinds: readonly Kind[] = ['silicon', 'model', 'instructions', 'host'];
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-kinds-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
};
function storeOf(records: readonly Partial<NewRecord>[]): Store {
  const store = openBenchStore();
  onTestFinished(() => store.close());
  for (const [i, r] of records.entries()) store.addRecord(recordWith({ binary: `b${i}`, ...r }));
  return store;
}
const mixedStore = (): Store =>
  storeOf([
    { kind: 'instructions', cycles: 300 },
    { kind: 'instructions', cycles: 200 },
    { kind: 'model', cycles: 10 },
    { kind: 'silicon', cycles: 5, task: 'another' },
  ]);

test('a ranking holds one kind, fastest first, or is refused with what there is', async () => {
  const b = await startBench(mixedStore());
  const ask = (query: string) => b.get(`/v1/records/best?board=mps2-an386&${query}`);
  const refused = await ask('task=task0');
  expect([refused.statusCode, errorIn(refused).code]).toEqual([409, 'KINDS_MIXED']);
  expect(errorIn(refused).detail).toMatch(/2 of instructions, 1 of model/);
  const cyclesOf = async (query: string) => (await ask(query)).json<RecordPage>().items.map((r) => [r.kind, r.cycles]);
  expect(await cyclesOf('task=task0&kind=instructions')).toEqual([
    ['instructions', 200],
    ['instructions', 300],
  ]);
  expect(await cyclesOf('task=task0&kind=instructions&limit=1')).toEqual([['instructions', 200]]);
  // One kind only: it need not be named.
  expect(await cyclesOf('task=another')).toEqual([['silicon', 5]]);
  expect(await cyclesOf('task=nothing')).toEqual([]);
  for (const query of ['', 'task=task0&kind=guess', 'task=task0&sort=cycles'])
    expect(errorIn(await ask(query)).code).toBe('BAD_REQUEST');
});

test('whatever records there are, nothing of two kinds is ranked together', () => {
  const record = fc.record({
    kind: fc.constantFrom(...kinds),
    cycles: fc.integer({ min: 1, max: 50 }),
    board: fc.constantFrom('x', 'y'),
    task: fc.constantFrom('t', 'u'),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), fc.option(fc.constantFrom(...kinds)), (records, kind) => {
      const store = openBenchStore();
      for (const [i, r] of records.entries()) store.addRecord(recordWith({ binary: `b${i}`, ...r }));
      const wish = { task: 't', board: 'x', limit: 100, ...(kind !== null && { kind }) };
      const suiting = records.filter((r) => r.task === 't' && r.board === 'x' && (kind === null || r.kind === kind));
      const got = ranked(store, wish);
      store.close();
      const several = new Set(suiting.map((r) => r.kind)).size > 1;
      expect(got.ok).toBe(!several);
      if (!got.ok) expect(got.error.code).toBe('KINDS_MIXED');
      else expect(got.value.map((r) => r.cycles)).toEqual(suiting.map((r) => r.cycles).toSorted((a, z) => a - z));
    }),
    { seed: 1, numRuns: samples(30, 500) },
  );
});

test('the command line ranks a file and a data directory, of one kind', async () => {
  const dir = folder();
  const file = join(dir, 'records.jsonl');
  writeFileSync(file, recordsToJsonLines(mixedStore().records({}, 10).items));
  const cli = async (...args: readonly string[]) => {
    const said = { out: '', err: '' };
    const code = await main(['records', '--data', join(dir, 'none'), ...args], {
      stdin: Readable.from([]),
      stdout: { write: (text) => (said.out += text) },
      stderr: { write: (text) => (said.err += text) },
    });
    return { code, ...said };
  };
  const best = ['--best', '--board', 'mps2-an386', '--task', 'task0'];
  const refused = await cli('--records', file, ...best);
  expect([refused.code, refused.out]).toEqual([2, '']);
  expect(refused.err).toMatch(/^error KINDS_MIXED: .*2 of instructions, 1 of model/);
  const fastest = await cli('--records', file, ...best, '--kind', 'instructions', '--limit', '1');
  expect(fastest.out).toMatch(/ 200 +instructions /);
  expect(fastest.out.trim().split('\n')).toHaveLength(2);
  expect((await cli('--best', '--task', 'task0')).err).toMatch(/^error USAGE/);
  expect((await cli(...best, '--json')).out.trim()).toBe('[]');

  const dataDir = join(dir, 'data');
  const options = { dataDir, host: '127.0.0.1', port: 0, devices: [], emulate: {}, recordsFile: file } as const;
  const daemon = await startDaemon({ ...options, logLevel: 'silent' });
  if (!daemon.ok) throw new Error(daemon.error.detail);
  const asked = () => cli('--data', dataDir, ...best, '--kind', 'model', '--json');
  const running = await asked();
  await daemon.value.stop();
  const stopped = await asked();
  expect(JSON.parse(running.out)).toMatchObject([{ kind: 'model', cycles: 10 }]);
  expect(stopped.out).toBe(running.out);
});

test('layers get schedules of records of the board kind only, however fast others are', () => {
  const board = boards.find((x) => x.id === 'mps2-an386');
  const model = prepare(smallModel(1), 'small');
  if (board === undefined || !model.ok) throw new Error('the bench is broken');
  const { tasks } = model.value;
  const toolchain = { version: 'gcc 12', flags: '-mcpu=cortex-m4' };
  const store = storeOf(
    tasks.flatMap((t) =>
      kinds.map((kind, i) => ({
        task: t.id,
        workload: t.key,
        schedule: defaultSchedule(t.workload, []),
        kind,
        cycles: 1000 - i,
        ...toolchainOf(toolchain),
      })),
    ),
  );
  const selected = selectKnown(tasks, board, store, toolchain);
  const kindsUsed = selected.map((s) => s.offer.cycles?.kind);
  expect(new Set(kindsUsed)).toEqual(new Set(['instructions']));
  for (const { id: task } of tasks)
    for (const kind of kinds)
      expect(store.records({ task, board: board.id, kind }, 10).items.map((r) => r.kind)).toEqual([kind]);
});
const toolchainOf = ({ version, flags }: { readonly version: string; readonly flags: string }) => ({
  toolchain: version,
  flags,
});

test('kinds are in every answer, survive export and import, and a record without one is refused', async () => {
  const b: Bench = await startBench(storeOf(kinds.map((kind) => ({ kind }))));
  const { items } = (await b.get('/v1/records')).json<RecordPage>();
  expect(items.map((r) => r.kind)).toEqual(kinds);
  expect(csvHeader.split(',')).toContain('kind');
  const job = await b.submit();
  expect(job.kind).toBe('instructions');
  for (const url of ['/v1/jobs', '/v1/boards', '/v1/devices']) {
    const list = (await b.get(url)).json<{ items: readonly { kind?: string }[] }>().items;
    expect(list.length, url).toBeGreaterThan(0);
    for (const item of list) expect(kinds, url).toContain(item.kind);
  }
  const copy = openBenchStore();
  const lines = recordsToJsonLines(b.store.records({}, 10).items).split('\n');
  expect(importRecords(copy, lines)).toMatchObject({ ok: true, value: { added: kinds.length } });
  expect(copy.records({}, 10).items.map((r) => r.kind)).toEqual(kinds);
  for (const kind of ['"cycles"', 'null', undefined]) {
    const spoiled = lines[0]?.replace(/"kind":"silicon",/, kind === undefined ? '' : `"kind":${kind},`) ?? '';
    expect(importRecords(copy, [spoiled])).toMatchObject({ ok: false, error: { code: 'RECORD_BAD' } });
  }
  copy.close();
});

const nothing = async () => failed('load', 'NO_DEVICE', 'not asked for here');
const data: Board = { ...(boards[0] as BoardModule), id: 'twin', kind: 'model', deterministic: true };
const twin: BoardModule = {
  ...data,
  build: nothing,
  open: nothing,
  product: { board: { ...data, kind: 'silicon', deterministic: false }, build: nothing, tools: [] },
};
const device = { board: 'twin', address: '127.0.0.1:1' };

test('a board is its product or its twin to a daemon, not both', () => {
  const of = (devices: readonly (typeof device)[], emulate: Readonly<Record<string, number>>) =>
    boardsFor([twin], { devices, emulate });
  for (const emulate of [{}, { twin: 2 }]) expect(of([], emulate)).toEqual({ ok: true, value: [twin] });
  expect(of([device], { twin: 1 })).toMatchObject({ ok: false, error: { code: 'KINDS_MIXED' } });
  for (const got of [of([device], {}), of([device], { twin: 0 }), of([], { twin: 0 })]) {
    const [board] = got.ok ? got.value : [];
    expect(board).toMatchObject({ id: 'twin', kind: 'silicon', deterministic: false });
    expect(board !== undefined && isEmulated(board)).toBe(false);
  }
});

test('a farm refuses attached products beside twins, whoever made it', async () => {
  const options = { attached: [device], emulate: {}, cores: 1, cacheDir: folder(), log: () => undefined };
  const farm = new Farm({ boards: [twin], ...options });
  expect(await farm.open(twin)).toMatchObject({ ok: false, error: { code: 'KINDS_MIXED' } });
});
