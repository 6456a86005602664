/**
 * The queue of leases on BullMQ and Redis. Must stay true: nothing waits longer than a few seconds for Redis; that it is away is
 * told once, and that it is back; a daemon without workers never loads either package.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { failed, ok } from '../../compiler/result.ts';
import type { LeaseQueue } from './leases.ts';

/** How long a lease may take into the queue, ms: a Redis that was just restarted is there again by then. */
const putMs = 5000;
const againMs = 250;
/** What BullMQ tells of its jobs, which nobody reads. */
const mostEvents = 10;
/** Of a single command. */
const commandMs = 2000;

/** `farm`: what no other farm on this Redis is called. */
export async function openRedisQueue(url: string, farm: string, log: (message: string) => void): Promise<LeaseQueue> {
  const [bullmq, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    connectTimeout: commandMs,
    commandTimeout: commandMs,
    retryStrategy: (times) => Math.min(1000, 100 * times),
  });
  const prefix = `microtune:${farm}`;
  const queues = new Map<string, Queue>();
  const listeners: (() => void)[] = [];
  let told = false;
  redis.on('error', (error: Error) => {
    if (!told) log(`Redis does not answer: ${error.message}`);
    told = true;
  });
  redis.on('ready', () => {
    if (told) log('Redis answers again');
    told = false;
    for (const heard of listeners) heard();
  });

  const queueOf = (name: string): Queue => {
    const known = queues.get(name);
    if (known !== undefined) return known;
    const queue = new bullmq.Queue(name, { connection: redis, prefix, streams: { events: { maxLen: mostEvents } } });
    // Of the connection, which tells it itself.
    queue.on('error', () => undefined);
    queues.set(name, queue);
    return queue;
  };
  /** One that met Redis on its way down may never be whole. */
  const discard = (name: string): void => {
    const queue = queues.get(name);
    queues.delete(name);
    void queue?.close().catch(() => undefined);
  };
  const ready = (): boolean => redis.status === 'ready';
  const put = async (name: string, lease: string): Promise<void> => {
    const once = { jobId: lease, attempts: 1, removeOnComplete: true, removeOnFail: true };
    await queueOf(name).add('lease', { lease }, once);
  };

  return {
    get ready() {
      return ready();
    },
    address: { redis: url, prefix },
    async put(name, lease) {
      for (const end = performance.now() + putMs; performance.now() < end; await pause(againMs)) {
        if (!ready()) continue;
        if (await within(commandMs, put(name, lease))) return ok(undefined);
        discard(name);
      }
      return failed('run', 'LINK', 'Redis does not answer');
    },
    takeBack(name, lease) {
      if (ready()) void within(commandMs, queueOf(name).remove(lease));
    },
    onReady: (listener) => void listeners.push(listener),
    async close() {
      redis.disconnect();
    },
  };
}

/** Whether it came true in time. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((done) => {
    timer = setTimeout(() => done(false), ms);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
