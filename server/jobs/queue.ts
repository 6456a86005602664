/**
 * The queue of jobs: several at once, each in its window. Must stay true: the state in the store is the state; whoever stops,
 * restarts or kills the daemon finds a job either ended or ready to go on; an ended job never changes again.
 */
import type { Logger } from 'pino';
import { type Failure, failed, ok, type Result } from '../../compiler/result.ts';
import type { JobRow, JobState, Priority } from '../../db/types.ts';
import { Attempts } from '../attempts.ts';
import { failureIn } from '../failure-in.ts';
import type { Feed } from '../feed.ts';
import { Run } from '../progress.ts';
import type { JobRequest, WaitingBody } from '../schemas/index.ts';
import { closedUntil, heldBack, inOrder, nextChange } from './choice.ts';
import type { Clock } from './clock.ts';
import { outlookOf } from './forecast.ts';
import { passes, Resting } from './patience.ts';
import { jobsOf, type RequestContext, requestLike } from './request.ts';

/** How a run of a job ended. `stopped`: the signal was heard; the job's state says why. */
export type Outcome =
  | { readonly state: 'done'; readonly report: Readonly<Record<string, unknown>> }
  | { readonly state: 'failed'; readonly error: Failure }
  | { readonly state: 'stopped' };
/** Does what a job asks for; work.ts in the daemon, something quicker in tests. */
export type JobWork = (run: Run, signal: AbortSignal) => Promise<Outcome>;

export interface JobsOptions extends RequestContext {
  readonly feed: Feed;
  readonly work: JobWork;
  /** Most jobs that run at the same time. */
  readonly atOnce: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Hears why the queue has stopped for good: the database is damaged, or not the one any more that was opened. */
  readonly broken?: (why: Failure) => void;
}

/** Clocks of the day jump and machines sleep: windows are looked at so often at least, ms. */
const lookEveryMs = 60_000;

interface Current {
  readonly run: Run;
  readonly controller: AbortController;
  readonly over: Promise<void>;
}

export class Jobs {
  private readonly o: JobsOptions;
  /** By id, from the start of a run until it has let go of everything. */
  private readonly current = new Map<string, Current>();
  private readonly resting: Resting;
  private readonly attempts: Attempts;
  /** Those that will begin as soon as there is room, in order, as of the last look. */
  private upNext: readonly JobRow[] = [];
  private callOff: () => void = () => undefined;
  private stopping = false;

  constructor(options: JobsOptions) {
    this.o = options;
    this.attempts = new Attempts(options.log);
    this.resting = new Resting({
      ...options,
      attempts: this.attempts,
      again: () => this.look(),
      spent: (id, failure) => this.fail(id, failure),
      broken: (error) => this.giveUp(error),
    });
  }

  /** The runs under way. */
  get running(): readonly Run[] {
    return [...this.current.values()].map((c) => c.run);
  }
  /** The run of a job, if it is under way. */
  runOf(id: string): Run | undefined {
    return this.current.get(id)?.run;
  }
  /** It takes no more turns: the daemon is on its way down. */
  get stopped(): boolean {
    return this.stopping;
  }
  get queued(): number {
    return this.o.store.openJobs().filter((j) => j.state === 'queued').length;
  }

  /** Why a job that has not ended does not move now; null where it does, or somebody paused it. */
  waitingOf(row: JobRow): WaitingBody | null {
    const run = this.runOf(row.id);
    if (row.state !== 'queued' && row.state !== 'running') return null;
    if (run !== undefined && row.state === 'running') return run.waiting;
    const rests = this.resting.why(row.id);
    if (rests !== undefined) return rests;
    return heldBack(row, this.o.clock.wall(), this.o.atOnce);
  }

  /** Goes on with whatever an earlier daemon left, then takes what comes. */
  start(): void {
    this.next();
  }

  /** One job for each board that the request names. Failures: see jobsOf. */
  submit(request: JobRequest): Result<readonly JobRow[]> {
    return this.add(request, null);
  }

  /** A job like another one, with what `change` says instead. Failures: JOB_NOT_FOUND and those of jobsOf. */
  clone(id: string, change: Partial<JobRequest>): Result<readonly JobRow[]> {
    const row = this.o.store.job(id);
    if (row === undefined) return failed('request', 'JOB_NOT_FOUND', `no job has the id "${id}"`);
    return this.add(requestLike(row, change), id);
  }

  private add(request: JobRequest, clonedFrom: string | null): Result<readonly JobRow[]> {
    const jobs = jobsOf(this.o, request);
    if (!jobs.ok) return jobs;
    const wanted = jobs.value.map((job) => ({ ...job, clonedFrom }));
    const rows = this.o.feed.add(wanted, request.boards === undefined ? 'single' : 'group');
    for (const row of rows) this.o.log.info({ job: row.id, model: row.model, board: row.board }, 'job queued');
    this.next();
    return ok(rows.map((row) => this.row(row.id)));
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

  /** Another place in the queue and share of the farm, at once, also of a job that runs. Failures: JOB_NOT_FOUND, JOB_STATE. */
  prioritise(id: string, priority: Priority): Result<JobRow> {
    const row = this.open(id, ['queued', 'running', 'paused']);
    if (!row.ok || row.value.priority === priority) return row;
    const changed = this.o.feed.update(id, { priority });
    this.runOf(id)?.prioritise(priority);
    this.o.log.info({ job: id, priority }, 'priority changed');
    return ok(changed);
  }

  /** Interrupts the jobs under way, which stay `running` in the store, and waits until they have let go, at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.callOff();
    this.resting.stop();
    const current = [...this.current.values()];
    for (const { run, controller } of current) {
      try {
        run.end();
      } catch (error) {
        // A full disk must not hold up the end; what the job measured is in its records.
        this.o.log.error({ job: run.job.id, err: error }, 'the last progress could not be written');
      }
      controller.abort();
    }
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(current.map((c) => c.over)), grace]);
    clearTimeout(timer);
  }

  private row(id: string): JobRow {
    const row = this.o.store.job(id);
    if (row === undefined) throw new Error(`job ${id} vanished`);
    return row;
  }

  private change(id: string, to: 'cancelled' | 'paused' | 'queued', from: readonly JobState[]): Result<JobRow> {
    const row = this.open(id, from);
    if (!row.ok) return row;
    // A job that is under way is in the queue's hands already.
    if (row.value.state === to || (to === 'queued' && row.value.state === 'running')) return row;
    this.put(id, to);
    this.next();
    return ok(this.row(id));
  }

  /** A job in one of these states. Failures: JOB_NOT_FOUND, JOB_STATE. */
  private open(id: string, states: readonly JobState[]): Result<JobRow> {
    const row = this.o.store.job(id);
    if (row === undefined) return failed('request', 'JOB_NOT_FOUND', `no job has the id "${id}"`);
    return states.includes(row.state) ? ok(row) : failed('request', 'JOB_STATE', `the job is ${row.state}`);
  }

  /** Writes the new state; a run under way says nothing more and is told to stop. */
  private put(id: string, to: 'cancelled' | 'paused' | 'queued'): void {
    const mine = this.current.get(id);
    mine?.run.end();
    if (to !== 'queued') this.o.feed.waiting(id, null);
    this.o.feed.update(id, { state: to, ...(to === 'cancelled' && { endedAt: this.today() }) });
    this.o.log.info({ job: id }, `job ${to}`);
    if (to !== 'queued') this.resting.forget(id);
    if (to === 'cancelled') this.o.feed.thin(id);
    mine?.controller.abort();
  }

  /** Puts back what may not run any more, and starts what may as long as there is room. */
  private next(): void {
    if (this.stopping) return;
    const now = this.o.clock.wall();
    for (const { run, controller } of this.current.values())
      if (!controller.signal.aborted && closedUntil(run.job, now) !== undefined) this.put(run.job.id, 'queued');
    const jobs = this.o.store.openJobs();
    const others = inOrder(jobs, now).filter((j) => !this.current.has(j.id) && this.resting.why(j.id) === undefined);
    for (const row of others.slice(0, Math.max(0, this.o.atOnce - this.current.size))) this.tryToBegin(row);
    this.upNext = others.filter((row) => !this.current.has(row.id));
    this.tellWaits(jobs);
    this.callOff();
    const change = nextChange(jobs, now);
    if (change !== undefined)
      this.callOff = this.o.clock.after(Math.min(Math.max(1, change), lookEveryMs), () => this.look());
  }
  /** A database that is busy or full for a moment must not end the daemon: windows are looked at again. */
  private look(): void {
    if (this.attempts.make('the queue could not be looked at', undefined, () => this.next()) === 'failed')
      this.callOff = this.o.clock.after(lookEveryMs, () => this.look());
  }
  /** What cannot be written now would only hold up the others, too. */
  private tellWaits(jobs: readonly JobRow[]): void {
    for (const row of jobs) {
      const waiting = this.current.has(row.id) ? null : this.waitingOf(row);
      if (waiting === null || this.resting.why(row.id) !== undefined) continue;
      const tell = (): void => this.o.feed.waiting(row.id, waiting);
      if (this.attempts.make('why the job waits could not be written', row.id, tell) === 'failed') return;
    }
  }

  /** Where that cannot be written down, it rests. */
  private tryToBegin(row: JobRow): void {
    try {
      this.begin(row);
    } catch (error) {
      const failure = failureIn(error);
      if (!passes(failure)) throw error;
      this.resting.lay(row.id, failure);
    }
  }

  private begin(row: JobRow): void {
    const controller = new AbortController();
    const again = row.startedAt !== null;
    const started = this.o.feed.update(row.id, { state: 'running', startedAt: row.startedAt ?? this.today() });
    this.o.feed.waiting(row.id, null);
    const outlook = outlookOf({ run: () => run, running: () => this.wanted, next: () => this.upNext });
    const run: Run = new Run(started, this.o.feed, this.o.clock, outlook);
    this.o.log[this.resting.tries(row.id) ? 'debug' : 'info']({ job: row.id }, again ? 'job goes on' : 'job started');
    const over = this.perform(run, controller.signal)
      .catch((error: unknown) => this.refused(run, error))
      .then(() => {
        this.current.delete(row.id);
        this.look();
      });
    this.current.set(row.id, { run, controller, over });
  }

  /** Runs that nobody has stopped. */
  private get wanted(): readonly Run[] {
    return [...this.current.values()].filter((c) => !c.controller.signal.aborted).map((c) => c.run);
  }

  /** What became of a job could not be written. */
  private refused(run: Run, error: unknown): void {
    const failure = failureIn(error);
    if (!passes(failure)) this.giveUp(error);
    else if (!this.stopping) this.resting.lay(run.job.id, failure);
  }

  /** The database takes nothing any more: no job can be told what became of it. The next daemon goes on from what is there. */
  private giveUp(error: unknown): void {
    this.o.log.fatal({ err: error }, 'the queue stops: the database cannot be used any more');
    this.stopping = true;
    this.resting.stop();
    this.o.broken?.(failureIn(error));
  }

  private async perform(run: Run, signal: AbortSignal): Promise<void> {
    const outcome = await this.o.work(run, signal).catch((error: unknown) => this.judge(run, signal, error));
    if (this.stopping) return;
    // Whoever cancelled or paused it, or put it back, has written so already.
    if (!signal.aborted) this.conclude(run, outcome);
  }

  /** The one place where an error of a run is judged: whatever was thrown is what its job ends with, or rests for. */
  private judge(run: Run, signal: AbortSignal, error: unknown): Outcome {
    const failure = failureIn(error);
    // With the place where it happened; the others are told with what becomes of the job.
    if (!signal.aborted && failure.code === 'INTERNAL')
      this.o.log.error({ job: run.job.id, err: error }, 'a run was ended by an error');
    return { state: 'failed', error: failure };
  }

  private conclude(run: Run, outcome: Outcome): void {
    const { id } = run.job;
    if (outcome.state === 'failed' && passes(outcome.error)) return this.resting.lay(id, outcome.error);
    run.end();
    switch (outcome.state) {
      case 'done':
        this.o.feed.waiting(id, null);
        this.o.feed.update(id, { state: 'done', endedAt: this.today(), report: outcome.report });
        this.o.log.info({ job: id }, 'job done');
        break;
      case 'failed':
        return this.fail(id, outcome.error);
      case 'stopped':
        throw new Error(`job ${id} stopped although nobody asked it to`);
    }
    this.resting.forget(id);
    this.o.feed.thin(id);
  }
  private fail(id: string, error: Failure): void {
    this.o.feed.waiting(id, null);
    this.o.feed.update(id, { state: 'failed', endedAt: this.today(), error });
    this.o.log.warn({ job: id, error }, 'job failed');
    this.resting.forget(id);
    this.o.feed.thin(id);
  }

  private today(): string {
    return new Date(this.o.clock.wall()).toISOString();
  }
}
