/** What the log says of many trials at once. Only those count that stand, and never two kinds of counts in one number. */
import type { Kind } from '../boards/board.ts';
import type { Page, RecordFilter } from './types.ts';

/** A task on one board in one kind: what is fastest there. */
export interface Place {
  readonly task: string;
  readonly board: string;
  readonly kind: Kind;
}
/** Trials do not count those that took a measurement over; their counts do. */
export interface BestRow extends Place {
  readonly op: string | null;
  readonly shape: string | null;
  readonly trials: number;
  readonly failed: number;
  /** Of the default schedule. */
  readonly default: number | null;
  readonly best: number | null;
  /** Id of the record that has it, the first one where there are several. */
  readonly record: string | null;
}

export type FailureKey = 'stage' | 'code' | 'device' | 'template' | 'job';
export interface FailureRow {
  /** null: trials that reached no device, or belong to no job. */
  readonly key: string | null;
  /** Of this key; by stage and code all trials that were asked for, each of which might have failed there. */
  readonly trials: number;
  readonly failed: number;
  readonly codes: Readonly<Record<string, number>>;
}

/** What became of the trials that had this value of a knob. */
export interface KnobRow {
  readonly template: string;
  readonly knob: string;
  readonly value: string | number;
  readonly trials: number;
  readonly failed: number;
  readonly best: number | null;
  /** Of those that were measured; of an even number the lower one of the middle. */
  readonly median: number | null;
}

export interface ScatterPoint {
  readonly record: string;
  /** Its place among all trials that were asked for, from 1. */
  readonly n: number;
  readonly at: string;
  readonly cycles: number | null;
  readonly template: string;
  readonly status: 'ok' | 'failed';
  readonly job: string | null;
}

export interface Curve {
  /** Of all its counts; null where there are none. */
  readonly kind: Kind | null;
  /** With default schedules. */
  readonly default: number | null;
  /** The best known after n trials: where it changes, and at the end. */
  readonly points: readonly { readonly n: number; readonly at: string; readonly cycles: number }[];
}

export interface Layer {
  /** Of the node in the graph that is compiled. */
  readonly position: number;
  readonly name: string;
  readonly task: string;
  readonly workload: string;
  readonly macs: number;
}
/** The fastest record of a task on a board. */
export interface Fastest {
  readonly record: string;
  readonly cycles: number;
  readonly kind: Kind;
  readonly board: string;
}
export interface TaskRow {
  readonly id: string;
  readonly op: string | null;
  readonly shape: string | null;
  /** Multiplications of one run; null where no network that is here has it. */
  readonly macs: number | null;
  readonly records: number;
  readonly failed: number;
  /** null also where records of several boards or kinds are asked for: they are not compared. */
  readonly best: Fastest | null;
  readonly networks: readonly { readonly id: string; readonly name: string }[];
}
export interface TaskFilter {
  /** Tasks that occur in this model. */
  readonly network?: string;
  readonly op?: string;
  /** Whose trials are counted. */
  readonly board?: string;
  readonly kind?: Kind;
}

/** Questions to the log as a whole. Each is answered in well under a tenth of a second over a million trials (bench/log.ts). */
export interface Log {
  /** By task, board and kind. Throws BadFilter, as all that take a filter. */
  best(filter: RecordFilter): readonly BestRow[];
  /** Most failures first. */
  failures(filter: RecordFilter, by: FailureKey): readonly FailureRow[];
  /** Over the latest 10,000 trials of a place; of one template where given. */
  knobs(of: Place & { readonly template?: string }): readonly KnobRow[];
  /** The latest trials of a place, oldest first. */
  scatter(of: Place & { readonly job?: string }, limit: number): readonly ScatterPoint[];
  /** The sum over the layers of a job's network: what was known after n of its trials, whoever measured it. */
  curveOfJob(job: string): Curve;
  /** One task of a job's network likewise, or of all jobs; trials of one policy where given. */
  curveOfTask(of: Place & { readonly job?: string; readonly policy?: string }): Curve;
  /** Kinds of the counts that fit a filter. */
  kinds(filter: RecordFilter): readonly Kind[];
  /** By id. Throws BadCursor. */
  tasks(filter: TaskFilter, limit: number, cursor?: string): Page<TaskRow>;
  /** A task, and the fastest of each board and kind. */
  task(id: string): (TaskRow & { readonly bests: readonly Fastest[] }) | undefined;
  /** Names of a model's layers that are this task, in order. */
  layerNames(task: string, model: string): readonly string[];
  /** Bytes of the database, log of changes included, and how many trials are in it. */
  size(): { readonly bytes: number; readonly trials: number };
}
