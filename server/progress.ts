/**
 * How far a job is: the clock and the progress of its run. Events carry it out, at most a few a second and fewer as the job
 * grows old. Must stay true: a run that was ended says nothing more, so that no event follows the one that ends a job.
 */
import { performance } from 'node:perf_hooks';
import type { Task } from '../compiler/tasks.ts';
import type { JobRow } from '../db/types.ts';
import type { Feed } from './feed.ts';
import type { ProgressBody, TaskBody } from './schemas/index.ts';

/** What a running job says of itself. */
export interface Report {
  readonly tasks: readonly TaskBody[];
  /** Trials that count against the budget, all runs. */
  readonly done: number;
}

/** Milliseconds between progress events: a quarter of a second at first, five seconds in jobs of half an hour and more. */
const intervalAt = (spentMs: number): number => Math.min(5000, Math.max(250, spentMs / 400));
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

/** The clock and the progress of one run of a job, from start or restart to its end. */
export class Run {
  readonly job: JobRow;
  private readonly feed: Feed;
  private readonly startedMs = performance.now();
  private tuning: { readonly sinceMs: number; readonly done: number } | undefined;
  private latest: Report | undefined;
  private sentMs = Number.NEGATIVE_INFINITY;
  private over = false;

  constructor(job: JobRow, feed: Feed) {
    this.job = job;
    this.feed = feed;
  }

  get spentMs(): number {
    return this.job.spentMs + performance.now() - this.startedMs;
  }

  /** Milliseconds of the job's time budget that are left; undefined without one. */
  get leftOfTime(): number | undefined {
    return this.job.timeMs === null ? undefined : Math.max(0, this.job.timeMs - this.spentMs);
  }

  log(phase: string, message: string): void {
    if (this.over) return;
    this.feed.event(this.job.id, 'log', { phase, message });
  }

  /** Takes a report; sends it on when the last event is old enough. */
  report(r: Report): void {
    if (this.over) return;
    this.tuning ??= { sinceMs: performance.now(), done: r.done };
    this.latest = r;
    if (performance.now() - this.sentMs >= intervalAt(this.spentMs)) this.flush();
  }

  /** Sends what was reported last and takes no more: what comes late is in the records, not in events of an ended job. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.flush();
  }

  /** Sends what was reported last, and notes the time spent where a restart will find it. */
  private flush(): void {
    this.feed.update(this.job.id, { spentMs: Math.round(this.spentMs) });
    const body = this.progress();
    if (body === undefined) return;
    this.sentMs = performance.now();
    this.feed.event(this.job.id, 'progress', body);
  }

  progress(): ProgressBody | undefined {
    if (this.latest === undefined) return undefined;
    const { tasks, done } = this.latest;
    return {
      kind: this.job.kind,
      trials: { done, failed: tasks.reduce((n, t) => n + t.failed, 0), budget: this.job.trials },
      spentMs: Math.round(this.spentMs),
      leftMs: this.leftMs(done),
      cycles: { default: total(tasks, 'default'), best: total(tasks, 'best') },
      tasks: [...tasks],
    };
  }

  /** From the rate of this run; the time budget may end the job earlier. */
  private leftMs(done: number): number | null {
    const here = this.tuning === undefined ? 0 : done - this.tuning.done;
    const time = this.leftOfTime;
    if (this.tuning === undefined || here === 0) return time === undefined ? null : Math.round(time);
    const perTrial = (performance.now() - this.tuning.sinceMs) / here;
    return Math.round(Math.min(time ?? Number.POSITIVE_INFINITY, perTrial * Math.max(0, this.job.trials - done)));
  }
}
