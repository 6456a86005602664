/** Rows as the rest of the program sees them. The database is append-only for trials: nothing measured is ever changed. */
import type { Kind } from '../boards/board.ts';
import type { Schedule } from '../kernels/template.ts';
import type { Config, Sizes, Stage, StageTimes, TrialBytes } from '../tuner/types.ts';

export type JobState = 'queued' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled';
/** What a result depends on beside the task: part of each record. */
export interface Environment {
  readonly board: string;
  readonly kind: Kind;
  readonly toolchain: string;
  readonly firmware: string;
}
/** One trial: a config's trip, failures included. */
export interface TuningRecord extends Environment {
  readonly id: string;
  readonly job: string | null;
  /** Task id: hash of workload key and target. */
  readonly task: string;
  readonly workload: string;
  readonly device: string | null;
  readonly policy: string;
  readonly template: string;
  readonly config: Config;
  readonly schedule: Schedule;
  readonly status: 'ok' | 'failed';
  readonly stage: Stage | null;
  readonly code: string | null;
  readonly detail: string | null;
  readonly cycles: number | null;
  readonly sizes: Sizes | null;
  /** Hash of the linked binary; equal binaries are measured once. */
  readonly binary: string | null;
  /** Id of the record whose measurement was taken over; such a trial does not count against the budget. */
  readonly reusedFrom: string | null;
  readonly times: StageTimes;
  readonly bytes: TrialBytes | null;
  /** ISO 8601, UTC. */
  readonly at: string;
}
