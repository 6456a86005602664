/**
 * The queue of jobs: one at a time, oldest first. Must stay true: the state in the store is the state; whoever stops,
 * restarts or kills the daemon finds a job either ended or ready to go on; an ended job never changes again.
 */
import type { Logger } from 'pino';
import type { BoardModule } from '../boards/index.ts';
import { type Failure, failed, ok, type Result } from '../compiler/result.ts';
import { StoreError } from '../db/index.ts';
import type { JobRow, JobState, Store } from '../db/types.ts';
import { budgetsOf } from './budgets.ts';
import type { Feed } from './feed.ts';
import { checkFits, type Models } from './models.ts';
import { Run } from './progress.ts';
import type { JobRequest } from './schemas/index.ts';
import { parseTime } from './time.ts';

/** How a run of a job ended. `stopped`: the signal was heard; the job's state says why. */
export type Outcome =
  | { readonly state: 'done'; readonly report: Readonly<Record<string, unknown>> }
  | { readonly state: 'failed'; readonly error: Failure }
  | { readonly state: 'stopped' };
/** Does what a job asks for; work.ts in the daemon, something quicker in tests. */
export type JobWork = (run: Run, signal: AbortSignal) => Promise<Outcome>;

export interface JobsOptions {
  readonly store: Store;
  readonly feed: Feed;
  readonly models: Models;
  readonly boards: readonly BoardModule[];
  readonly hasDevice: (board: BoardModule) => boolean;
  /** Names of search policies, the default one first. */
  readonly policies: readonly string[];
  readonly work: JobWork;
  readonly log: Logger;
}

/** Trials of a job that names neither trials nor time. */
const defaultTrials = 400;
const endless = 10_000_000;
const now = (): string => new Date().toISOString();
export const ended = (state: JobState): boolean => state === 'done' || state === 'failed' || state === 'cancelled';

interface Current {
  readonly run: Run;
  readonly controller: AbortController;
  readonly over: Promise<void>;
}

export class Jobs {
  private readonly o: JobsOptions;
  private current: Current | undefined;
  private stopping = false;

  constructor(options: JobsOptions) {
    this.o = options;
  }

  /** The run under way. */
  get running(): Run | undefined {
    return this.current?.run;
  }
  get queued(): number {
    return this.o.store.jobs().filter((j) => j.state === 'queued').length;
  }

  /** Goes on with whatever an earlier daemon left, then takes what comes. */
  start(): void {
    this.next();
  }

  /** Failures: BOARD_UNKNOWN, MODEL_NOT_FOUND, POLICY_UNKNOWN, BAD_TIME, NO_DEVICE, MODEL_TOO_BIG. */
  submit(request: JobRequest): Result<JobRow> {
    const board = this.o.boards.find((b) => b.id === request.board);
    if (board === undefined) {
      const known = this.o.boards.map((b) => b.id).join(', ');
      return failed('request', 'BOARD_UNKNOWN', `no board is called "${request.board}"; there are: ${known}`);
    }
    if (this.o.store.model(request.model) === undefined)
      return failed('request', 'MODEL_NOT_FOUND', `no model has the id "${request.model}"`);
    const [usual = ''] = this.o.policies;
    const policy = request.policy ?? usual;
    if (!this.o.policies.includes(policy))
      return failed(
        'request',
        'POLICY_UNKNOWN',
        `no policy is called "${policy}"; there are: ${this.o.policies.join(', ')}`,
      );
    const time = request.time === undefined ? ok(null) : parseTime(request.time);
    if (!time.ok) return time;
    if (!this.o.hasDevice(board))
      return failed('request', 'NO_DEVICE', `no device of ${board.id} is attached or emulated`);
    const fits = checkFits(this.o.models.prepared(request.model), board, budgetsOf(board, request.budgets));
    if (!fits.ok) return fits;
    const row = this.o.feed.add({
      model: request.model,
      board: board.id,
      kind: board.kind,
      policy,
      seed: request.seed ?? 0,
      trials: request.trials ?? (time.value === null ? defaultTrials : endless),
      timeMs: time.value,
      ramBudget: request.budgets?.ramBytes ?? null,
      flashBudget: request.budgets?.flashBytes ?? null,
    });
    this.o.log.info({ job: row.id, model: row.model, board: row.board }, 'job queued');
    this.next();
    return ok(this.row(row.id));
  }

  /** Ends a job; its records stay. Again is no error. */
  cancel(id: string): Result<JobRow> {
    return this.change(id, 'cancelled', ['queued', 'running', 'paused', 'cancelled']);
  }
  /** Stops a job so that it can go on later. */
  pause(id: string): Result<JobRow> {
    return this.change(id, 'paused', ['queued', 'running', 'paused']);
  }
  /** Puts a paused job back in the queue, at the place its age gives it. */
  resume(id: string): Result<JobRow> {
    return this.change(id, 'queued', ['queued', 'running', 'paused']);
  }

  /** Interrupts the job under way, which stays `running` in the store, and waits until it has let go, at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    const { current } = this;
    if (current === undefined) return;
    try {
      current.run.end();
    } catch (error) {
      // A full disk must not hold up the end; what the job measured is in its records.
      this.o.log.error({ job: current.run.job.id, err: error }, 'the last progress could not be written');
    }
    current.controller.abort();
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([current.over, grace]);
    clearTimeout(timer);
  }

  private row(id: string): JobRow {
    const row = this.o.store.job(id);
    if (row === undefined) throw new Error(`job ${id} vanished`);
    return row;
  }

  private change(id: string, to: 'cancelled' | 'paused' | 'queued', from: readonly JobState[]): Result<JobRow> {
    const row = this.o.store.job(id);
    if (row === undefined) return failed('request', 'JOB_NOT_FOUND', `no job has the id "${id}"`);
    if (!from.includes(row.state)) return failed('request', 'JOB_STATE', `the job is ${row.state}`);
    // A job that is under way is in the queue's hands already.
    if (row.state === to || (to === 'queued' && row.state === 'running')) return ok(row);
    const mine = this.current?.run.job.id === id ? this.current : undefined;
    if (to !== 'queued') mine?.run.end();
    this.o.feed.update(id, { state: to, ...(to === 'cancelled' && { endedAt: now() }) });
    this.o.log.info({ job: id }, `job ${to}`);
    if (to !== 'queued') mine?.controller.abort();
    this.next();
    return ok(this.row(id));
  }

  /** Starts the next job if none is under way: first what was running when a daemon ended, then the oldest. */
  private next(): void {
    if (this.current !== undefined || this.stopping) return;
    const jobs = [...this.o.store.jobs()].reverse();
    const row = jobs.find((j) => j.state === 'running') ?? jobs.find((j) => j.state === 'queued');
    if (row === undefined) return;
    const controller = new AbortController();
    const again = row.startedAt !== null;
    const started = this.o.feed.update(row.id, { state: 'running', startedAt: row.startedAt ?? now() });
    const run = new Run(started, this.o.feed);
    this.o.log.info({ job: row.id }, again ? 'job goes on' : 'job started');
    const over = this.perform(run, controller.signal)
      .then(() => {
        this.current = undefined;
        this.next();
      })
      .catch((error: unknown) => this.giveUp(run, error));
    this.current = { run, controller, over };
  }

  /** The database takes nothing any more: no job can be told what became of it. The next daemon goes on from what is there. */
  private giveUp(run: Run, error: unknown): void {
    this.o.log.fatal({ job: run.job.id, err: error }, 'the queue stops: the database cannot be written');
    this.stopping = true;
    this.current = undefined;
  }

  private async perform(run: Run, signal: AbortSignal): Promise<void> {
    const outcome = await this.o.work(run, signal).catch((error: unknown) => this.crashed(run, signal, error));
    if (this.stopping) return;
    // Whoever cancelled or paused it has written so already.
    if (this.row(run.job.id).state === 'running') this.conclude(run, outcome);
  }

  private crashed(run: Run, signal: AbortSignal, error: unknown): Outcome {
    if (!signal.aborted) this.o.log.error({ job: run.job.id, err: error }, 'job ended by an error');
    if (error instanceof StoreError) return { state: 'failed', error: error.failure };
    const detail = error instanceof Error ? error.message : String(error);
    return { state: 'failed', error: { stage: 'job', code: 'INTERNAL', detail } };
  }

  private conclude(run: Run, outcome: Outcome): void {
    const { id } = run.job;
    run.end();
    switch (outcome.state) {
      case 'done':
        this.o.feed.update(id, { state: 'done', endedAt: now(), report: outcome.report });
        this.o.log.info({ job: id }, 'job done');
        return;
      case 'failed':
        this.o.feed.update(id, { state: 'failed', endedAt: now(), error: outcome.error });
        this.o.log.warn({ job: id, error: outcome.error }, 'job failed');
        return;
      case 'stopped':
        throw new Error(`job ${id} stopped although nobody asked it to`);
    }
  }
}
