/**
 * How far a job is: the clock and the progress of its run. Events carry it out, at most a few a second and fewer as the job
 * grows old. Must stay true: a run that was ended says nothing more, so that no event follows the one that ends a job.
 */
import type { Task } from '../compiler/tasks.ts';
import type { JobRow, Priority } from '../db/types.ts';
import type { Feed } from './feed.ts';
import { weightOf, windowOf } from './jobs/choice.ts';
import { type Clock, systemClock } from './jobs/clock.ts';
import { Pace, untilQuiet } from './jobs/estimate.ts';
import type { Burden } from './jobs/forecast.ts';
import { doneAt } from './jobs/window.ts';
import type { ProgressBody, TaskBody, WaitingBody } from './schemas/index.ts';

/** What a running job says of itself. */
export interface Report {
  readonly tasks: readonly TaskBody[];
  /** Trials that count against the budget, all runs. */
  readonly done: number;
  /** Trials since a task became better by as much as the job's `until` says. */
  readonly sinceBetter?: number;
}

/** Milliseconds between progress events: a quarter of a second at first, five seconds in jobs of half an hour and more. */
const intervalAt = (spentMs: number): number => Math.min(5000, Math.max(250, spentMs / 400));
/** Events of a run after which those of its job are thinned again. */
const thinEvery = 500;
const shapeText = (t: Task): string => {
  const list = (types: readonly { readonly shape: readonly number[] }[]): string =>
    types.map((x) => x.shape.join('x') || 'scalar').join(', ');
  return `${list(t.workload.inputs)} -> ${list(t.workload.outputs)}`;
};
/** A task before its first trial. */
export const untried = (t: Task): TaskBody => ({
  id: t.id,
  op: t.workload.op,
  shape: shapeText(t),
  occurrences: t.occurrences.length,
  trials: 0,
  failed: 0,
  default: null,
  best: null,
  exhausted: false,
  schedule: null,
});

/** Counts of the whole network, null until each task has one. */
function total(tasks: readonly TaskBody[], which: 'default' | 'best'): number | null {
  let sum = 0;
  for (const t of tasks) {
    const count = t[which];
    if (count === null) return null;
    sum += count * t.occurrences;
  }
  return sum;
}

/** What a job can expect of the farm. */
export interface Outlook {
  /** What it gets of it now, above 0 to 1. */
  share(): number;
  /** Milliseconds until so much is done; `msPerTrial`: of the whole farm, for jobs that made no trial yet. */
  doneIn(mine: Burden, msPerTrial: number): number;
}
const alone: Outlook = { share: () => 1, doneIn: ({ farmMs }) => farmMs };

/** The clock and the progress of one run of a job, from start or restart to its end. */
export class Run {
  private row: JobRow;
  private readonly feed: Feed;
  readonly clock: Clock;
  private readonly outlook: Outlook;
  private readonly pace = new Pace();
  /** Milliseconds of this run in which it moved, up to `since`. */
  private movedMs = 0;
  private since: number;
  private why: WaitingBody | null = null;
  /** Of that, what events have said last. */
  private told: WaitingBody | null = null;
  private latest: Report | undefined;
  private sentMs = Number.NEGATIVE_INFINITY;
  private events = 0;
  private over = false;

  constructor(job: JobRow, feed: Feed, clock: Clock = systemClock, outlook: Outlook = alone) {
    this.row = job;
    this.feed = feed;
    this.clock = clock;
    this.outlook = outlook;
    this.since = clock.now();
  }

  /** As it was when this run began, but for its priority. */
  get job(): JobRow {
    return this.row;
  }
  /** Another priority from now on. */
  prioritise(priority: Priority): void {
    this.row = { ...this.row, priority };
  }

  /** Time in which the job moved, all its runs. */
  get spentMs(): number {
    const now = this.why === null ? this.clock.now() - this.since : 0;
    return this.job.spentMs + this.movedMs + now;
  }

  /** Milliseconds of the job's time budget that are left; undefined without one. */
  get leftOfTime(): number | undefined {
    return this.job.timeMs === null ? undefined : Math.max(0, this.job.timeMs - this.spentMs);
  }

  /** Why it does not move now. */
  get waiting(): WaitingBody | null {
    return this.why;
  }
  /** It stands still for this reason, or moves again (null). Time that it stands still is not spent. */
  wait(why: WaitingBody | null): void {
    if (this.over) return;
    const now = this.clock.now();
    if (this.why === null && why !== null) this.movedMs += now - this.since;
    if (this.why !== null || why !== null) {
      this.since = now;
      this.pace.rest(now);
    }
    this.why = why;
    this.tellWhy();
  }
  /** Where that cannot be written it is owed, and told the next time. */
  private tellWhy(): void {
    if (this.told === this.why && this.why === null) return;
    this.feed.waiting(this.job.id, this.why);
    this.told = this.why;
  }

  log(phase: string, message: string): void {
    if (!this.over) this.say('log', { phase, message });
  }

  /** Takes a report; sends it on when the last event is old enough. */
  report(r: Report): void {
    if (this.over) return;
    this.latest = r;
    if (this.why === null) this.pace.note(this.clock.now(), r.done, this.outlook.share());
    if (this.clock.now() - this.sentMs >= intervalAt(this.spentMs)) this.flush();
  }

  /** Sends what was reported last and takes no more: what comes late is in the records, not in events of an ended job. */
  end(): void {
    if (this.over) return;
    // Where nothing can be written it has not ended.
    this.flush();
    this.over = true;
  }

  /** Sends what was reported last, and notes the time spent where a restart will find it. */
  private flush(): void {
    const spent = { spentMs: Math.round(this.spentMs) };
    const data = this.progress();
    this.feed.update(this.job.id, spent, data && { type: 'progress', data });
    if (data === undefined) return;
    this.sentMs = this.clock.now();
    this.said();
  }

  private say(type: string, data: Readonly<Record<string, unknown>>): void {
    this.feed.event(this.job.id, type, data);
    this.said();
  }
  private said(): void {
    if (++this.events % thinEvery === 0) this.feed.thin(this.job.id);
  }

  progress(): ProgressBody | undefined {
    if (this.latest === undefined) return undefined;
    const { tasks, done } = this.latest;
    return {
      kind: this.job.kind,
      trials: { done, failed: tasks.reduce((n, t) => n + t.failed, 0), budget: this.job.trials },
      spentMs: Math.round(this.spentMs),
      leftMs: this.leftMs(),
      cycles: { default: total(tasks, 'default'), best: total(tasks, 'best') },
      tasks: [...tasks],
    };
  }

  /**
   * Milliseconds by the clock on the wall, closed hours of its window too; null where nobody knows. Whichever budget is spent first
   * ends the job; a space that is exhausted may end it earlier still.
   */
  leftMs(): number | null {
    if (this.why !== null) return null;
    const left = [this.leftOfTime ?? null, this.leftOfTrials()].filter((ms) => ms !== null);
    if (left.length === 0) return null;
    const workMs = Math.min(...left);
    const [window, now] = [windowOf(this.job), this.clock.wall()];
    return Math.round(window === undefined ? workMs : doneAt(window, now, workMs) - now);
  }

  private leftOfTrials(): number | null {
    const msPerTrial = this.msPerTrial();
    return msPerTrial === null ? null : this.outlook.doneIn(this.burden(msPerTrial), msPerTrial);
  }
  private msPerTrial(): number | null {
    return this.pace.msPerTrial(this.clock.now(), this.outlook.share());
  }

  /** Trials that it will still make, as far as anybody knows. */
  private get trialsLeft(): number {
    const { until, trials } = this.job;
    if (this.latest === undefined) return trials;
    const { done, sinceBetter } = this.latest;
    const quiet =
      until === null || sinceBetter === undefined
        ? Number.POSITIVE_INFINITY
        : untilQuiet(done, sinceBetter, until.trials);
    return Math.max(0, Math.min(quiet, trials - done));
  }

  /** It takes turns with others now: before and behind its trials a job builds and verifies. */
  get takesTurns(): boolean {
    return this.why === null && this.latest !== undefined && this.trialsLeft > 0;
  }
  /** What it still takes of the farm; `msPerTrial` where it made none yet. */
  burden(msPerTrial: number): Burden {
    const farmMs = this.trialsLeft * (this.msPerTrial() ?? msPerTrial);
    return { weight: weightOf(this.job), farmMs, endsIn: this.leftOfTime ?? Number.POSITIVE_INFINITY };
  }
}
