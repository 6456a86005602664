/**
 * What the cost model has understood of a task on a board: trained and tried on its latest trials, in a worker. Must stay true: counts of
 * one kind only; as long as no trial is added, the same answer.
 */
import { Worker } from 'node:worker_threads';
import type { Kind } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Task } from '../../compiler/tasks.ts';
import type { Store, TuningRecord } from '../../db/types.ts';
import type { Explained } from '../../tuner/cost-models/explain.ts';
import type { Models } from '../models.ts';
import { Answers } from './answers.ts';
import type { ModelQuestion } from './model-worker.ts';

export interface TaskModelRequest {
  readonly task: string;
  readonly board: string;
  readonly kind: Kind;
}

/** Latest trials that are looked at: the schedule of each is replayed for its features, about a hundred a second. */
const latest = 1500;
/** Answers that are kept. */
const kept = 32;
/** MiB that the worker may take. */
const workerMiB = 1024;

export class TaskModels {
  private readonly store: Store;
  private readonly models: Models;
  private readonly answers = new Answers<Explained>(kept);
  private readonly workers = new Set<Worker>();

  constructor(store: Store, models: Models) {
    this.store = store;
    this.models = models;
  }

  /** Failures: TASK_NOT_FOUND, TRIAL_UNMAKEABLE where no network that is here has the task. */
  async explain({ task: id, board, kind }: TaskModelRequest): Promise<Result<Explained>> {
    const found = this.store.log.task(id);
    if (found === undefined) return failed('request', 'TASK_NOT_FOUND', `no task has the id "${id}"`);
    const task = this.taskOf(
      id,
      found.networks.map((n) => n.id),
    );
    if (task === undefined)
      return failed('request', 'TRIAL_UNMAKEABLE', `no network that is here has a layer of task ${id}`);
    const { items } = this.store.records({ task: id, board, kind, status: 'ok' }, latest, undefined, '-at');
    const key = `${id} ${board} ${kind} ${items[0]?.id ?? ''}`;
    const question = { task, board, records: items.filter(counts).reverse() };
    return ok(await this.answers.get(key, () => this.ask(question)));
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.answers.clear();
    await Promise.all([...this.workers].map((w) => w.terminate()));
  }

  private taskOf(id: string, networks: readonly string[]): Task | undefined {
    for (const network of networks) {
      const task = this.models.prepared(network).tasks.find((t) => t.id === id);
      if (task !== undefined) return task;
    }
    return undefined;
  }

  private ask(question: ModelQuestion): Promise<Explained> {
    const worker = new Worker(new URL('./model-worker.ts', import.meta.url), {
      workerData: question,
      resourceLimits: { maxOldGenerationSizeMb: workerMiB },
    });
    this.workers.add(worker);
    const answer = new Promise<Explained>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('the worker ended without an answer')));
    });
    return answer.finally(() => this.workers.delete(worker));
  }
}

/** Measured for itself, and nothing is held against it. */
const counts = (r: TuningRecord): boolean => r.reusedFrom === null && r.doubt === null;
