/**
 * The records that `compile` and `run` choose schedules from: those of the data directory and of a file, or none. The
 * directory may be absent, or in use by a daemon; nothing is written.
 */
import type { Board, Kind } from '../../boards/index.ts';
import { ok, type Result } from '../../compiler/result.ts';
import type { TuningRecord } from '../../db/types.ts';
import type { Records } from '../offers.ts';
import type { CommonOptions } from './options.ts';
import { readRecords } from './records-file.ts';
import { readingStore } from './store.ts';

export interface Known {
  /** undefined: default schedules only. */
  readonly records: Records | undefined;
  close(): void;
}

/** What is known of a board. Failures: RECORDS_INVALID, and those of the database. */
export function openKnown(board: Board, o: Pick<CommonOptions, 'data' | 'records'>): Result<Known> {
  if (o.records === 'none') return ok({ records: undefined, close: () => undefined });
  const file = o.records === undefined ? ok([]) : readRecords(o.records);
  if (!file.ok) return file;
  const mine = file.value.filter((r) => r.board === board.id && r.kind === board.kind && r.reusedFrom === null);
  const store = readingStore(o.data);
  if (!store.ok) return store;
  return ok({ records: together(store.value, mine), close: () => store.value?.close() });
}

/** Those of the database and of a file as one, in the orders that a Store promises. */
function together(store: Records | undefined, file: readonly TuningRecord[]): Records {
  const of = (task: string): readonly TuningRecord[] => file.filter((r) => r.task === task);
  return {
    known: (task: string, board: string, kind: Kind) => [...(store?.known(task, board, kind) ?? []), ...of(task)],
    best: (task, board, kind, limit) =>
      [...(store?.best(task, board, kind, limit) ?? []), ...of(task).filter((r) => r.status === 'ok')]
        .sort((a, b) => (a.cycles ?? Number.POSITIVE_INFINITY) - (b.cycles ?? Number.POSITIVE_INFINITY))
        .slice(0, limit),
  };
}
