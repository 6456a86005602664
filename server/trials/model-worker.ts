/**
 * Explains a task's cost model away from the event loop: replaying thousands of schedules for their features takes seconds. Message
 * in: ModelQuestion; message out: Explained. It ends after one.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Task } from '../../compiler/tasks.ts';
import type { TuningRecord } from '../../db/types.ts';
import { explain, type Measurement } from '../../tuner/cost-models/explain.ts';
import { featureNames } from '../../tuner/cost-models/features.ts';
import { replayed } from './replayed.ts';

export interface ModelQuestion {
  readonly task: Task;
  readonly board: string;
  /** Oldest first. */
  readonly records: readonly Pick<TuningRecord, 'id' | 'template' | 'config' | 'schedule' | 'cycles'>[];
}

function measurements({ task, board, records }: ModelQuestion): readonly Measurement[] {
  const features = replayed(task, board, records);
  return records.flatMap(({ id: record, template, config, cycles }) => {
    const seen = features.get(record);
    if (seen === undefined || cycles === null) return [];
    return [{ record, template, knobs: 'knobs' in config ? config.knobs : undefined, features: seen, cycles }];
  });
}

parentPort?.postMessage(explain(measurements(workerData as ModelQuestion), featureNames));
