/**
 * The worker's end of the queue of leases. Must stay true: a Redis that goes away and comes back is told once each; what came out
 * of the queue twice (a lock that ran out) is done once.
 */
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { WorkerTerms } from '../schemas/index.ts';

export interface Consumer {
  /** Takes nothing more; comes true when what was taken is done. */
  close(): Promise<void>;
}
type Terms = Pick<WorkerTerms, 'redis' | 'prefix' | 'queue'>;

const connectMs = 3000;

/** `atOnce`: how many leases may be under way. `perform` never throws. Failure: QUEUE_UNREACHABLE where Redis is not there now. */
export async function consume(
  { redis: url, prefix, queue }: Terms,
  atOnce: number,
  perform: (lease: string) => Promise<void>,
  news: (text: string) => void,
): Promise<Result<Consumer>> {
  const [bullmq, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    connectTimeout: connectMs,
    retryStrategy: (times) => Math.min(1000, 100 * times),
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    return failed(
      'request',
      'QUEUE_UNREACHABLE',
      `${new URL(url).host}: ${error instanceof Error ? error.message : error}`,
    );
  }
  const quiet = tellChanges(redis, news);
  const underWay = new Set<string>();
  const worker = new bullmq.Worker<{ readonly lease: string }>(
    queue,
    async ({ data: { lease } }) => {
      if (underWay.has(lease)) return;
      underWay.add(lease);
      await perform(lease).finally(() => underWay.delete(lease));
    },
    {
      connection: redis,
      prefix,
      concurrency: atOnce,
      maxStalledCount: 0,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  );
  // Of the connection, which tells it itself.
  worker.on('error', () => undefined);
  worker.on('failed', (_job, error) => news(`an error of ours: ${error.message}`));
  return ok({
    async close() {
      quiet();
      await worker.close().catch(() => undefined);
      redis.disconnect();
    },
  });
}

/** Until the returned function is called. */
function tellChanges(redis: NodeJS.EventEmitter, news: (text: string) => void): () => void {
  let away = false;
  const lost = (): void => {
    if (!away) news('Redis is away');
    away = true;
  };
  const back = (): void => {
    if (away) news('Redis is back');
    away = false;
  };
  redis.on('close', lost).on('ready', back);
  return () => void redis.off('close', lost).off('ready', back);
}
