/** Records for a job that is to know only its own: `--records none`. */
import type { Store } from '../db/types.ts';
import { fastest } from './offers.ts';

/** What a job may know of, and choose from. */
export type JobRecords = Pick<Store, 'best' | 'warmStart' | 'ofBinary'>;

/** What one job has measured itself. */
export function recordsOfJob(store: Store, job: string): JobRecords {
  return {
    warmStart: (of, best, latest) => store.warmStart({ ...of, job }, best, latest),
    ofBinary: (of, binary) => store.ofBinary({ ...of, job }, binary),
    best: (task, board, kind, limit) =>
      fastest(
        store.known(task, board, kind).filter((r) => r.job === job && r.cycles !== null),
        limit,
      ),
  };
}
