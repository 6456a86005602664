/**
 * The fastest records of a task. Must stay true: what is ranked was counted in one kind; where records of several kinds suit,
 * the answer is a refusal, not a guess.
 */
import type { Kind } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import type { RecordFilter, RecordSort, Store, TuningRecord } from '../db/types.ts';

export interface RankingRequest {
  readonly task: string;
  readonly board: string;
  /** May be left out where all records are of one kind. */
  readonly kind?: Kind;
  readonly limit: number;
}

/** Fastest first, one for each binary. Failure: KINDS_MIXED. */
export function ranked(
  store: Pick<Store, 'best' | 'kinds'>,
  { task, board, kind, limit }: RankingRequest,
): Result<readonly TuningRecord[]> {
  const there = store.kinds(task, board);
  const [first, ...others] = kind === undefined ? there : there.filter((k) => k.kind === kind);
  if (first === undefined) return ok([]);
  if (others.length === 0) return ok(store.best(task, board, first.kind, limit));
  const counts = there.map((k) => `${k.count} of ${k.kind}`).join(', ');
  return failed('request', 'KINDS_MIXED', `records of task ${task} on ${board} are of several kinds: ${counts}`);
}

/** Whether records may be put in order by count: those that fit a filter are of one kind. Failure: KINDS_MIXED. */
export function oneKind(store: Pick<Store, 'log'>, filter: RecordFilter, sort: RecordSort): Result<void> {
  const there = sort === 'cycles' || sort === '-cycles' ? store.log.kinds(filter) : [];
  return there.length < 2
    ? ok(undefined)
    : failed('request', 'KINDS_MIXED', `records of several kinds would be put in one order: ${there.join(', ')}`);
}
