/** What every route needs: the parts of the daemon, and how an expected failure becomes an answer. */
import type { FastifyBaseLogger } from 'fastify';
import type { BoardModule } from '../boards/index.ts';
import { type Failure, failed, ok, type Result } from '../compiler/result.ts';
import type { TokenHash } from '../db/tokens.ts';
import type { JobRow, Store } from '../db/types.ts';
import type { Farm } from './devices.ts';
import type { Feed } from './feed.ts';
import type { JobViews } from './job-views.ts';
import type { Jobs } from './jobs/queue.ts';
import type { Models } from './models.ts';
import type { Queries } from './query/queries.ts';
import type { Metrics } from './service/metrics.ts';
import type { Service } from './service/options.ts';
import type { TaskModels } from './trials/task-models.ts';
import type { TrialViews } from './trials/trial-views.ts';
import type { Dispatcher } from './webhooks/dispatcher.ts';

/** What the routes work with. */
export interface AppContext {
  readonly store: Store;
  readonly feed: Feed;
  readonly models: Models;
  readonly jobs: Jobs;
  readonly views: JobViews;
  readonly farm: Farm;
  readonly queries: Queries;
  readonly trials: TrialViews;
  readonly taskModels: TaskModels;
  readonly webhooks: Dispatcher;
  readonly boards: readonly BoardModule[];
  readonly dataDir: string;
  readonly version: string;
  readonly service: Service;
  readonly metrics: Metrics;
  /** Tokens that open the interface now. */
  readonly validTokens: () => readonly TokenHash[];
  readonly log: FastifyBaseLogger;
}

/** Largest body: a model. */
export const bodyLimit = 64 * 2 ** 20;
/** Of every other route. */
export const usualBodyLimit = 2 ** 20;

/** Carries an expected failure from a route to the error handler. */
export class ApiError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.detail);
    this.failure = failure;
  }
}
/** The value, or the answer that says why there is none. */
export function orThrow<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ApiError(result.error);
}

/** A job's row. Failure: JOB_NOT_FOUND. */
export function jobOf(c: AppContext, id: string): Result<JobRow> {
  const row = c.store.job(id);
  return row === undefined ? failed('request', 'JOB_NOT_FOUND', `no job has the id "${id}"`) : ok(row);
}
