/** Records for a job that is to know only its own: `--records none`. */
import type { Store } from '../db/types.ts';

/** What a job may know of, and choose from. */
export type JobRecords = Pick<Store, 'bestInPieces' | 'warmStart' | 'ofBinary'>;

/** What one job has measured itself. */
export const recordsOfJob = (store: Store, job: string): JobRecords => ({
  warmStart: (of, best, latest) => store.warmStart({ ...of, job }, best, latest),
  ofBinary: (of, binary) => store.ofBinary({ ...of, job }, binary),
  bestInPieces: (of, pieces) => store.bestInPieces({ ...of, job }, pieces),
});
