/** What a report tells of a job, read from the store: what came of it, how it got there, on what. */
import type { BoardModule } from '../../boards/index.ts';
import type { Curve, FailureRow } from '../../db/log-types.ts';
import type { JobRow, Store, TuningRecord } from '../../db/types.ts';
import type { Report } from '../cli/report.ts';
import { type Layer, layersOf } from '../dashboard/layers.js';
import type { JobViews } from '../job-views.ts';
import type { Models } from '../models.ts';
import type { JobBody, ModelBody } from '../schemas/index.ts';

export interface ReportData {
  readonly job: JobBody;
  readonly model: ModelBody;
  /** undefined: a board that this microtune does not have any more. */
  readonly board: BoardModule | undefined;
  /** What the artifact's report.json says; undefined before the job is done. */
  readonly made: Report | undefined;
  /** Of the network, in the order in which they run. */
  readonly layers: readonly Layer[];
  readonly curve: Curve;
  readonly stages: readonly FailureRow[];
  readonly devices: readonly FailureRow[];
  /** A trial of the job, for what all of them have in common. */
  readonly sample: TuningRecord | undefined;
  readonly version: string;
}

interface ReportParts {
  readonly store: Store;
  readonly views: JobViews;
  readonly models: Models;
  readonly boards: readonly BoardModule[];
  readonly version: string;
}

/** Everything that a report of this job says. */
export function reportData({ store, views, models, boards, version }: ReportParts, row: JobRow): ReportData {
  const job = views.body(row);
  const model = models.describe(row.model);
  if (model === undefined) throw new Error(`model ${row.model} of job ${row.id} is not in the store`);
  const best = store.log.best({ job: row.id });
  const made = row.report === null ? undefined : (row.report as unknown as Report);
  return {
    job,
    model,
    board: boards.find((b) => b.id === row.board),
    made,
    layers: layersOf(job, model).map((l) => ({
      ...l,
      record: l.record ?? best.find((b) => b.task === l.task)?.record ?? null,
    })),
    curve: store.log.curveOfJob(row.id),
    stages: store.log.failures({ job: row.id }, 'stage'),
    devices: store.log.failures({ job: row.id }, 'device'),
    sample: store.records({ job: row.id }, 1).items[0],
    version,
  };
}
