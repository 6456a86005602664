/** Bodies as the page reads them. Parts that an older daemon does not send are optional here. */
import type { JobBody, JobSummary } from '../schemas/index.ts';

/** What came to a job of issue's sort lately: all of it may be absent. */
interface Lately {
  readonly name?: string | null;
  readonly group?: string | null;
  readonly priority?: 'low' | 'normal' | 'high';
  readonly window?: string | null;
  readonly until?: { readonly percent: number; readonly trials: number } | null;
  readonly clonedFrom?: string | null;
  readonly waiting?: { readonly code: string; readonly detail: string; readonly until: string | null } | null;
}
export type Job = JobBody & Lately;
export type JobRowBody = JobSummary & Lately;
