/**
 * The composition root: data directory, devices, jobs and HTTP, put together, and taken apart in the opposite order. Must
 * stay true: one daemon a data directory; whatever fails while it starts is undone; stop() ends everything within 10 s.
 */

import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { collectDefaultMetrics } from 'prom-client';
import { type BoardModule, boards, type Compiler, compiledBy } from '../boards/index.ts';
import { type Failure, failed, ok, type Result } from '../compiler/result.ts';
import { allRecords } from '../db/export.ts';
import { type Layer, openStore, StoreError } from '../db/index.ts';
import { lockDataDir } from '../db/lock.ts';
import { makeDir } from '../db/make-dir.ts';
import { openRecordsFile } from '../db/records-file.ts';
import type { Store } from '../db/types.ts';
import { defaultPolicy, policies } from '../tuner/policies/index.ts';
import { buildApp } from './app.ts';
import type { AttachedDevice } from './attached.ts';
import { type Keep, tidyDaily } from './data/retention.ts';
import { Farm, type FarmOptions } from './devices.ts';
import { openRedisQueue } from './farm/redis-queue.ts';
import { addedBefore } from './farm/roster.ts';
import { Feed } from './feed.ts';
import { flasherOf } from './firmware.ts';
import { JobViews } from './job-views.ts';
import { systemClock } from './jobs/clock.ts';
import { Jobs } from './jobs/queue.ts';
import { type LogLevel, openLog } from './log.ts';
import { Models } from './models.ts';
import { boardsFor } from './product.ts';
import { Queries, type QueryLimits } from './query/queries.ts';
import { Metrics } from './service/metrics.ts';
import { type ReachOptions, type Service, serviceOf } from './service/options.ts';
import { newToken, tokenHash } from './service/tokens.ts';
import { TaskModels } from './trials/task-models.ts';
import { TrialViews } from './trials/trial-views.ts';
import { version } from './version.ts';
import { Dispatcher } from './webhooks/dispatcher.ts';
import { openSecret } from './webhooks/secret.ts';
import { sender } from './webhooks/send.ts';
import { workOf } from './work.ts';

export interface DaemonOptions extends ReachOptions {
  readonly dataDir: string;
  /** 0: any free one. */
  readonly port: number;
  readonly devices: readonly AttachedDevice[];
  /** What makes kernels of all boards; 'gcc' unless given. */
  readonly compiler?: Compiler;
  /** Emulated devices by board; boards that are not named have one a core. */
  readonly emulate: Readonly<Record<string, number>>;
  /** See FarmOptions. */
  readonly discover?: FarmOptions['discover'];
  readonly powerCycle?: Readonly<Record<string, string>>;
  /** Where a GDB server listens, by board. */
  readonly probes?: Readonly<Record<string, string>>;
  readonly pool?: FarmOptions['pool'];
  /** Address of the Redis through which workers are told what to do; no workers unless given. */
  readonly redis?: string;
  /** Of POST /v1/query; the usual ones where not given. */
  readonly query?: Partial<QueryLimits>;
  /** Most jobs that run at the same time; 4 unless given. */
  readonly jobs?: number;
  /** Addresses that are told of every job. */
  readonly webhooks?: readonly string[];
  /** What webhooks are signed with; one is made in the data directory unless given. */
  readonly webhookSecretFile?: string;
  /** Whose builds and artifacts stay; all unless given. */
  readonly keepArtifacts?: Keep;
  /** A file of records to take over at the start, or 'none': each job knows only its own. */
  readonly recordsFile?: string;
  /** Of standard error; DATA/log has everything from `info` on. */
  readonly logLevel: LogLevel;
}
export interface Daemon {
  /** Where it listens, e.g. http://127.0.0.1:7317. */
  readonly url: string;
  /** Comes true when it can do nothing any more: its database is damaged, or was deleted under it. */
  readonly broken: Promise<Failure>;
  /** Ends it; the jobs under way go on when a daemon is started on the same directory. May be called twice. */
  stop(): Promise<void>;
}

/** Where firmware for real boards is built. */
const firmwareDir = (dataDir: string): string => join(dataDir, 'firmware');

/** Enough that a short job need not wait for a night's; each has candidates of its own in memory. */
const usualJobs = 4;

/** How long a replay waits for a device that works, ms. */
const replayPatience = 60_000;

/** Random inputs on which each tuned network is compared with its model. */
const verifiedInputs = 8;

/**
 * Starts a daemon. Failures: DATA_DIR_READONLY and others of the database, DATA_IN_USE, RECORD_BAD, PORT_IN_USE, LISTEN_FAILED,
 * BOARD_UNKNOWN, KINDS_MIXED, TOKENS_NEEDED, TLS_NEEDED, TLS_UNUSABLE, FILE_UNUSABLE, SECRET_UNSAFE.
 */
export async function startDaemon(o: DaemonOptions): Promise<Result<Daemon>> {
  const byBoard = [o.emulate, o.powerCycle ?? {}, o.probes ?? {}].flatMap((r) => Object.keys(r));
  const named = [...o.devices.map((d) => d.board), ...byBoard];
  const unknown = named.find((id) => !boards.some((b) => b.id === id));
  if (unknown !== undefined) return failed('start', 'BOARD_UNKNOWN', `no board is called "${unknown}"`);
  const dataDir = resolve(o.dataDir);
  const lock = lockDataDir(dataDir);
  if (!lock.ok) return lock;
  const store = openRecords(dataDir, o.recordsFile);
  if (!store.ok) {
    lock.value.release();
    return store;
  }
  const reach = reachOf(o, dataDir, store.value);
  if (!reach.ok) {
    store.value.close();
    lock.value.release();
    return reach;
  }
  const { service } = reach.value;
  store.value.answers.begin();
  store.value.deliveries.putFarm(o.webhooks ?? []);
  store.value.deliveries.prune();
  // Whoever may read the data directory is its owner, and needs no token of their own.
  const local = service.tokens === 'required' ? newToken() : undefined;
  const parts = await assemble(o, {
    dataDir,
    store: store.value,
    ...reach.value,
    local,
  });
  let stopTidying: (() => void) | undefined;
  const stop = once(async () => {
    stopTidying?.();
    await takeDown(parts);
    store.value.close();
    lock.value.release();
    parts.log.info('stopped');
  });
  const url = await listen(parts.app, o);
  if (!url.ok) {
    await stop();
    return url;
  }
  try {
    lock.value.announce(url.value, {
      ...(local !== undefined && { token: local }),
      ...(service.tls !== undefined && { certificate: service.tls.cert }),
    });
    parts.log.info({ url: url.value, data: dataDir }, 'listening');
    parts.jobs.start();
    parts.webhooks.start();
    stopTidying = parts.tidy();
  } catch (error) {
    // A daemon that cannot write would be there and do nothing.
    await stop();
    if (error instanceof StoreError) return { ok: false, error: error.failure };
    throw error;
  }
  return ok({ url: url.value, broken: parts.broken, stop });
}

/** How others reach it, what it signs with when it reaches them, and the boards as it has them. */
function reachOf(
  o: DaemonOptions,
  dataDir: string,
  store: Store,
): Result<Pick<Ground, 'service' | 'secret' | 'boards'>> {
  const mine = boardsFor(boards, { ...o, devices: [...o.devices, ...addedBefore(store.devices)] });
  if (!mine.ok) return mine;
  const service = serviceOf(o, store.tokens.valid().length);
  if (!service.ok) return service;
  const secret = openSecret(dataDir, o.webhookSecretFile);
  const compiled = mine.value.map((board) => compiledBy(board, o.compiler ?? 'gcc'));
  return secret.ok ? ok({ service: service.value, secret: secret.value, boards: compiled }) : secret;
}

/** The directory's database, with the records of a file merged in: known ones stay as they are. */
function openRecords(dataDir: string, file: string | undefined): Result<Store> {
  const store = openStore({ dir: dataDir }, { mode: 'write' });
  if (!store.ok || file === undefined || file === 'none') return store;
  const more = openRecordsFile(file);
  if (!more.ok) {
    store.value.close();
    return more;
  }
  store.value.mergeRecords(allRecords(more.value, {}));
  more.value.close();
  return store;
}

interface Parts {
  readonly app: FastifyInstance;
  readonly jobs: Jobs;
  readonly farm: Farm;
  readonly webhooks: Dispatcher;
  readonly broken: Promise<Failure>;
  /** Begins to throw away what is old; the function that ends it. */
  readonly tidy: () => () => void;
  readonly log: Logger;
}

interface Ground {
  readonly dataDir: string;
  readonly boards: readonly BoardModule[];
  readonly store: Store;
  readonly service: Service;
  /** Token of whoever may read the data directory. */
  readonly local: string | undefined;
  /** Of webhooks. */
  readonly secret: string;
}

async function assemble(o: DaemonOptions, ground: Ground): Promise<Parts> {
  const { dataDir, boards, service, local, secret } = ground;
  const metrics = new Metrics();
  const store = metrics.counting(ground.store);
  const log = openLog(dataDir, o.logLevel);
  const cacheDir = join(dataDir, 'cache');
  makeDir(cacheDir);
  const cores = availableParallelism();
  const models = new Models(store, (id, layers) => noteLayers(store, id, layers, log));
  const feed = new Feed(store);
  const warn = (message: string): void => log.warn(message);
  const queue = o.redis === undefined ? undefined : await openRedisQueue(o.redis, store.farm, warn);
  const farm = new Farm({
    boards,
    attached: o.devices,
    emulate: o.emulate,
    ...(o.discover !== undefined && { discover: o.discover }),
    ...(o.powerCycle !== undefined && { powerCycle: o.powerCycle }),
    ...(o.probes !== undefined && { probes: o.probes }),
    ...(o.pool !== undefined && { pool: o.pool }),
    ...(queue !== undefined && { workers: { queue, version, clock: systemClock } }),
    flasherOf: (board) => flasherOf(board, firmwareDir(dataDir)),
    store: store.devices,
    cores,
    cacheDir,
    log: warn,
  });
  // A job may ask for a board that is only there by discovery.
  if (o.discover === 'each-job') await farm.look();
  farm.watch();
  const work = workOf({
    store,
    models,
    farm,
    boards,
    dataDir,
    cacheDir,
    cores,
    verifiedInputs,
    known: o.recordsFile === 'none' ? 'own' : 'all',
    log,
  });
  const broken = Promise.withResolvers<Failure>();
  const jobs = new Jobs({
    store,
    feed,
    models,
    boards,
    hasDevice: (board: BoardModule) => farm.has(board),
    policies: [defaultPolicy, ...Object.keys(policies).filter((p) => p !== defaultPolicy)],
    work,
    atOnce: o.jobs ?? usualJobs,
    clock: systemClock,
    log,
    broken: broken.resolve,
  });
  const own = local === undefined ? undefined : ({ name: 'local', scope: 'admin', hash: tokenHash(local) } as const);
  const views = new JobViews(store, models, jobs);
  const webhooks = new Dispatcher({
    store,
    feed,
    clock: systemClock,
    send: sender({ secret, version, wall: systemClock.wall }),
    bodyOf: (job) => views.body(job),
    log,
  });
  metrics.watch({ store, jobs, farm, dataDir });
  collectDefaultMetrics({ register: metrics.registry });
  const app = await buildApp({
    store,
    feed,
    models,
    jobs,
    views,
    farm,
    queries: new Queries(store.file, o.query),
    trials: new TrialViews({ store, models, boards, farm, cacheDir, patienceMs: replayPatience }),
    taskModels: new TaskModels(store, models),
    webhooks,
    boards,
    dataDir,
    version,
    service,
    metrics,
    validTokens: () => (own === undefined ? store.tokens.valid() : [...store.tokens.valid(), own]),
    log,
  });
  const tidying = { store, dataDir, cacheDir, keep: o.keepArtifacts ?? 'all', log };
  const tidy = (): (() => void) => tidyDaily(tidying, () => new Date());
  return { app, jobs, farm, webhooks, broken: broken.promise, tidy, log };
}

/** Lists and pages are answered also where the disk is full: what is not noted now is noted the next time. */
function noteLayers(store: Store, model: string, layers: readonly Layer[], log: Logger): void {
  try {
    store.putLayers(model, layers);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.warn({ model, err: error }, 'the layers of a model were not noted');
  }
}

async function listen(app: FastifyInstance, o: DaemonOptions): Promise<Result<string>> {
  try {
    return ok(namedUrl(await app.listen({ host: o.host, port: o.port }), o));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why = error instanceof Error ? error.message : String(error);
    return code === 'EADDRINUSE'
      ? failed('start', 'PORT_IN_USE', `port ${o.port} of ${o.host} is taken by another program`)
      : failed('start', 'LISTEN_FAILED', `cannot listen on ${o.host}:${o.port}: ${why}`);
  }
}

/** A certificate is for a name, not for the address that is listened on. */
function namedUrl(url: string, { tls, names: [name] = [] }: DaemonOptions): string {
  return tls === undefined || name === undefined ? url : `https://${name}:${new URL(url).port}`;
}

/** Trials under way may end by themselves; then their devices are taken from them; then nobody is waited for. */
async function takeDown({ app, jobs, farm, webhooks }: Parts): Promise<void> {
  const closed = Promise.all([app.close(), webhooks.stop()]);
  await jobs.stop(4000);
  await within(1500, farm.closeAll());
  farm.dispose();
  await jobs.stop(1000);
  await within(500, closed);
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((done) => {
    timer = setTimeout(done, ms);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work();
    return running;
  };
}
