/**
 * Explains a task's cost model away from the event loop: replaying thousands of schedules for their features takes seconds. Message
 * in: ModelQuestion; message out: Explained. It ends after one.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { boardOf } from '../../boards/index.ts';
import type { Task } from '../../compiler/tasks.ts';
import type { TuningRecord } from '../../db/types.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { candidateMaker } from '../../tuner/candidates.ts';
import { explain, type Measurement } from '../../tuner/cost-models/explain.ts';
import { featureNames } from '../../tuner/cost-models/features.ts';
import { spaceOf } from '../../tuner/space.ts';

export interface ModelQuestion {
  readonly task: Task;
  readonly board: string;
  /** Oldest first. */
  readonly records: readonly Pick<TuningRecord, 'id' | 'template' | 'config' | 'schedule' | 'cycles'>[];
}

/** What schedules of another microtune make today is asked of the schedule, not of its knobs. */
function measurements({ task, board: id, records }: ModelQuestion): readonly Measurement[] {
  const board = boardOf(id);
  if (board === undefined) throw new Error(`no board is called ${id}`);
  const space = spaceOf(task.workload, board.target.features, { templates, defaultSchedule });
  const propose = candidateMaker(task, space, { board, scratchBytes: Number.POSITIVE_INFINITY });
  const features = new Map<string, Float64Array>();
  // Schedules that begin alike, one after another, are not replayed from their beginning each time.
  for (const { id: record, schedule } of records.toSorted(bySchedule)) {
    const made = propose({ template: 'literal', version: 1, schedule });
    if (made.ok) features.set(record, made.candidate.features);
  }
  return records.flatMap(({ id: record, template, config, cycles }) => {
    const seen = features.get(record);
    if (seen === undefined || cycles === null) return [];
    return [{ record, template, knobs: 'knobs' in config ? config.knobs : undefined, features: seen, cycles }];
  });
}

type Recorded = ModelQuestion['records'][number];
function bySchedule(a: Recorded, b: Recorded): number {
  const [x, y] = [a, b].map((r) => JSON.stringify(r.schedule)) as [string, string];
  return x < y ? -1 : x > y ? 1 : 0;
}

parentPort?.postMessage(explain(measurements(workerData as ModelQuestion), featureNames));
