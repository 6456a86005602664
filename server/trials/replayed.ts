/** What cost models see of trials that lie in the log: their schedules, replayed on a task. About a hundred a second. */
import { boardOf } from '../../boards/index.ts';
import type { Task } from '../../compiler/tasks.ts';
import type { TuningRecord } from '../../db/types.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { candidateMaker } from '../../tuner/candidates.ts';
import { spaceOf } from '../../tuner/space.ts';

type Recorded = Pick<TuningRecord, 'id' | 'schedule'>;

/** Features by record; what cannot be made on this task is left out. What templates made it is not asked: they may be others today. */
export function replayed(task: Task, id: string, records: readonly Recorded[]): ReadonlyMap<string, Float64Array> {
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
  return features;
}

function bySchedule(a: Recorded, b: Recorded): number {
  const [x, y] = [a, b].map((r) => JSON.stringify(r.schedule)) as [string, string];
  return x < y ? -1 : x > y ? 1 : 0;
}
