/** Records as JSON that are kept: they are what the rows say, whoever doubts them meanwhile, and no more of them than there is room for. */
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { Texts } from '../../db/texts.ts';
import type { Row } from '../../db/trial-rows.ts';
import { samples } from '../samples.ts';
import { opened, room } from './db-helpers.ts';
import { randomRecord } from './db-records.ts';
import { Random } from './random.ts';

test('pages of texts are pages of records, whatever is appended, merged and doubted meanwhile, here or by another process', () => {
  const r = new Random(90);
  for (let round = 0; round < samples(4, 60); round++) {
    const dir = room();
    const [mine, other] = [opened({ dir }), opened({ dir })];
    const ids = Array.from({ length: 12 }, () => mine.addRecord(randomRecord(r)).id);
    for (let step = 0; step < 40; step++) {
      const store = r.pick([mine, other]);
      const known = store.record(r.pick(ids))!;
      if (r.int(0, 3) === 0) ids.push(store.addRecord(randomRecord(r)).id);
      else if (r.int(0, 2) === 0) store.doubt(known.id, 'drift');
      else if (r.int(0, 1) === 0) store.mergeRecords([{ ...known, doubt: known.doubt ?? 'from afar' }]);
      const asked = [
        r.pick([{}, { status: 'ok' } as const]),
        r.int(1, 9),
        undefined,
        r.pick(['at', '-at'] as const),
      ] as const;
      const texts = mine.recordTexts(...asked);
      const { items, next } = mine.records(...asked);
      expect([texts.items.map((text) => JSON.parse(text)), texts.next]).toEqual([items, next]);
    }
    for (const store of [mine, other]) store.close();
  }
});

const json = { config: '{}', schedule: '{}', times: '{}', repeats: null, sizes: null, bytes: null };
const row: Omit<Row, 'seq' | 'id'> = {
  ...randomRecord(new Random(1)),
  ...json,
  at: '',
  reused_from: null,
  doubt: null,
};

test('what is kept is not read again, and goes when there is no room, oldest first', () => {
  const read: number[] = [];
  const rowsAt = (seqs: readonly number[]): readonly Row[] => {
    read.push(...seqs);
    return seqs.map((seq) => ({ ...row, seq, id: `t-${seq}` }));
  };
  const length = new Texts(new Database(':memory:'), rowsAt).at([1])[0]!.length;
  const texts = new Texts(new Database(':memory:'), rowsAt, { characters: 3 * length, page: 3 });
  const newly = (...seqs: number[]): readonly number[] => {
    read.length = 0;
    const ids = texts.at(seqs).map((text) => (JSON.parse(text) as { id: string }).id);
    expect(ids).toEqual(seqs.map((seq) => `t-${seq}`));
    return [...read];
  };
  expect(newly(1, 2, 3)).toEqual([1, 2, 3]);
  expect(newly(3, 1)).toEqual([]);
  expect(newly(1, 4)).toEqual([4]);
  expect(newly(2, 1, 3)).toEqual([2]);
  expect(newly(4), 'two came after it').toEqual([4]);
  expect(newly(1, 2, 3, 4), 'too long to be kept').toEqual([1, 2, 3, 4]);
  expect(newly(4)).toEqual([]);
  texts.forget();
  expect(newly(4)).toEqual([4]);
});
