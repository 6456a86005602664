/**
 * Between the tune loop and the store: what is known goes in, each trial goes out as a record, progress as events. Must stay
 * true: only records of the same compiler and flags are known to a job, and a record is in the store before its trial counts.
 */
import type { Logger } from 'pino';
import type { BoardModule } from '../boards/index.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Comparable, NewRecord, Store, TuningRecord } from '../db/types.ts';
import type { Exchange, Listener, Seat } from '../tuner/exchange.ts';
import { Gains } from '../tuner/gains.ts';
import { inOtherLayouts } from '../tuner/layouts.ts';
import type { Measured } from '../tuner/task-state.ts';
import type { Known, TaskProgress, TrialRecord, Until } from '../tuner/tune.ts';
import { type Config, lostDevice, type MeasureResult } from '../tuner/types.ts';
import type { Farm } from './devices.ts';
import { type Toolchain, wordsOf } from './offers.ts';
import { type Run, untried } from './progress.ts';
import type { JobRecords } from './records.ts';
import type { TaskBody } from './schemas/index.ts';
import { columnsOf } from './trials/columns.ts';

export interface JournalOptions {
  readonly store: Store;
  /** What the job may know of. */
  readonly records: JobRecords;
  readonly farm: Farm;
  readonly board: BoardModule;
  readonly run: Run;
  readonly toolchain: Toolchain;
  readonly log: Logger;
}

/** Of a task's records a job begins with the fastest, whose neighbours it tries, and the last, from which its cost model learns. */
const warmStart = { best: 64, latest: 192 };

export class Journal {
  private readonly o: JournalOptions;
  private readonly log: Logger;
  /** The best config of each task, in words. */
  private readonly best = new Map<string, { readonly cycles: number; readonly words: string }>();
  /** Tasks of which something was withdrawn: their best is looked up when it is told next, once for all that went. */
  private readonly unsure = new Set<string>();

  constructor(options: JournalOptions) {
    this.o = options;
    this.log = options.log.child({ job: options.run.job.id });
  }

  known(task: Task): readonly Known[] {
    return this.suiting(task.id).map((r) => {
      this.consider(r.task, r.cycles, r.config);
      const { id, config, schedule, binary } = r;
      return { id, config, schedule, binary, result: resultOf(r) };
    });
  }
  /** What this binary was measured as, whether the job began with that or not. */
  measured(task: Task, binary: string): Measured | undefined {
    const found = this.o.records.ofBinary(this.comparable(task.id), binary);
    return found.map((r) => ({ id: r.id, result: resultOf(r) })).find(({ result }) => !lostDevice(result));
  }

  /** Its place among jobs that have the task too. */
  join(task: Task, exchange: Exchange, listener: Listener): Seat {
    return exchange.join(JSON.stringify(this.comparable(task.id)), {
      ...listener,
      heard: (known) => {
        this.consider(task.id, known.result.status === 'ok' ? known.result.cycles : null, known.config);
        listener.heard(known);
      },
      withdrawn: (record) => {
        this.unsure.add(task.id);
        listener.withdrawn(record);
      },
    });
  }

  /** The job's `until`, with the trials that earlier runs have made since a task became better. */
  until(): Until | undefined {
    const { until, id } = this.o.run.job;
    if (until === null) return undefined;
    const gains = new Gains({ ...until, since: 0 });
    const best = new Map<string, number>();
    for (const { task, cycles } of this.o.store.countsInOrder(id)) {
      const now = Math.min(best.get(task) ?? Number.POSITIVE_INFINITY, cycles ?? Number.POSITIVE_INFINITY);
      best.set(task, now);
      gains.note(task, now);
    }
    return { ...until, since: gains.since };
  }

  /** What stands of a task and goes together with this job's counts: enough of it. */
  private suiting(task: string): readonly TuningRecord[] {
    return this.o.records.warmStart(this.comparable(task), warmStart.best, warmStart.latest);
  }
  private comparable(task: string): Comparable {
    const { board, toolchain } = this.o;
    return { task, board: board.id, kind: board.kind, toolchain: toolchain.version, flags: toolchain.flags };
  }

  /** Appends a trial; the record's id. */
  record(trial: TrialRecord): string {
    const added = this.o.store.addRecord(this.rowOf(trial));
    this.consider(added.task, added.cycles, added.config);
    const { id, task, status, stage, code, detail, cycles, reusedFrom } = added;
    if (status === 'ok') this.log.debug({ trial: id, task, cycles, reusedFrom }, 'trial');
    else this.log.info({ trial: id, task, stage, code, detail }, 'trial failed');
    return id;
  }

  /** A record does not stand; another one may now be the best of its task. */
  doubt(id: string, why: string): void {
    const { store } = this.o;
    store.doubt(id, why);
    this.log.warn({ trial: id, why }, 'trial withdrawn');
    this.unsure.add(store.record(id)?.task ?? '');
  }

  progress(tasks: readonly TaskProgress[], done: number, sinceBetter: number): void {
    this.o.run.report({ tasks: tasks.map((t) => this.bodyOf(t)), done, sinceBetter });
  }

  private bodyOf(p: TaskProgress): TaskBody {
    const { trials, failed, best, exhausted } = p;
    return {
      ...untried(p.task),
      trials,
      failed,
      default: p.default,
      best,
      exhausted,
      schedule: this.wordsOfBest(p.task.id),
    };
  }

  private consider(task: string, cycles: number | null, config: Config): void {
    // In other layouts than bytes in order a layer's neighbours pay a part.
    if (inOtherLayouts(config)) return;
    if (cycles !== null && cycles < (this.best.get(task)?.cycles ?? Number.POSITIVE_INFINITY))
      this.best.set(task, { cycles, words: wordsOf(config) });
  }
  private wordsOfBest(task: string): string | null {
    if (this.unsure.has(task)) this.reconsider(task);
    return this.best.get(task)?.words ?? null;
  }
  private reconsider(task: string): void {
    const standing = this.suiting(task);
    this.best.delete(task);
    for (const r of standing) this.consider(r.task, r.cycles, r.config);
    this.unsure.delete(task);
  }

  private rowOf({ task, policy, config, schedule, result, reusedFrom }: TrialRecord): NewRecord {
    const { board, run, toolchain } = this.o;
    return {
      board: board.id,
      kind: board.kind,
      toolchain: toolchain.version,
      flags: toolchain.flags,
      firmware: this.firmwareOf(result.device ?? null, reusedFrom),
      job: run.job.id,
      task: task.id,
      workload: task.key,
      policy,
      template: config.template,
      config,
      schedule,
      reusedFrom,
      ...columnsOf(result),
    };
  }

  /** A measurement that was taken over was made by the firmware of then. */
  private firmwareOf(device: string | null, reusedFrom: string | null): string | null {
    if (reusedFrom !== null) return this.o.store.record(reusedFrom)?.firmware ?? null;
    return device === null ? null : this.o.farm.firmwareOf(this.o.board, device);
  }
}

/** A record as the loop saw it when it was made. */
function resultOf(r: TuningRecord): MeasureResult {
  const binary = r.binary ?? '';
  const device = r.device ?? '';
  if (r.status === 'ok' && r.cycles !== null && r.sizes !== null)
    return {
      status: 'ok',
      kind: r.kind,
      cycles: r.cycles,
      repeats: r.repeats ?? [r.cycles],
      sizes: r.sizes,
      binary,
      device,
      times: r.times,
      bytes: r.bytes ?? { code: 0, constants: 0, rest: 0 },
    };
  return {
    status: 'failed',
    stage: r.stage ?? 'record',
    code: r.code ?? '',
    detail: r.detail ?? '',
    ...(r.binary !== null && { binary }),
    ...(r.device !== null && { device }),
    times: r.times,
  };
}
