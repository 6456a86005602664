/** Why the daemon could not take a job now, if so: what a load balancer or a person who looks after it wants to know. */
import type { Failure } from '../../compiler/result.ts';
import { StoreError } from '../../db/index.ts';
import type { AppContext } from '../api.ts';

/** Empty where all is well. Tries to write: a disk that is full is only noticed so. */
export function reasonsNotReady({ store, jobs }: AppContext): Failure[] {
  const reasons: Failure[] = [];
  try {
    store.probe();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    reasons.push(error.failure);
  }
  if (jobs.stopped) reasons.push({ stage: 'request', code: 'STOPPING', detail: 'the daemon is on its way down' });
  return reasons;
}
