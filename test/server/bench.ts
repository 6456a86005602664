/**
 * A daemon without network, files and devices: the real store (in memory), queue, views and routes around work that the
 * test decides. Each test makes its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { boards } from '../../boards/index.ts';
import { openStore } from '../../db/index.ts';
import type { NewRecord, Store } from '../../db/types.ts';
import { buildApp } from '../../server/app.ts';
import { Farm, type FarmOptions } from '../../server/devices.ts';
import { Feed } from '../../server/feed.ts';
import { JobViews } from '../../server/job-views.ts';
import { systemClock } from '../../server/jobs/clock.ts';
import { Jobs, type JobsOptions, type JobWork, type Outcome } from '../../server/jobs/queue.ts';
import { Models } from '../../server/models.ts';
import type { Run } from '../../server/progress.ts';
import { Queries } from '../../server/query/queries.ts';
import type { ErrorBody, JobBody, ModelBody } from '../../server/schemas/index.ts';
import { usualLimits } from '../../server/service/limits.ts';
import { Metrics } from '../../server/service/metrics.ts';
import type { Service } from '../../server/service/options.ts';
import { TaskModels } from '../../server/trials/task-models.ts';
import { TrialViews } from '../../server/trials/trial-views.ts';
import { Dispatcher } from '../../server/webhooks/dispatcher.ts';
import type { Send } from '../../server/webhooks/send.ts';
import { smallModel } from './model.ts';

/** A job that has begun and waits for the test to say how it ends. */
export interface Begun {
  readonly run: Run;
  readonly signal: AbortSignal;
  end(outcome: Outcome): void;
  crash(error: Error): void;
}
export interface Bench {
  readonly app: FastifyInstance;
  readonly store: Store;
  readonly feed: Feed;
  readonly jobs: Jobs;
  readonly farm: Farm;
  readonly dataDir: string;
  /** Jobs in the order in which they began. */
  readonly begun: Begun[];
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  post(url: string, body?: unknown): Promise<LightMyRequestResponse>;
  upload(bytes: Uint8Array, query?: string): Promise<LightMyRequestResponse>;
  /** A job on a model that was uploaded. */
  submit(seed?: number): Promise<JobBody>;
}

export function openBenchStore(): Store {
  const opened = openStore('memory', { mode: 'write' });
  if (!opened.ok) throw new Error(opened.error.detail);
  return opened.value;
}

/** As on this machine alone; a test may ask faster than any client would. */
const localService: Service = {
  tokens: 'optional',
  names: ['127.0.0.1'],
  limits: { ...usualLimits, rate: { max: 1e9, windowMs: 1000 }, costly: { max: 1e9, windowMs: 1000 } },
};

/** `queue`: as in the daemon but for one job at a time, unless it says otherwise. */
export async function startBench(
  opened: Store = openBenchStore(),
  change: Partial<Service> = {},
  queue: Partial<Pick<JobsOptions, 'atOnce' | 'clock' | 'work' | 'broken' | 'log'>> = {},
  devices: Partial<FarmOptions> = {},
): Promise<Bench> {
  const service: Service = { ...localService, ...change };
  const metrics = new Metrics();
  const store = metrics.counting(opened);
  const dataDir = mkdtempSync(join(tmpdir(), 'microtune-server-'));
  const begun: Begun[] = [];
  const work: JobWork = (run, signal) =>
    new Promise((resolve, reject) => {
      begun.push({ run, signal, end: resolve, crash: reject });
      signal.addEventListener('abort', () => resolve({ state: 'stopped' }));
    });
  const log = pino({ level: 'silent' });
  const feed = new Feed(store);
  const models = new Models(store);
  const farm = new Farm({
    boards,
    attached: [],
    emulate: { host: 0 },
    ports: async () => [],
    store: store.devices,
    cores: 2,
    cacheDir: dataDir,
    log: () => undefined,
    ...devices,
  });
  const hasDevice = (b: { readonly id: string }): boolean => b.id !== 'host';
  const jobs = new Jobs({
    store,
    feed,
    models,
    boards,
    hasDevice,
    policies: ['guided', 'random'],
    work,
    atOnce: 1,
    clock: systemClock,
    log,
    ...queue,
  });
  const views = new JobViews(store, models, jobs);
  // It is not started: what is to be told waits in the store.
  const send: Send = async () => ({ error: 'there is no network here' });
  const webhooks = new Dispatcher({ store, feed, clock: systemClock, send, bodyOf: (job) => views.body(job), log });
  metrics.watch({ store, jobs, farm, dataDir });
  const app = await buildApp({
    store,
    feed,
    models,
    jobs,
    views,
    farm,
    queries: new Queries(store.file),
    trials: new TrialViews({ store, models, boards, farm, cacheDir: dataDir, patienceMs: 20_000 }),
    taskModels: new TaskModels(store, models),
    webhooks,
    boards,
    dataDir,
    version: '0.0.0',
    service,
    metrics,
    validTokens: () => store.tokens.valid(),
    log,
  });
  onTestFinished(async () => {
    await app.close();
    await farm.closeAll();
    farm.dispose();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const call = (o: InjectOptions): Promise<LightMyRequestResponse> => app.inject(o);
  const post: Bench['post'] = (url, body) =>
    call({ method: 'POST', url, ...(body !== undefined && { payload: body as object }) });
  const upload: Bench['upload'] = (bytes, query = '') =>
    call({
      method: 'POST',
      url: `/v1/models${query}`,
      headers: { 'content-type': 'application/octet-stream' },
      payload: Buffer.from(bytes),
    });
  return {
    app,
    store,
    feed,
    jobs,
    farm,
    dataDir,
    begun,
    get: (url, headers = {}) => call({ method: 'GET', url, headers }),
    post,
    upload,
    async submit(seed = 1) {
      const model = (await upload(smallModel(seed))).json<ModelBody>().id;
      return (await post('/v1/jobs', { model, board: 'mps2-an386', trials: 10 })).json<JobBody>();
    },
  };
}

export const errorIn = (answer: LightMyRequestResponse): ErrorBody => answer.json<ErrorBody>();

/** A record that could have been measured; `with` says what matters. */
export function recordWith(change: Partial<NewRecord>): NewRecord {
  return {
    board: 'mps2-an386',
    kind: 'instructions',
    toolchain: 'gcc 12',
    flags: '-mcpu=cortex-m4',
    firmware: 'f00d',
    job: null,
    task: 'task0',
    workload: '{"op":"conv2d"}',
    device: 'd0',
    policy: 'random',
    template: 'default',
    config: { template: 'default', version: 1, schedule: { algorithm: 'direct', steps: [] } },
    schedule: { algorithm: 'direct', steps: [] },
    status: 'ok',
    stage: null,
    code: null,
    detail: null,
    cycles: 1000,
    repeats: [1000],
    sizes: { codeBytes: 1, constBytes: 2, scratchBytes: 3, stackBytes: 4 },
    binary: 'b0',
    reusedFrom: null,
    times: { compile: 1 },
    bytes: { code: 1, constants: 2, rest: 3 },
    ...change,
  };
}
