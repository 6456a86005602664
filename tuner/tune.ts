/**
 * The tune loop: asks policies, builds and runs their candidates on all cores and devices, verifies, tells, records. It
 * ends when the budget is spent, every space is exhausted, or it is told to stop. Tasks that another search is on are left to it,
 * and what it measures is known here. Must stay true: every trial becomes exactly one record; nothing that a candidate does ends the
 * loop; equal binaries are measured once, unless a measurement turns out not to stand.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Failure } from '../compiler/result.ts';
import type { Candidate } from './candidates.ts';
import { startTrainer, type Trainer } from './cost-models/index.ts';
import { Gains } from './gains.ts';
import { layoutsIn } from './layouts.ts';
import { seeded } from './random.ts';
import type { TuneEnd, TuneRequest } from './request.ts';
import { nextTask } from './task-scheduler.ts';
import { type Measured, TaskState } from './task-state.ts';
import { type Outcome, Trials } from './trials.ts';

export type * from './request.ts';

/** Trials asked for at once from one task: enough to keep builds and devices busy, few enough to learn between. */
const batch = 8;
/** Of the trials one in so many may go to layouts between layers. */
const shareOfLayouts = 8;

/** Searches until the request's end; why it ended. Throws what a bug or `record` threw. */
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
