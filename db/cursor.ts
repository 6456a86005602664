/**
 * Cursors of pages: the last row's number, bound to the filter and the database that it came from by a hash. Must stay true: a cursor
 * only ever continues the list it was made for; any other text is refused.
 */
import { createHash } from 'node:crypto';
import { BadCursor, BadFilter } from './errors.ts';
import type { RecordFilter } from './types.ts';

const keys = ['job', 'board', 'kind', 'task', 'status', 'since'] as const;

/** A filter in one form: known keys in one order, `since` as stored times are written. */
export function normalFilter(filter: RecordFilter): RecordFilter {
  const entries = keys.flatMap((k): [string, string][] => {
    const v = filter[k];
    return v === undefined ? [] : [[k, k === 'since' ? isoTime(v) : v]];
  });
  return Object.fromEntries(entries);
}

function isoTime(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new BadFilter(`since: "${text}" is not a time like 2026-01-31T12:00:00Z`);
  return new Date(ms).toISOString();
}

/** What a cursor must carry to belong to this place of this list. */
const mark = (seq: number, farm: string, normal: RecordFilter): string =>
  createHash('sha256')
    .update(JSON.stringify([seq, farm, normal]))
    .digest('hex')
    .slice(0, 16);

export const cursorAfter = (seq: number, farm: string, normal: RecordFilter): string =>
  Buffer.from(`${seq}.${mark(seq, farm, normal)}`).toString('base64url');

/** The row number that a cursor stands for. Throws BadCursor. */
export function seqOf(cursor: string, farm: string, normal: RecordFilter): number {
  const found = /^([1-9][0-9]{0,15})\.([0-9a-f]{16})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  const seq = Number(found?.[1]);
  // Made again and compared: base64 has many spellings of the same bytes.
  if (found === null || !Number.isSafeInteger(seq) || cursorAfter(seq, farm, normal) !== cursor)
    throw new BadCursor('the cursor is not the `next` of an earlier page with the same filter');
  return seq;
}
