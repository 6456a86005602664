/** Records for a job that is to know only its own: `--records none`. */
import type { Store } from '../db/types.ts';
import { fastest } from './offers.ts';

/** What a job may know of, and choose from. */
export type JobRecords = Pick<Store, 'best' | 'known'>;

/** What one job has measured itself. */
export function recordsOfJob(store: Store, job: string): JobRecords {
  const known: JobRecords['known'] = (task, board, kind) => store.known(task, board, kind).filter((r) => r.job === job);
  return {
    known,
    best: (task, board, kind, limit) =>
      fastest(
        known(task, board, kind).filter((r) => r.cycles !== null),
        limit,
      ),
  };
}
