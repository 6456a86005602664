/**
 * How far jobs are. The job under way keeps its progress here; events carry it out, at most a few a second and fewer as a
 * job grows old, and the last one is what is known of a job that ended, also after a restart.
 */
import { performance } from 'node:perf_hooks';
import type { Task } from '../compiler/tasks.ts';
import type { JobRow, Store } from '../db/types.ts';
import type { Feed } from './feed.ts';
import type { Models } from './models.ts';
import type { JobBody, JobSummary, ProgressBody, TaskBody } from './schemas.ts';

/** What a running job says of itself: its tasks, and trials of this run, for the rate. */
export interface Report {
  readonly tasks: readonly TaskBody[];
  /** Trials that count against the budget, all runs. */
  readonly done: number;
}

/** Milliseconds between progress events: a quarter of a second at first, five seconds in jobs of half an hour and more. */
const intervalAt = (spentMs: number): number => Math.min(5000, Math.max(250, spentMs / 400));
/** Ended jobs whose progress is kept in memory. */
const kept = 64;

export const shapeText = (t: Task): string => {
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
export function total(tasks: readonly TaskBody[], which: 'default' | 'best'): number | null {
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
    if (!this.over) this.flush();
    this.over = true;
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

/** Job rows as bodies, with the progress of whichever run there is or was. */
export class JobViews {
  private readonly store: Store;
  private readonly models: Models;
  private readonly running: () => Run | undefined;
  private readonly ended = new Map<string, ProgressBody>();

  constructor(store: Store, models: Models, running: () => Run | undefined) {
    this.store = store;
    this.models = models;
    this.running = running;
  }

  body(row: JobRow): JobBody {
    const tasks = this.progressOf(row)?.tasks ?? this.models.prepared(row.model).tasks.map(untried);
    return { ...this.summary(row), tasks, report: row.report };
  }

  summary(row: JobRow): JobSummary {
    const progress = this.progressOf(row);
    const run = this.runOf(row);
    return {
      id: row.id,
      state: row.state,
      model: row.model,
      modelName: this.models.prepared(row.model).name,
      board: row.board,
      kind: row.kind,
      policy: row.policy,
      seed: row.seed,
      trials: { ...this.store.counts(row.id), budget: row.trials },
      timeMs: row.timeMs,
      spentMs: Math.round(run?.spentMs ?? row.spentMs),
      leftMs: row.state === 'running' ? (run?.progress()?.leftMs ?? null) : null,
      cycles: progress?.cycles ?? { default: null, best: null },
      createdAt: row.createdAt,
      startedAt: row.startedAt,
      endedAt: row.endedAt,
      error: row.error,
    };
  }

  private runOf(row: JobRow): Run | undefined {
    const run = this.running();
    return run?.job.id === row.id && row.state === 'running' ? run : undefined;
  }

  private progressOf(row: JobRow): ProgressBody | undefined {
    const live = this.runOf(row)?.progress();
    if (live !== undefined) return live;
    const known = this.ended.get(row.id);
    if (known !== undefined) return known;
    const last = this.lastEvent(row.id);
    const over = row.endedAt !== null;
    if (last === undefined || !over) return last;
    const [oldest] = this.ended.keys();
    if (this.ended.size >= kept && oldest !== undefined) this.ended.delete(oldest);
    this.ended.set(row.id, last);
    return last;
  }

  private lastEvent(job: string): ProgressBody | undefined {
    let last: ProgressBody | undefined;
    for (let after = 0; ; ) {
      const page = this.store.events(job, after, 1000);
      for (const e of page) if (e.type === 'progress') last = e.data as ProgressBody;
      const end = page.at(-1);
      if (end === undefined || page.length < 1000) return last;
      after = end.id;
    }
  }
}
