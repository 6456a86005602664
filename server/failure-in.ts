/** Errors that are caught and not answered to a request, as failures: what the machine did has a code, the rest is ours. */
import type { Failure } from '../compiler/result.ts';
import { StoreError } from '../db/index.ts';
import { systemFailure } from '../toolchain/index.ts';

/** What was thrown, as a failure: of the database, of the system, or INTERNAL. */
export function failureIn(error: unknown): Failure {
  if (error instanceof StoreError) return error.failure;
  const system = systemFailure('job', error);
  if (system !== undefined && !system.ok) return system.error;
  return { stage: 'job', code: 'INTERNAL', detail: error instanceof Error ? error.message : String(error) };
}
