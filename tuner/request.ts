/**
 * What a search is asked for, what it gives while it goes on, and how it ends. Must stay true: it knows nothing of where records are
 * kept, who else searches and where the thinking is done; all of that is handed in.
 */
import type { Board } from '../boards/board.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import type { Failure } from '../compiler/result.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Schedule } from '../kernels/template.ts';
import type { Listener, Seat } from './exchange.ts';
import type { Client } from './fair-turns.ts';
import type { DevicePool } from './measure/pool.ts';
import type { Mind, Subject } from './mind.ts';
import type { NamedPolicy } from './policies/index.ts';
import type { SharedPlaces } from './shared-places.ts';
import type { TemplateSource } from './space.ts';
import type { Measured } from './task-state.ts';
import type { Config, MeasureResult } from './types.ts';

/** A trial as the loop hands it over for recording. */
export interface TrialRecord {
  readonly task: Task;
  readonly policy: string;
  readonly config: Config;
  readonly schedule: Schedule;
  /** What cost models see of the candidate. */
  readonly features: Float64Array;
  readonly result: MeasureResult;
  /** Id of the record whose measurement was taken over. */
  readonly reusedFrom: string | null;
}
/** A measurement of this task that exists already, from this job before an interruption or from others. */
export interface Known {
  readonly id: string;
  readonly config: Config;
  /** What the config meant when it was measured. */
  readonly schedule: Schedule;
  readonly binary: string | null;
  readonly result: MeasureResult;
}
/** When a search has done enough. */
export interface Budget {
  readonly trials: number;
  /** Milliseconds that are left; whoever asks for the search keeps the clock. */
  readonly timeLeft?: () => number;
  readonly until?: Until;
}
/** It ends when no task became better by `percent` in `trials` trials; `since` of them have passed already. */
export interface Until {
  readonly percent: number;
  readonly trials: number;
  readonly since: number;
}

export interface TuneRequest {
  readonly graph: Graph;
  readonly tasks: readonly Task[];
  readonly board: Board;
  readonly pool: DevicePool;
  readonly templates: TemplateSource;
  readonly policy: NamedPolicy;
  readonly policyName: string;
  /** Where the thinking is done that `policy` and the rest ask for; in this thread, where it is left out. */
  readonly minds?: (subject: Subject) => Mind;
  readonly seed: number;
  readonly budget: Budget;
  /** Ids of the tasks to tune; all, where it is left out. Of the others it only takes what is known. */
  readonly only?: ReadonlySet<string>;
  /** Most scratch that the network has room for in a task's layers; as much as the board can try, where it is left out. */
  readonly scratchBytes?: (task: Task) => number;
  readonly cores: number;
  readonly cacheDir: string;
  /** Who it is where devices and cores are shared with other searches. */
  readonly client?: Client;
  /** Where candidates are built; places of its own, as many as cores, where it is left out. */
  readonly builds?: SharedPlaces;
  /** Its place among searches that have the task too. */
  readonly join?: (task: Task, listener: Listener) => Seat;
  /** Enough to begin with, oldest first. */
  readonly known: (task: Task) => readonly Known[];
  /** A measurement of this binary that stands, known or of this search. Without it the search keeps all of them. */
  readonly measured?: (task: Task, binary: string) => Measured | undefined;
  /** Trials of this very search in earlier runs: they count against its budget. */
  readonly made?: (task: Task) => { readonly trials: number; readonly failed: number };
  /** Appends a record and returns its id. What it throws ends the loop, and tune() throws it. */
  readonly record: (trial: TrialRecord) => string;
  /** Hears of a record, made by `record`, that does not stand: its device failed the health check that came next. */
  readonly doubt?: (record: string, why: string) => void;
  /** `sinceBetter`: trials since a task became better by as much as `until` says. */
  readonly progress?: (tasks: readonly TaskProgress[], spent: number, sinceBetter: number) => void;
  /** Hears when it begins to wait for searches that have all that is left of its tasks, and when it goes on. */
  readonly waiting?: (why: 'others' | 'nothing') => void;
  /** Trials under way end first; those that lose their device because of the stop are not recorded. */
  readonly signal: AbortSignal;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}
export interface TaskProgress {
  readonly task: Task;
  /** Of this job, reused ones left out. */
  readonly trials: number;
  readonly failed: number;
  /** Counts of the default schedule and of the best one known, by whichever job. */
  readonly default: number | null;
  readonly best: number | null;
  readonly exhausted: boolean;
}
export type TuneEnd =
  | { readonly reason: 'budget' | 'time' | 'until' | 'exhausted' | 'stopped' }
  | { readonly reason: 'failed'; readonly error: Failure };
