/**
 * The tune loop: asks policies, builds and runs their candidates on all cores and devices, verifies, tells, records. It
 * ends when the budget is spent, every space is exhausted, or it is told to stop. Must stay true: every trial becomes
 * exactly one record; nothing that a candidate does ends the loop; equal binaries are measured once, unless a measurement turns
 * out not to stand.
 */
import type { Board } from '../boards/board.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import type { Failure } from '../compiler/result.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Schedule } from '../kernels/template.ts';
import type { Candidate } from './candidates.ts';
import { startTrainer, type Trainer } from './cost-models/index.ts';
import type { Client } from './fair-turns.ts';
import type { DevicePool } from './measure/pool.ts';
import type { NamedPolicy } from './policies/index.ts';
import { seeded } from './random.ts';
import type { TemplateSource } from './space.ts';
import { nextTask } from './task-scheduler.ts';
import { TaskState } from './task-state.ts';
import { type Outcome, Trials } from './trials.ts';
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
  /** Made by this very job: counts against its budget. */
  readonly mine: boolean;
}

export interface TuneRequest {
  readonly graph: Graph;
  readonly tasks: readonly Task[];
  readonly board: Board;
  readonly pool: DevicePool;
  /** Who waits for devices, where several searches share the pool. */
  readonly client?: Client;
  readonly templates: TemplateSource;
  readonly policy: NamedPolicy;
  readonly policyName: string;
  readonly seed: number;
  readonly budget: { readonly trials: number; readonly timeMs?: number };
  /** Most scratch that the network has room for in a task's layers; as much as the board can try, where it is left out. */
  readonly scratchBytes?: (task: Task) => number;
  readonly cores: number;
  readonly cacheDir: string;
  /** Oldest first. */
  readonly known: (task: Task) => readonly Known[];
  /** Appends a record and returns its id. What it throws ends the loop, and tune() throws it. */
  readonly record: (trial: TrialRecord) => string;
  /** Hears of a record, made by `record`, that does not stand: its device failed the health check that came next. */
  readonly doubt?: (record: string, why: string) => void;
  readonly progress?: (tasks: readonly TaskProgress[], spent: number) => void;
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
  | { readonly reason: 'budget' | 'time' | 'exhausted' | 'stopped' }
  | { readonly reason: 'failed'; readonly error: Failure };

/** Trials asked for at once from one task: enough to keep builds and devices busy, few enough to learn between. */
const batch = 8;

export async function tune(request: TuneRequest): Promise<TuneEnd> {
  const trainer = request.policy.model === 'with' ? startTrainer() : undefined;
  const loop = new Loop(request, trainer);
  try {
    return await loop.run();
  } finally {
    loop.close();
    await trainer?.close();
  }
}

class Loop {
  private readonly r: TuneRequest;
  private readonly states: readonly TaskState[];
  private readonly trials: Trials;
  private readonly started: number;
  /** Trials that count against the budget. */
  private spent = 0;
  private readonly underWay = new Set<Promise<void>>();
  /** Something was measured since the last audit. */
  private unaudited = false;
  private broken: Failure | undefined;
  /** A bug, or a database that refuses: thrown once all trials under way have ended. */
  private crash: { readonly error: unknown } | undefined;

  constructor(r: TuneRequest, trainer: Trainer | undefined) {
    this.r = r;
    this.started = r.now();
    this.trials = new Trials(r, (state, candidate, result) => this.withdrawn(state, candidate, result));
    const random = seeded(r.seed);
    this.states = r.tasks.map((task) => new TaskState(task, r, random.fork(task.id), trainer));
  }

  async run(): Promise<TuneEnd> {
    for (const s of this.states) this.spent += await s.takeKnown(this.r.known(s.task), this.r.signal);
    this.report();
    const lanes = 2 * Math.max(this.r.cores, this.r.pool.size);
    for (;;) {
      const end = this.ended();
      const next = end === undefined && this.left() > 0 ? await this.next().catch(this.crashed) : undefined;
      if (next !== undefined) {
        this.start(next.state, next.candidate);
        if (this.underWay.size < lanes) continue;
      }
      if (this.underWay.size > 0) await Promise.race(this.underWay);
      else if (this.crash !== undefined) throw this.crash.error;
      // What was measured last is vouched for before it is relied on; if it is withdrawn there is more to do.
      else if (next === undefined && this.unaudited && !this.r.signal.aborted) await this.audit();
      // Without a candidate and with nothing under way, whatever budget is left cannot be spent.
      else if (next === undefined) return end ?? { reason: this.left() > 0 ? 'exhausted' : 'budget' };
    }
  }

  /** The pool may go on without it. */
  close(): void {
    this.trials.close();
  }

  private readonly crashed = (error: unknown): undefined => {
    this.crash ??= { error };
  };

  private async audit(): Promise<void> {
    this.unaudited = false;
    await this.r.pool.audit().catch(this.crashed);
  }
  /** It is tried again, before anything else. */
  private withdrawn(state: TaskState, candidate: Candidate, result: MeasureResult): void {
    this.spent--;
    state.forget(candidate, result);
  }

  private left(): number {
    return this.r.budget.trials - this.spent - this.underWay.size;
  }
  private ended(): TuneEnd | undefined {
    if (this.broken !== undefined) return { reason: 'failed', error: this.broken };
    if (this.r.signal.aborted || this.crash !== undefined) return { reason: 'stopped' };
    const { timeMs } = this.r.budget;
    return timeMs !== undefined && this.r.now() - this.started >= timeMs ? { reason: 'time' } : undefined;
  }

  /** The default of each task first, then whatever the task scheduler says. */
  private async next(): Promise<{ readonly state: TaskState; readonly candidate: Candidate } | undefined> {
    for (;;) {
      const state = this.states.find((s) => s.ready.length > 0) ?? this.states[nextTask(this.states) ?? -1];
      if (state === undefined) return undefined;
      const candidate = state.ready.shift();
      if (candidate !== undefined) return { state, candidate };
      await state.ask(Math.min(batch, this.left()));
    }
  }

  private start(state: TaskState, candidate: Candidate): void {
    state.pending++;
    const trial: Promise<void> = this.trials
      .run(state, candidate)
      .then((outcome) => this.finished(state, candidate, outcome))
      .catch(this.crashed)
      .finally(() => {
        state.pending--;
        this.underWay.delete(trial);
      });
    this.underWay.add(trial);
  }

  private finished(state: TaskState, candidate: Candidate, outcome: Outcome): void {
    if (outcome.kind === 'dropped') {
      this.broken ??= outcome.broken;
      return;
    }
    if (outcome.kind === 'measured') {
      this.spent++;
      this.unaudited = true;
    }
    state.took(candidate, outcome.result, outcome.kind);
    this.report();
  }

  private report(): void {
    this.r.progress?.(
      this.states.map((s) => s.progress()),
      this.spent,
    );
  }
}
