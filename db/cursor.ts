/**
 * Cursors of pages: where a page ended, bound by a hash to the list (its filter and order) and to the database that it came from.
 * Must stay true: a cursor only ever continues the list it was made for; any other text is refused.
 */
import { hash } from 'node:crypto';
import { BadCursor } from './errors.ts';
import type { Page } from './types.ts';

/** What makes one list another than all others: anything that JSON can say. */
export type List = unknown;

/** What a cursor must carry to belong to this place of this list. */
const mark = (place: string, farm: string, list: List): string =>
  hash('sha256', JSON.stringify([place, farm, list]), 'hex').slice(0, 16);

const textAfter = (place: string, farm: string, list: List): string =>
  Buffer.from(`${mark(place, farm, list)}.${place}`).toString('base64url');

/** The cursor behind the row with this number, or this text. */
export const cursorAfter = (place: number | string, farm: string, list: List): string =>
  textAfter(String(place), farm, list);

/** The text that a cursor stands for. Throws BadCursor. */
export function placeOf(cursor: string, farm: string, list: List): string {
  const place = /^[0-9a-f]{16}\.(.*)$/s.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  // Made again and compared: base64 has many spellings of the same bytes.
  if (place === undefined || textAfter(place, farm, list) !== cursor)
    throw new BadCursor('the cursor is not the `next` of an earlier page with the same filter');
  return place;
}

/** The row number that a cursor stands for. Throws BadCursor. */
export const seqOf = (cursor: string, farm: string, list: List): number => Number(placeOf(cursor, farm, list));

/** The first `limit` of rows of which one more was read, where there is one; `behind` makes the cursor behind a row. */
export function pageOf<Row>(rows: readonly Row[], limit: number, behind: (last: Row) => string): Page<Row> {
  const last = rows[limit - 1];
  return {
    items: rows.slice(0, limit),
    next: rows.length > limit && last !== undefined ? behind(last) : null,
  };
}
