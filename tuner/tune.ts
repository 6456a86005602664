/**
 * The tune loop: asks policies, builds and runs their candidates on all cores and devices, verifies, tells, records. It
 * ends when the budget is spent, every space is exhausted, or it is told to stop. Tasks that another search is on are left to it,
 * and what it measures is known here. Must stay true: every trial becomes exactly one record; nothing that a candidate does ends the
 * loop; equal binaries are measured once, unless a measurement turns out not to stand.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Board } from '../boards/board.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import type { Failure } from '../compiler/result.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Schedule } from '../kernels/template.ts';
import type { Candidate } from './candidates.ts';
import { startTrainer, type Trainer } from './cost-models/index.ts';
import type { Listener, Seat } from './exchange.ts';
import type { Client } from './fair-turns.ts';
import { Gains } from './gains.ts';
import { layoutsIn } from './layouts.ts';
import type { DevicePool } from './measure/pool.ts';
import type { Mind, Subject } from './mind.ts';
import type { NamedPolicy } from './policies/index.ts';
import { seeded } from './random.ts';
import type { SharedPlaces } from './shared-places.ts';
import type { TemplateSource } from './space.ts';
import { nextTask } from './task-scheduler.ts';
import { type Measured, TaskState } from './task-state.ts';
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

/** Trials asked for at once from one task: enough to keep builds and devices busy, few enough to learn between. */
const batch = 8;
/** Of the trials one in so many may go to layouts between layers. */
const shareOfLayouts = 8;

export async function tune(request: TuneRequest): Promise<TuneEnd> {
  const trainer = request.policy.model === 'with' && request.minds === undefined ? startTrainer() : undefined;
  const loop = new Loop(request);
  try {
    await loop.open(trainer);
    return await loop.run();
  } finally {
    loop.close();
    await trainer?.close();
  }
}

class Loop {
  private readonly r: TuneRequest;
  private readonly states: TaskState[] = [];
  private readonly trials: Trials;
  private readonly gains: Gains;
  /** Resolved when another search has changed something. */
  private stirred = Promise.withResolvers<void>();
  private waiting: 'others' | 'nothing' = 'nothing';
  /** Trials that count against the budget. */
  private spent = 0;
  private readonly underWay = new Set<Promise<void>>();
  /** Something was measured since the last audit. */
  private unaudited = false;
  /** What was best was proposed in other layouts. */
  private laidOut = false;
  private broken: Failure | undefined;
  /** A bug, or a database that refuses: thrown once all trials under way have ended. */
  private crash: { readonly error: unknown } | undefined;

  constructor(r: TuneRequest) {
    this.r = r;
    this.trials = new Trials(r, (state, candidate, recorded) => this.withdrawn(state, candidate, recorded));
    this.gains = new Gains(r.budget.until);
  }

  /** Looks at each task, whose default schedule is its first candidate. */
  async open(trainer: Trainer | undefined): Promise<void> {
    const { r } = this;
    const random = seeded(r.seed);
    const stir = (): void => this.stirred.resolve();
    r.signal.addEventListener('abort', stir);
    const layouts = layoutsIn(r.graph, r.tasks, r.templates.templates, r.board.target.features);
    for (const task of r.tasks) {
      await turn();
      this.states.push(new TaskState(task, r, random.fork(task.id), trainer, stir, layouts.get(task.id)));
    }
  }

  async run(): Promise<TuneEnd> {
    for (const s of this.states) {
      await turn();
      this.spent += s.spent;
      s.begin(this.r.known(s.task));
      await s.takeWhatMatters(this.r.signal);
      this.gains.begin(s.task.id, s.best);
    }
    this.report();
    for (;;) {
      await this.listen().catch(this.crashed);
      const end = await this.ended();
      const next = end === undefined && this.left() > 0 ? await this.next().catch(this.crashed) : undefined;
      if (next !== undefined) {
        this.start(next.state, next.candidate);
        if (this.underWay.size < 2 * Math.max(this.r.cores, this.r.pool.size)) continue;
      }
      if (this.underWay.size > 0) await Promise.race(this.underWay);
      else if (this.crash !== undefined) throw this.crash.error;
      // What was measured last is vouched for before it is relied on; if it is withdrawn there is more to do.
      else if (next === undefined && this.unaudited && !this.r.signal.aborted) await this.audit();
      else if (next === undefined && end === undefined && this.left() > 0 && this.states.some((s) => s.elsewhere))
        await this.waitForOthers();
      // Without a candidate and with nothing under way, whatever budget is left cannot be spent.
      else if (next === undefined) return end ?? { reason: this.left() > 0 ? 'exhausted' : 'budget' };
    }
  }

  /** Pool and other searches go on without it. */
  close(): void {
    for (const s of this.states) s.leave();
    this.trials.close();
  }

  /** Takes in what other searches measured, and tells how things are now. */
  private async listen(): Promise<void> {
    const before = this.states.map((s) => s.best);
    for (const s of this.states) await s.takeWhatMatters(this.r.signal);
    if (this.states.some((s, i) => s.best !== before[i])) this.report();
  }
  /** Until another search measures something, lets go of something, or this one is to stop. */
  private async waitForOthers(): Promise<void> {
    this.tellWaiting('others');
    await this.stirred.promise;
    this.stirred = Promise.withResolvers();
  }
  private tellWaiting(why: 'others' | 'nothing'): void {
    if (why === this.waiting) return;
    this.waiting = why;
    this.r.waiting?.(why);
  }

  private readonly crashed = (error: unknown): undefined => {
    this.crash ??= { error };
  };

  private async audit(): Promise<void> {
    this.unaudited = false;
    await this.r.pool.audit().catch(this.crashed);
  }
  /** It is tried again, before anything else. */
  private withdrawn(state: TaskState, candidate: Candidate, { id, result }: Measured): void {
    this.spent--;
    state.forget(candidate, id, result);
  }

  private left(): number {
    return this.r.budget.trials - this.spent - this.underWay.size;
  }
  private async ended(): Promise<TuneEnd | undefined> {
    if (this.broken !== undefined) return { reason: 'failed', error: this.broken };
    if (this.r.signal.aborted || this.crash !== undefined) return { reason: 'stopped' };
    if (this.gains.quiet && !(await this.layoutsLeft())) return { reason: 'until' };
    return (this.r.budget.timeLeft?.() ?? 1) <= 0 ? { reason: 'time' } : undefined;
  }

  /** Trials that are kept for what is best in other layouts. */
  private get reserve(): number {
    const wanted = this.states.reduce((n, s) => n + s.layoutTrials, 0);
    return Math.min(wanted, Math.floor(this.r.budget.trials / shareOfLayouts));
  }
  /** Whether something is left to be tried in other layouts, now that the search has come to its end. */
  private async layoutsLeft(): Promise<boolean> {
    if (!this.laidOut) for (const s of this.states) await s.readyLayouts();
    this.laidOut = true;
    return this.states.some((s) => s.available && s.laid.length > 0);
  }

  /** The default of each task first, then whatever the task scheduler says, and at last what was best in other layouts. */
  private async next(): Promise<{ readonly state: TaskState; readonly candidate: Candidate } | undefined> {
    for (;;) {
      const open = this.states.filter((s) => s.available);
      const nothing = !open.some((s) => s.ready.length > 0) && nextTask(open) === undefined;
      const last = nothing ? this.underWay.size === 0 : this.gains.quiet || this.left() <= this.reserve;
      const laid = last && (await this.layoutsLeft()) ? open.find((s) => s.laid.length > 0) : undefined;
      const layout = laid?.laid.shift();
      if (laid !== undefined && layout !== undefined) {
        laid.take();
        return { state: laid, candidate: layout };
      }
      const state = open.find((s) => s.ready.length > 0) ?? open[nextTask(open) ?? -1];
      if (state === undefined) return undefined;
      state.take();
      // Nobody tells more of it now. What is known may make another task the better choice.
      if (await state.takeRest(this.r.signal)) {
        state.giveBack();
        continue;
      }
      const candidate = state.ready.shift();
      if (candidate !== undefined) return { state, candidate };
      await state.ask(Math.min(batch, this.left()));
      state.settle();
    }
  }

  private start(state: TaskState, candidate: Candidate): void {
    this.tellWaiting('nothing');
    state.pending++;
    const trial: Promise<void> = this.trials
      .run(state, candidate)
      .then((outcome) => this.finished(state, candidate, outcome))
      .catch(this.crashed)
      .finally(() => {
        state.pending--;
        state.settle();
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
    state.took(candidate, outcome.id, outcome.result, outcome.kind);
    if (outcome.kind === 'measured') this.gains.note(state.task.id, state.best);
    this.report();
  }

  private report(): void {
    this.r.progress?.(
      this.states.map((s) => s.progress()),
      this.spent,
      this.gains.since,
    );
  }
}
