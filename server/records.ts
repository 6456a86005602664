/** Records for a job that is to know only its own: `--records none`. */
import type { Store } from '../db/types.ts';
import type { Records } from './offers.ts';

/** What one job has measured itself. */
export function recordsOfJob(store: Store, job: string): Records {
  const known: Records['known'] = (task, board, kind) => store.known(task, board, kind).filter((r) => r.job === job);
  return {
    known,
    best: (task, board, kind, limit) =>
      known(task, board, kind)
        .filter((r) => r.cycles !== null)
        .sort((a, b) => (a.cycles ?? 0) - (b.cycles ?? 0))
        .slice(0, limit),
  };
}
