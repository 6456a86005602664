/** How large a database is. Must stay true: its files are never opened here, for which see checkSize() in open.ts. */
import { statSync } from 'node:fs';
import type { Database } from 'better-sqlite3';

/** Of all its pages, bytes: also of those that are not in their places yet. */
export function pageBytes(db: Database): number {
  const [count, bytes] = [db.pragma('page_count', { simple: true }), db.pragma('page_size', { simple: true })];
  return Number(count) * Number(bytes);
}

/** Of its write-ahead log; 0 where there is none. */
export const logBytes = (file: string): number => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
