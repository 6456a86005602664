/**
 * Jobs as the interface shows them: the row, what is counted in the store, and the progress of the run under way; of other
 * jobs the last progress event is what is known, also after a restart.
 */
import type { JobRow, Store } from '../db/types.ts';
import type { Models } from './models.ts';
import { type Run, untried } from './progress.ts';
import type { JobBody, JobSummary, ProgressBody } from './schemas/index.ts';

/** Job rows as bodies, with the progress of whichever run there is or was. */
export class JobViews {
  private readonly store: Store;
  private readonly models: Models;
  private readonly running: () => Run | undefined;
  /** Of ended jobs, which do not change, for lists of many. */
  private readonly cycles = new Map<string, JobBody['cycles']>();

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
    const run = this.runOf(row);
    return {
      id: row.id,
      state: row.state,
      model: row.model,
      modelName: this.models.nameOf(row.model),
      board: row.board,
      kind: row.kind,
      policy: row.policy,
      seed: row.seed,
      trials: { ...this.store.counts(row.id), budget: row.trials },
      timeMs: row.timeMs,
      budgets: { ramBytes: row.ramBudget, flashBytes: row.flashBudget },
      spentMs: Math.round(run?.spentMs ?? row.spentMs),
      leftMs: row.state === 'running' ? (run?.progress()?.leftMs ?? null) : null,
      cycles: this.cyclesOf(row),
      createdAt: row.createdAt,
      startedAt: row.startedAt,
      endedAt: row.endedAt,
      error: row.error,
    };
  }

  private cyclesOf(row: JobRow): JobBody['cycles'] {
    const cycles = this.cycles.get(row.id) ?? this.progressOf(row)?.cycles ?? { default: null, best: null };
    if (row.endedAt !== null) this.cycles.set(row.id, cycles);
    return cycles;
  }

  private runOf(row: JobRow): Run | undefined {
    const run = this.running();
    return run?.job.id === row.id && row.state === 'running' ? run : undefined;
  }

  private progressOf(row: JobRow): ProgressBody | undefined {
    return this.runOf(row)?.progress() ?? (this.store.lastEvent(row.id, 'progress')?.data as ProgressBody | undefined);
  }
}
