/**
 * The records that `compile` and `run` choose schedules from: those of the data directory and of a file, or none. The
 * directory may be absent, or in use by a daemon; nothing is written.
 */
import { ok, type Result } from '../../compiler/result.ts';
import { openRecordsFile } from '../../db/records-file.ts';
import { fastest, type Records } from '../offers.ts';
import type { CommonOptions } from './options.ts';
import { readingStore } from './store.ts';

export interface Known {
  /** undefined: default schedules only. */
  readonly records: Records | undefined;
  close(): void;
}

/** What is known. Failures: RECORD_BAD with the line, and those of the database. */
export function openKnown(o: Pick<CommonOptions, 'data' | 'records'>): Result<Known> {
  if (o.records === 'none') return ok({ records: undefined, close: () => undefined });
  const file = o.records === undefined ? ok(undefined) : openRecordsFile(o.records);
  if (!file.ok) return file;
  const store = readingStore(o.data);
  if (!store.ok) return store;
  const stores = [store.value, file.value].filter((s) => s !== undefined);
  return ok({
    records: together(stores),
    close: () => {
      for (const s of stores) s.close();
    },
  });
}

/** Those of several stores as one. */
const together = (stores: readonly Records[]): Records => ({
  best: (task, board, kind, limit) =>
    fastest(
      stores.flatMap((s) => s.best(task, board, kind, limit)),
      limit,
    ),
});
