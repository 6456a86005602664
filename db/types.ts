/** Rows as the rest of the program sees them. The database is append-only for trials: nothing measured is ever changed. */
import type { Kind } from '../boards/board.ts';
import type { Failure, Result } from '../compiler/result.ts';
import type { Schedule } from '../kernels/template.ts';
import type { Config, Sizes, Stage, StageTimes, TrialBytes } from '../tuner/types.ts';
import type { Answer, Claim, KeyedRequest } from './answers.ts';
import type { Attempted, Delivery, DeliveryState } from './deliveries.ts';
import type { DeviceEventRow, DeviceNews, DeviceTotals, DeviceUse, DeviceWish } from './devices.ts';
import type { Health } from './health.ts';
import type { Layer, Log } from './log-types.ts';
import type { SavedQuery } from './queries.ts';
import type { TokenHash, TokenRow } from './tokens.ts';

/** What a result depends on beside the task: part of each record. */
export interface Environment {
  readonly board: string;
  readonly kind: Kind;
  /** First line of the compiler's version. */
  readonly toolchain: string;
  /** Flags that select the CPU, joined by spaces. */
  readonly flags: string;
  /** Build id of the device's firmware; null where no device was reached. */
  readonly firmware: string | null;
}
/** One trial: a config's trip, failures included. */
export interface TuningRecord extends Environment {
  /** Unique and stable over restarts; opaque. */
  readonly id: string;
  readonly job: string | null;
  /** Task.id: hash of the workload key. */
  readonly task: string;
  /** Task.key. */
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
  readonly repeats: readonly number[] | null;
  readonly sizes: Sizes | null;
  /** Hash of machine code and constants; equal binaries are measured once. */
  readonly binary: string | null;
  /** Id of the record whose measurement was taken over; such a trial does not count against the budget. */
  readonly reusedFrom: string | null;
  readonly times: StageTimes;
  readonly bytes: TrialBytes | null;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Why it does not stand, although it is there; null where it does. */
  readonly doubt: string | null;
}
export type NewRecord = Omit<TuningRecord, 'id' | 'at' | 'doubt'>;

/** Which trials are meant: those that are as all given fields say. */
export interface RecordFilter {
  readonly job?: string;
  /** Model id: of tasks that occur in it. */
  readonly network?: string;
  /** Name of a layer of `network`. */
  readonly layer?: string;
  readonly task?: string;
  readonly op?: string;
  /** Operands in words, like 1x25x5x64 -> 1x25x5x64. */
  readonly shape?: string;
  readonly board?: string;
  readonly kind?: Kind;
  readonly policy?: string;
  readonly template?: string;
  readonly status?: 'ok' | 'failed';
  readonly stage?: string;
  readonly code?: string;
  readonly device?: string;
  readonly binary?: string;
  readonly toolchain?: string;
  /** Both included; failures have no count. */
  readonly cyclesMin?: number;
  readonly cyclesMax?: number;
  /** ISO 8601: at or after. */
  readonly since?: string;
  /** ISO 8601: before. */
  readonly until?: string;
  /** Settings of the template; numbers as JSON writes them. */
  readonly knobs?: Readonly<Record<string, string | number>>;
}
/** In the order of appending, or by count; a minus turns it round. By count come only trials that have one. */
export type RecordSort = 'at' | '-at' | 'cycles' | '-cycles';
/** Measurements that can be compared with each other: of one task, board, kind, compiler and set of flags; of one job, if it is named. */
export interface Comparable {
  readonly task: string;
  readonly board: string;
  readonly kind: Kind;
  readonly toolchain: string;
  readonly flags: string;
  readonly job?: string;
}

/** Of one task, board and kind; of one job, if it is named. */
export type RankedOf = Pick<Comparable, 'task' | 'board' | 'kind' | 'job'>;
/** At most so many records, so many rows at a time: a piece may hold fewer, or none. */
export interface Pieces {
  readonly limit: number;
  readonly piece: number;
}

/** A task that was measured, and a network that has it. */
export interface Relative {
  readonly task: string;
  /** Task.key, or what another program wrote in its place. */
  readonly workload: string;
  readonly model: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; null at the end. */
  readonly next: string | null;
}

export interface ModelRow {
  /** Hash of the bytes. */
  readonly id: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly at: string;
}

export type JobState = 'queued' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled';
export type Priority = 'low' | 'normal' | 'high';
export interface JobRow {
  readonly id: string;
  readonly state: JobState;
  /** Model id. */
  readonly model: string;
  readonly board: string;
  readonly kind: Kind;
  readonly policy: string;
  readonly seed: number;
  readonly trials: number;
  readonly timeMs: number | null;
  /** Bytes that the network may take; null: what the board has. */
  readonly ramBudget: number | null;
  readonly flashBudget: number | null;
  /** What somebody called it. */
  readonly name: string | null;
  /** Shared by the jobs that one request made, a board each. */
  readonly group: string | null;
  readonly priority: Priority;
  /** When it may run, like "20:00-07:00 Europe/Berlin"; null: always. */
  readonly window: string | null;
  /** It ends when no task became better by `percent` in `trials` trials. */
  readonly until: { readonly percent: number; readonly trials: number } | null;
  /** Ids of the tasks to tune; null: all. */
  readonly only: readonly string[] | null;
  readonly clonedFrom: string | null;
  /** URLs that are told of its end. */
  readonly webhooks: readonly string[];
  /** Milliseconds of tuning in earlier runs of this job (before restarts). */
  readonly spentMs: number;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly error: Failure | null;
  /** What the job came to, as report.json says it; null before the end. */
  readonly report: Readonly<Record<string, unknown>> | null;
}
export type NewJob = Pick<JobRow, 'model' | 'board' | 'kind' | 'policy' | 'seed' | 'trials' | 'timeMs'> &
  Partial<
    Pick<
      JobRow,
      | 'ramBudget'
      | 'flashBudget'
      | 'name'
      | 'group'
      | 'priority'
      | 'window'
      | 'until'
      | 'only'
      | 'clonedFrom'
      | 'webhooks'
    >
  >;
/** Which jobs to list: those that are as all given fields say. */
export type JobFilter = Partial<Pick<JobRow, 'state' | 'model' | 'board'>> & { readonly group?: string };

export interface JobEvent {
  /** Grows over all jobs; what Last-Event-ID names. */
  readonly id: number;
  readonly job: string;
  readonly at: string;
  /** 'state' | 'priority' | 'progress' | 'log' | 'waiting' */
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type NewEvent = Pick<JobEvent, 'type' | 'data'>;
export type JobChange = Partial<
  Pick<JobRow, 'state' | 'priority' | 'spentMs' | 'startedAt' | 'endedAt' | 'error' | 'report'>
>;

/** What became of records that were offered for merging. */
export interface Merged {
  readonly added: number;
  /** Known already, equal in every part. */
  readonly duplicates: number;
  /** Left out: the id (or the task's id) is known with another content, as after copying a whole data directory. */
  readonly conflicts: number;
}

/**
 * The one door to the database. All calls are synchronous; every write is durable when it returns. What the outside world
 * does to a file (full disk, damage, a lock held too long) is thrown as StoreError, which carries a Failure.
 */
export interface Store {
  /** Path of its file; ':memory:' where it has none. */
  readonly file: string;
  /** Its name, in its ids: no other database has it. */
  readonly farm: string;
  /** Bytes that are there already stay under the name they had first. */
  putModel(model: Omit<ModelRow, 'at'>): ModelRow;
  model(id: string): ModelRow | undefined;
  /** Notes which tasks a model's layers are. What is noted already is not written again. */
  putLayers(model: string, layers: readonly Layer[]): void;

  /** A queued job, and its first event ('state', {state: 'queued'}). */
  addJob(job: NewJob): JobRow;
  /** Several, all or none, with a `group` of their own. */
  addJobs(jobs: readonly NewJob[]): readonly JobRow[];
  job(id: string): JobRow | undefined;
  /** Newest first. */
  jobs(): readonly JobRow[];
  /** Those that have not ended, oldest first. */
  openJobs(): readonly JobRow[];
  /** Newest first. `cursor` is a `next` of an earlier page with the same filter. Throws BadCursor for any other text. */
  jobPage(filter: JobFilter, limit: number, cursor?: string): Page<JobRow>;
  /**
   * Changes a job, in one transaction with an event, if one is given, and with those that tell of a change of state or priority
   * ('state', {state, error?}; 'priority', {priority}).
   */
  updateJob(id: string, change: JobChange, event?: NewEvent): JobRow;
  addEvent(job: string, type: string, data: Readonly<Record<string, unknown>>): JobEvent;
  /** Events of a job with id > after, oldest first. */
  events(job: string, after: number, limit: number): readonly JobEvent[];
  /** Events of all jobs with id > after, oldest first. */
  allEvents(after: number, limit: number): readonly JobEvent[];
  /** Id of the newest event of all; 0 where there is none. */
  lastEventId(): number;
  /**
   * Deletes events of a job: of its progress events all but `progress` of them, spread over its life, the last one among them; of
   * its log events all but the last `logs`. Others stay, and no id ever comes twice.
   */
  thinEvents(job: string, keep: { readonly progress: number; readonly logs: number }): void;
  /** The newest event of a type; undefined where there is none. */
  lastEvent(job: string, type: string): JobEvent | undefined;

  /** Appends; ids grow in the order of appending. */
  addRecord(record: NewRecord): TuningRecord;
  /** Takes over records of another database under the ids they have, all in one transaction; known ones are left as they are, but doubts are taken over. */
  mergeRecords(records: Iterable<TuningRecord>): Merged;
  record(id: string): TuningRecord | undefined;
  /** Holds something against a record: it stays, but is not known, best or counted any more, nor is what was taken over from it. The first reason stays. */
  doubt(id: string, reason: string): void;
  /**
   * Oldest first, unless sorted otherwise. `cursor` is a `next` of an earlier page with the same filter and order. A page may hold fewer
   * than `limit` although more follow, where many configs were read for few that fit. Throws BadCursor for any other text, BadFilter.
   */
  records(filter: RecordFilter, limit: number, cursor?: string, sort?: RecordSort): Page<TuningRecord>;
  /** The same, each record as JSON, for whoever only sends them on: to read and write it again takes longer than all else. */
  recordTexts(filter: RecordFilter, limit: number, cursor?: string, sort?: RecordSort): Page<string>;
  /** Of what stands and was measured, failures too: the `best` fastest and the `latest` last ones, oldest first. */
  warmStart(of: Comparable, best: number, latest: number): readonly TuningRecord[];
  /** Tasks of these operators that have a success on a board in a kind and occur in a network that is here, at most a thousand. */
  relatives(of: Pick<Comparable, 'board' | 'kind'>, ops: readonly string[]): readonly Relative[];
  /** Of the successes that stand at most `many`, spread evenly over a task's first two thousand, oldest first. */
  spread(of: Comparable, many: number): readonly TuningRecord[];
  /** Measurements of a binary that stand, failures too, oldest first. */
  ofBinary(of: Comparable, binary: string): readonly TuningRecord[];
  /** By task, the trials of a job that count: done (measured, not reused, not doubted), failed among them. */
  madeBy(job: string): ReadonlyMap<string, { readonly done: number; readonly failed: number }>;
  /** The counts of those trials in order, null for what failed. */
  countsInOrder(job: string): readonly { readonly task: string; readonly cycles: number | null }[];
  /** Successful ones, fastest first, at most `limit`, one per binary. */
  best(task: string, board: string, kind: Kind, limit: number): readonly TuningRecord[];
  /** The same, read piece by piece as they are asked for. What is added or doubted in between may count or not. */
  bestInPieces(of: RankedOf, pieces: Pieces): Iterable<readonly TuningRecord[]>;
  /** Which kinds a task's successful records on a board are of, and how many each. */
  kinds(task: string, board: string): readonly { readonly kind: Kind; readonly count: number }[];
  /** Trials of a job: done (measured, not reused), failed among them. */
  counts(job: string): { readonly done: number; readonly failed: number };
  /** Questions to all trials at once. */
  readonly log: Log;
  /** Copies the database, while it is in use, to a file that is not there yet; its bytes. */
  backup(file: string): Promise<Result<number>>;
  /** Looks at all of it; a device is stale that made no trial since a time. */
  health(since: string): Health;
  /** Makes summaries of trials again, from the trials. */
  remakeSummaries(): void;
  /** See db/devices.ts. */
  readonly devices: {
    all(): readonly (DeviceWish & DeviceTotals)[];
    put(wish: DeviceWish): void;
    note(news: DeviceNews): void;
    /** Newest first, from a time (ISO 8601) on. Throws BadCursor. */
    history(device: string, since: string | undefined, limit: number, cursor?: string): Page<DeviceEventRow>;
    /** Minutes between two times, left out where nothing happened. */
    use(since: string, until: string): readonly DeviceUse[];
    /** Forgets what is too old at this time (ISO 8601), or too much. */
    tidy(now: string): void;
  };
  /** See db/queries.ts. */
  readonly queries: {
    all(): readonly SavedQuery[];
    get(name: string): SavedQuery | undefined;
    put(query: SavedQuery): void;
    remove(name: string): boolean;
  };
  /** How many jobs there are of each state. */
  jobStates(): Readonly<Record<string, number>>;
  /** Writes nothing new; throws StoreError where nothing can be written. */
  probe(): void;
  /** See db/tokens.ts. */
  readonly tokens: {
    add(token: TokenHash): TokenRow | undefined;
    all(): readonly TokenRow[];
    valid(): readonly TokenHash[];
    revoke(name: string): TokenRow | undefined;
  };
  /** See db/answers.ts. */
  readonly answers: {
    begin(): void;
    claim(request: KeyedRequest): Claim;
    keep(request: KeyedRequest, answer: Answer): void;
    forget(request: KeyedRequest): void;
  };
  /** See db/deliveries.ts. */
  readonly deliveries: {
    putFarm(urls: readonly string[]): void;
    prune(): void;
    pending(limit: number): readonly Delivery[];
    get(id: string): Delivery | undefined;
    attempted(id: string, attempt: Attempted): void;
    page(state: DeliveryState | undefined, limit: number, cursor?: string): Page<Delivery>;
  };
  close(): void;
}
