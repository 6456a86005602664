/**
 * Jobs as the interface shows them: the row, what is counted in the store, and the progress of the run under way; of other
 * jobs the last progress event is what is known, also after a restart.
 */
import type { JobRow, Store } from '../db/types.ts';
import type { Jobs } from './jobs/queue.ts';
import type { Models } from './models.ts';
import { type Run, untried } from './progress.ts';
import type { JobBody, JobSummary, ProgressBody } from './schemas/index.ts';

/** What is known of jobs that run; of a database without a daemon nothing. */
export type UnderWay = Pick<Jobs, 'runOf' | 'waitingOf'>;
export const nothingRuns: UnderWay = { runOf: () => undefined, waitingOf: () => null };

/** Job rows as bodies, with the progress of whichever run there is or was. */
export class JobViews {
  private readonly store: Store;
  private readonly models: Models;
  private readonly underWay: UnderWay;
  /** Of ended jobs, which do not change, for lists of many. */
  private readonly cycles = new Map<string, JobBody['cycles']>();

  constructor(store: Store, models: Models, underWay: UnderWay) {
    this.store = store;
    this.models = models;
    this.underWay = underWay;
  }

  body(row: JobRow): JobBody {
    const tasks = this.progressOf(row)?.tasks ?? this.models.prepared(row.model).tasks.map(untried);
    return { ...this.summary(row), tasks, report: row.report };
  }

  summary(row: JobRow): JobSummary {
    const run = this.runOf(row);
    return {
      id: row.id,
      state: row.state,
      name: row.name,
      group: row.group,
      model: row.model,
      modelName: this.models.nameOf(row.model),
      board: row.board,
      kind: row.kind,
      policy: row.policy,
      seed: row.seed,
      priority: row.priority,
      window: row.window,
      until: row.until,
      only: row.only === null ? null : [...row.only],
      clonedFrom: row.clonedFrom,
      webhooks: [...row.webhooks],
      waiting: this.underWay.waitingOf(row),
      trials: { ...this.store.counts(row.id), budget: row.trials },
      timeMs: row.timeMs,
      budgets: { ramBytes: row.ramBudget, flashBytes: row.flashBudget },
      spentMs: Math.round(run?.spentMs ?? row.spentMs),
      leftMs: run?.leftMs() ?? null,
      cycles: this.cyclesOf(row),
      createdAt: row.createdAt,
      startedAt: row.startedAt,
      endedAt: row.endedAt,
      error: row.error,
    };
  }

  private cyclesOf(row: JobRow): JobBody['cycles'] {
    const cycles = this.cycles.get(row.id) ??
      ofNetwork(row.report) ??
      this.progressOf(row)?.cycles ?? { default: null, best: null };
    if (row.endedAt !== null) this.cycles.set(row.id, cycles);
    return cycles;
  }

  private runOf(row: JobRow): Run | undefined {
    return row.state === 'running' ? this.underWay.runOf(row.id) : undefined;
  }

  private progressOf(row: JobRow): ProgressBody | undefined {
    return this.runOf(row)?.progress() ?? (this.store.lastEvent(row.id, 'progress')?.data as ProgressBody | undefined);
  }
}

/** What the finished network took as a whole, with default schedules and with its own; undefined where there is none, or no counts of it. */
function ofNetwork(report: JobRow['report']): JobBody['cycles'] | undefined {
  const { cycles: best, defaultCycles } = report ?? {};
  return typeof best === 'number' && typeof defaultCycles === 'number' ? { default: defaultCycles, best } : undefined;
}
