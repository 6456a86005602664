/** Whether a database is sound: its file, its references, its summaries. Reads all of it; changes nothing unless told to repair. */
import type { Database } from 'better-sqlite3';
import { wrongSummaries } from './summaries.ts';

export interface Health {
  /** What SQLite says of the file's structure; empty where it is sound. */
  readonly damage: readonly string[];
  /** Rows that refer to rows which are not there. */
  readonly dangling: number;
  /** Rows of summaries that are not what the trials say. */
  readonly wrongSummaries: number;
  /** Records that took a measurement over from one that is not here: merged without it. */
  readonly withoutOrigin: number;
  /** Doubts of records that are not here. */
  readonly doubtsOfNothing: number;
  /** Devices that made no trial since a time, and when they made the last. */
  readonly staleDevices: readonly { readonly device: string; readonly board: string; readonly lastAt: string }[];
}

/** `since`: a device is stale that made no trial since; ISO 8601. */
export function healthOf(db: Database, since: string): Health {
  const count = (sql: string): number => db.prepare<[], number>(sql).pluck().get() ?? 0;
  const damage = db.prepare<[], string>('PRAGMA integrity_check(20)').pluck().all();
  const { tallies, outcomes, marks, spans } = wrongSummaries(db);
  return {
    damage: damage.filter((line) => line !== 'ok'),
    dangling: count('SELECT count(*) FROM pragma_foreign_key_check'),
    wrongSummaries: tallies + outcomes + marks + spans,
    withoutOrigin: count(
      `SELECT count(*) FROM trials t WHERE reused_from IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM trials o WHERE o.id = t.reused_from)`,
    ),
    doubtsOfNothing: count(
      'SELECT count(*) FROM doubts d WHERE NOT EXISTS (SELECT 1 FROM trials t WHERE t.id = d.record)',
    ),
    staleDevices: db
      .prepare<[string], Health['staleDevices'][number]>(
        `SELECT device, board, max(last_at) AS lastAt FROM outcomes WHERE device IS NOT NULL
         GROUP BY device, board HAVING lastAt < ? ORDER BY lastAt, device`,
      )
      .all(since),
  };
}
