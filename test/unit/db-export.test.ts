/** Records as text: JSON Lines come back as they were, CSV reads back cell by cell, and wrong lines change nothing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordsToAutoTvm } from '../../db/autotvm.ts';
import { importRecords, linesOf } from '../../db/import.ts';
import { csvHeader, exportRecords, recordsToCsv, recordsToJsonLines, type TuningRecord } from '../../db/index.ts';
import { openRecordsFile } from '../../db/records-file.ts';
import { samples } from '../samples.ts';
import { opened, room } from './db-helpers.ts';
import { seededRecords } from './db-records.ts';
import { Random } from './random.ts';

/** A farm's database in memory with some records. */
function farm(seed: number, count: number) {
  const store = opened('memory');
  return { store, records: seededRecords(seed, count).map((x) => store.addRecord(x)) };
}

test('an export imports without loss, into any farm, once', () => {
  const [a, b] = [farm(20, samples(600, 5000)), farm(21, 50)];
  const text = [...exportRecords(a.store, {})].join('');
  expect(text).toBe(recordsToJsonLines(a.records));
  const lines = text.split('\n');
  expect(importRecords(b.store, lines)).toEqual({
    ok: true,
    value: { added: a.records.length, duplicates: 0, conflicts: 0 },
  });
  expect(importRecords(b.store, lines)).toEqual({
    ok: true,
    value: { added: 0, duplicates: a.records.length, conflicts: 0 },
  });
  expect(b.store.records({}, 10_000).items).toEqual([...b.records, ...a.records]);
  const third = opened('memory');
  expect(importRecords(third, exportRecords(b.store, {})).ok).toBe(true);
  expect([...exportRecords(third, {})]).toEqual([...exportRecords(b.store, {})]);
  const more = third.addRecord(seededRecords(22, 1)[0]!);
  expect(
    [...a.records, ...b.records].some((x) => x.id === more.id),
    'ids of farms never meet',
  ).toBe(false);
  expect([...exportRecords(a.store, { status: 'failed' })].join('')).toBe(
    recordsToJsonLines(a.records.filter((x) => x.status === 'failed')),
  );
});

test('the same id with another content is left out and counted', () => {
  const a = farm(23, 5);
  const changed = a.records.map((x) => ({ ...x, policy: `${x.policy}, changed` }));
  expect(importRecords(a.store, [recordsToJsonLines(changed.slice(0, 1))])).toMatchObject({
    value: { added: 0, conflicts: 1 },
  });
  const other = { ...a.records[0]!, id: 't-far-1', workload: 'not the task it says' };
  expect(importRecords(a.store, [recordsToJsonLines([other])])).toMatchObject({ value: { added: 0, conflicts: 1 } });
  expect(a.store.records({}, 10).items).toEqual(a.records);
});

test('a wrong line is named, and then nothing is taken over', () => {
  const { records } = farm(24, 4);
  const good = records.map((x) => JSON.stringify(x));
  const ok = records.find((x) => x.status === 'ok')!;
  const bad = (change: Record<string, unknown>): string => JSON.stringify({ ...ok, ...change });
  const wrong: Record<string, string> = {
    'no JSON': good[0]!.slice(0, -5),
    'no object': '[1]',
    null: 'null',
    'another key': bad({ extra: 1 }),
    'a missing key': bad({ task: undefined }),
    'another kind': bad({ kind: 'guess' }),
    'a time in words': bad({ at: 'yesterday' }),
    'a time of another zone': bad({ at: '2026-01-01T00:00:00+01:00' }),
    'ok without cycles': bad({ cycles: null }),
    'ok with a stage': bad({ stage: 'run' }),
    'an unknown stage': bad({ status: 'failed', cycles: null, stage: 'guess', code: 'X', detail: '' }),
    'a step that is none': bad({ schedule: { algorithm: 'a', steps: [1] } }),
    'a config of nothing': bad({ config: {} }),
    'text for a number': bad({ cycles: '12' }),
  };
  for (const [name, line] of Object.entries(wrong)) {
    const store = opened('memory');
    const result = importRecords(store, [...good, '', line]);
    expect(result, name).toMatchObject({ ok: false, error: { stage: 'record', code: 'RECORD_BAD' } });
    expect(result.ok || result.error.detail).toMatch(/^line 6\b/);
    expect(store.records({}, 10).items, name).toEqual([]);
    store.close();
  }
});

test('damaged exports give records or RECORD_BAD', () => {
  const r = new Random(25);
  const text = recordsToJsonLines(farm(26, 6).records);
  for (let round = 0; round < samples(120, 4000); round++) {
    const at = r.int(0, text.length - 1);
    const damaged =
      text.slice(0, at) + r.pick(['', '"', '{', '0', 'null', '\n', '\u0000', '}']) + text.slice(at + r.int(0, 3));
    const store = opened('memory');
    const result = importRecords(store, damaged.split('\n'));
    if (result.ok)
      expect(recordsToJsonLines(store.records({}, 10).items).split('\n').length).toBe(result.value.added + 1);
    else expect(result.error.code).toBe('RECORD_BAD');
    store.close();
  }
});

/** Cells of a CSV text; a quoted empty cell is '', an unquoted one null. */
function cellsOf(csv: string): (string | null)[][] {
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  const rows: (string | null)[][] = [[]];
  for (let m = cell.exec(csv); m !== null; m = cell.exec(csv)) {
    rows.at(-1)!.push(m[1] !== undefined ? m[1].replaceAll('""', '"') : m[2] === '' ? null : m[2]!);
    if (m[3] === '\r\n') rows.push([]);
  }
  expect(rows.pop(), 'the text ends with a row').toEqual([]);
  return rows;
}

/** A text that a spreadsheet would run, with what keeps it from that. */
const unlikeFormula = (v: unknown): unknown => (typeof v === 'string' && /^[=+\-@\t\r]/.test(v) ? `'${v}` : v);

test('lines for AutoTVM: numbers, errors and settings where its tools look for them', () => {
  const { records } = farm(29, samples(200, 3000));
  const doubted = records.map((x, i) => (i % 9 === 0 ? { ...x, doubt: 'drift' } : x));
  const lines = recordsToAutoTvm(doubted, (board) => (board === 'host' ? 1e9 : undefined))
    .trimEnd()
    .split('\n');
  expect(lines.length).toBe(records.length);
  for (const [i, x] of doubted.entries()) {
    const line = JSON.parse(lines[i] ?? '') as AutoTvmLine;
    expect(Object.keys(line)).toEqual(['input', 'config', 'result', 'version', 'tvm_version']);
    const [costs, error, seconds, at] = line.result;
    expect(at).toBe(Date.parse(x.at) / 1000);
    expect(seconds).toBeCloseTo(((x.times.compile ?? 0) + (x.times.run ?? 0)) / 1000, 9);
    const clock = x.board === 'host' ? 1e9 : 1;
    const measured = x.status === 'ok' && x.doubt === null;
    expect(costs).toEqual(measured ? (x.repeats ?? [x.cycles]).map((n) => (n ?? 0) / clock) : [1e9]);
    const failure = x.code === 'DEADLINE' ? 7 : errorsOfStages.get(x.stage ?? '');
    const expected = x.doubt !== null ? 8 : x.status === 'ok' ? 0 : failure;
    expect([error, line.input[1], line.version]).toEqual([expected, 'microtune.conv', 0.2]);
    const settings = 'knobs' in x.config ? x.config.knobs : { schedule: JSON.stringify(x.config.schedule) };
    expect(line.config.entity).toEqual(
      Object.entries({ template: x.config.template, version: x.config.version, ...settings }).map(([k, v]) => [
        k,
        'ot',
        v,
      ]),
    );
    expect(Number.isSafeInteger(line.config.index)).toBe(true);
  }
  const odd = ['', '[', '5', '{"op":1,"inputs":[3,null,{"dtype":"int8","shape":[2]}]}'].map((workload) => ({
    ...records[0]!,
    workload,
  }));
  const tensors = recordsToAutoTvm(odd, () => 1)
    .trimEnd()
    .split('\n')
    .map((l) => (JSON.parse(l) as AutoTvmLine).input[2]);
  expect(tensors.slice(0, 3)).toEqual([[], [], []]);
  expect(tensors[3]?.[2]).toEqual(['TENSOR', [2], 'int8']);
});

const errorsOfStages = new Map([
  ['compile', 2],
  ['run', 4],
  ['verify', 5],
]);
interface AutoTvmLine {
  readonly input: readonly [string, string, readonly unknown[], object];
  readonly config: { readonly index: number; readonly entity: readonly unknown[] };
  readonly result: readonly [readonly number[], number, number, number];
  readonly version: number;
}

test('CSV: a header, then every value of every record', () => {
  const { records } = farm(27, samples(200, 5000));
  const [header, ...rows] = cellsOf(recordsToCsv(records));
  expect(`${header!.join(',')}\r\n`).toBe(csvHeader);
  expect(csvHeader).toBe(
    'id,at,job,task,workload,board,kind,device,toolchain,flags,firmware,policy,template,config,schedule,status,stage,code,' +
      'detail,cycles,repeats,sizes,binary,reusedFrom,times,bytes,doubt\r\n',
  );
  const json = ['config', 'schedule', 'repeats', 'sizes', 'times', 'bytes', 'cycles'];
  const back = rows.map((row) =>
    Object.fromEntries(header!.map((k, i) => [k, row[i] !== null && json.includes(k!) ? JSON.parse(row[i]!) : row[i]])),
  );
  const guarded = records.map((x) => Object.fromEntries(Object.entries(x).map(([k, v]) => [k, unlikeFormula(v)])));
  expect(guarded.some((x, i) => x.job !== records[i]?.job || x.detail !== records[i]?.detail)).toBe(true);
  expect(back).toEqual(guarded);
  expect(rows.flat().filter((cell) => cell !== null && /^[=+\-@\t\r]/.test(cell))).toEqual([]);
  expect(recordsToCsv([])).toBe(csvHeader);
});

test('a file of records: a database or JSON Lines', () => {
  const dir = room();
  const records: TuningRecord[] = seededRecords(28, 300).map((x, i) => ({
    ...x,
    id: `t-x-${i}`,
    at: '2026-01-01T00:00:00.000Z',
    doubt: i % 7 === 0 ? 'a "drift",\n' : null,
  }));
  const [lines, db] = [join(dir, 'a.jsonl'), join(dir, 'a.db')];
  writeFileSync(lines, recordsToJsonLines(records).trimEnd());
  const made = opened({ file: db });
  expect(importRecords(made, linesOf(lines))).toMatchObject({ value: { added: 300 } });
  made.close();
  for (const file of [lines, db]) {
    const store = openRecordsFile(file);
    if (!store.ok) throw new Error(store.error.detail);
    expect(store.value.records({}, 1000).items).toEqual(records);
    store.value.close();
  }
  writeFileSync(lines, '{}\n');
  const bad = openRecordsFile(lines);
  expect(bad).toMatchObject({ error: { code: 'RECORD_BAD', detail: expect.stringContaining('a.jsonl, line 1:') } });
  expect(openRecordsFile(join(dir, 'none.jsonl'))).toMatchObject({ error: { code: 'FILE_UNUSABLE' } });
  expect(openRecordsFile(join(dir, 'none.db'))).toMatchObject({ error: { code: 'DB_MISSING' } });
  expect(openRecordsFile(dir)).toMatchObject({ ok: false });
});
