/** Records over HTTP: filters, pages and formats all show the same rows. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordBody, RecordPage } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { type Bench, errorIn, recordWith, startBench } from './bench.ts';

async function withRecords(count: number): Promise<Bench> {
  const b = await startBench();
  for (let i = 0; i < count; i++)
    b.store.addRecord(
      i % 3 === 0
        ? recordWith({
            task: `t${i % 2}`,
            job: 'j',
            status: 'failed',
            cycles: null,
            stage: 'run',
            code: 'FAULT',
            detail: 'a "b", c\nd',
          })
        : recordWith({ task: `t${i % 2}`, binary: `b${i}`, cycles: 100 + i }),
    );
  return b;
}
async function pagesOf(b: Bench, query: string, limit: number): Promise<readonly RecordBody[]> {
  const items: RecordBody[] = [];
  for (let cursor = ''; ; ) {
    const page = (await b.get(`/v1/records?${query}&limit=${limit}${cursor}`)).json<RecordPage>();
    items.push(...page.items);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    if (page.next === null) return items;
    cursor = `&cursor=${encodeURIComponent(page.next)}`;
  }
}

test('pages of any size hold every record once, oldest first, whole', async () => {
  const b = await withRecords(23);
  const all = b.store.records({}, 100).items;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 30 }), async (limit) => {
      expect(await pagesOf(b, '', limit)).toEqual(all);
    }),
    { seed: 1, numRuns: samples(8, 30) },
  );
});

test('filters', async () => {
  const b = await withRecords(12);
  const count = async (query: string) => (await pagesOf(b, query, 5)).length;
  expect(await count('status=failed')).toBe(4);
  expect(await count('status=ok&task=t1')).toBe(4);
  expect(await count('job=j')).toBe(4);
  expect(await count('board=host')).toBe(0);
  expect(await count('kind=instructions')).toBe(12);
  expect(await count('since=2000-01-01T00:00:00Z')).toBe(12);
  expect(await count('since=2999-01-01T00:00:00Z')).toBe(0);
});

test('JSON lines and CSV hold the same rows; the cursor is in a header', async () => {
  const b = await withRecords(7);
  const page = (await b.get('/v1/records?limit=5')).json<RecordPage>();
  const lines = await b.get('/v1/records?limit=5&format=jsonl');
  expect(lines.headers['content-type']).toMatch('application/x-ndjson');
  expect(lines.headers['x-next-cursor']).toBe(page.next);
  expect(
    lines.body
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l)),
  ).toEqual(page.items);
  const csv = await b.get('/v1/records?limit=5', { accept: 'text/csv' });
  expect(csv.headers['content-type']).toMatch('text/csv');
  const [head = [], ...rows] = csvRows(csv.body);
  expect(rows.length).toBe(5);
  for (const [i, row] of rows.entries()) {
    const item: Readonly<Record<string, unknown>> = page.items[i] ?? {};
    expect(head.toSorted()).toEqual(Object.keys(item).toSorted());
    const texts = head
      .map((k) => item[k])
      .map((v) => (typeof v === 'string' ? unlikeFormula(v) : v === null ? '' : JSON.stringify(v)));
    expect(row).toEqual(texts);
  }
});

/** Flags of a compiler begin like formulas. */
const unlikeFormula = (text: string): string => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

/** A reader of its own: quotes, doubled quotes, line ends within them. */
function csvRows(text: string): readonly (readonly string[])[] {
  const fields = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n"]*))(,|\r\n)/g)];
  const rows: string[][] = [[]];
  for (const [, quoted, plain = '', end] of fields) {
    rows.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== ',') rows.push([]);
  }
  return rows.slice(0, -1);
}

test('what cannot be asked is refused', async () => {
  const b = await withRecords(7);
  const next = encodeURIComponent((await b.get('/v1/records?limit=2&task=t0')).json<RecordPage>().next ?? '');
  for (const [query, code] of [
    ['limit=0', 'BAD_REQUEST'],
    ['limit=1001', 'BAD_REQUEST'],
    ['limit=many', 'BAD_REQUEST'],
    ['status=good', 'BAD_REQUEST'],
    ['kind=guess', 'BAD_REQUEST'],
    ['since=yesterday', 'BAD_REQUEST'],
    ['format=xml', 'BAD_REQUEST'],
    ['colour=red', 'BAD_REQUEST'],
    ['cursor=abc', 'BAD_CURSOR'],
    [`cursor=${next}`, 'BAD_CURSOR'],
  ] as const) {
    const answer = await b.get(`/v1/records?${query}`);
    expect([query, answer.statusCode, errorIn(answer).code]).toEqual([query, 400, code]);
  }
});
