/** A call or more of every route: what worked, and each error that is the route's own. openapi.test.ts goes through them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InjectOptions } from 'fastify';
import { host } from '../../boards/host/index.ts';
import { artifactDir } from '../../server/artifact.ts';
import type { DeliveryPage, JobBody, ModelBody, WorkerTerms } from '../../server/schemas/index.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import { counted } from '../unit/pool-devices.ts';
import { expectOk } from '../wire/host-board.ts';
import { type Bench, recordWith } from './bench.ts';
import type { MemoryQueue } from './memory-queue.ts';
import { smallModel } from './model.ts';

export interface Case {
  readonly request: InjectOptions;
  readonly status: number;
  /** Of an error. */
  readonly code?: string;
}

/** What the calls are about. */
interface Scene {
  readonly model: string;
  readonly task: string;
  /** Done, with an artifact. */
  readonly done: string;
  readonly running: string;
  readonly paused: string;
  readonly record: string;
  /** Of a closed, emulated device, as it stands in a path. */
  readonly device: string;
  readonly delivery: string;
  /** A worker, with a lease that it is to fetch. */
  readonly worker: string;
  readonly lease: string;
}

const lines = { 'content-type': 'application/x-ndjson' };
const json = { 'content-type': 'application/json' };
const get = (url: string, status = 200, code?: string): Case => call({ method: 'GET', url }, status, code);
const remove = (url: string, status: number, code?: string): Case => call({ method: 'DELETE', url }, status, code);
const post = (url: string, payload: object | undefined, status: number, code?: string): Case =>
  call({ method: 'POST', url, ...(payload !== undefined && { headers: json, payload }) }, status, code);
const put = (url: string, payload: object, status: number, code?: string): Case =>
  call({ method: 'PUT', url, headers: json, payload }, status, code);
const patch = (url: string, payload: object, status: number, code?: string): Case =>
  call({ method: 'PATCH', url, headers: json, payload }, status, code);
const call = (request: InjectOptions, status: number, code?: string): Case => ({
  request,
  status,
  ...(code !== undefined && { code }),
});
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A model, jobs of several states, trials, a webhook that waits, a worker. */
export async function scene(b: Bench, queue: MemoryQueue): Promise<Scene> {
  const model = (await b.upload(smallModel(1))).json<ModelBody>();
  const submit = async (more: object = {}): Promise<string> =>
    (await b.post('/v1/jobs', { model: model.id, board: 'mps2-an386', trials: 10, ...more })).json<JobBody>().id;
  const done = await submit({ webhooks: ['https://receiver.example/hook'] });
  const dir = artifactDir(b.dataDir, done);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'net.c'), 'int x;');
  const { id: record, task } = b.store.addRecord(recordWith({ job: done }));
  b.store.addRecord(recordWith({ job: done, binary: 'b1', cycles: 900 }));
  b.begun[0]?.end({ state: 'done', report: {} });
  await turn();
  const running = await submit();
  const paused = await submit();
  await b.post(`/v1/jobs/${paused}/pause`);
  const worker = (await b.post('/v1/workers', await offered())).json<WorkerTerms>().id;
  const deliveries = (await b.get('/v1/webhooks/deliveries')).json<DeliveryPage>();
  return {
    model: model.id,
    task,
    done,
    running,
    paused,
    record,
    device: encodeURIComponent('mps2-an386#0'),
    delivery: deliveries.items[0]?.id ?? '',
    worker,
    lease: await leased(b, queue),
  };
}

/** A worker's device, as it must be to be taken. */
async function offered(): Promise<object> {
  const toolchain = expectOk(await toolchainVersion(host.target));
  const device = { name: 'host#0', board: 'host', kind: 'host', toolchain, remedies: [] };
  return { name: 'bench2', version: '0.0.0', devices: [device] };
}
/** Somebody wants to measure on it, so that it is to be opened. */
async function leased(b: Bench, queue: MemoryQueue): Promise<string> {
  const pool = expectOk(await b.farm.open(host));
  void pool.use(async () => counted(1));
  for (;;) {
    const lease = queue.take('bench2');
    if (lease !== undefined) return lease;
    await turn();
  }
}

/** By operation, in an order in which none spoils the next. */
export const casesOf = (x: Scene): Readonly<Record<string, readonly Case[]>> => ({
  getHealthz: [get('/healthz')],
  getReadyz: [get('/readyz')],
  getMetrics: [get('/metrics')],
  getErrors: [get('/errors')],
  getBoards: [get('/v1/boards')],
  ...modelCases(x),
  ...jobCases(x),
  ...logCases(x),
  ...queryCases(),
  ...deviceCases(x),
  ...accessCases(x),
  ...workerCases(x),
});

const modelCases = (x: Scene): Record<string, readonly Case[]> => {
  const upload = (payload: Uint8Array, status: number, code?: string) =>
    call(
      {
        method: 'POST',
        url: '/v1/models?name=small',
        headers: { 'content-type': 'application/octet-stream' },
        payload: Buffer.from(payload),
      },
      status,
      code,
    );
  const whole = smallModel(1);
  return {
    postModels: [
      upload(whole, 201),
      upload(new Uint8Array(9), 422, 'MODEL_UNKNOWN_FORMAT'),
      upload(whole.slice(0, 200), 422, 'MODEL_CORRUPT'),
      post('/v1/models', {}, 415, 'MEDIA_TYPE'),
    ],
    getModelsId: [get(`/v1/models/${x.model}`), get('/v1/models/nobody', 404, 'MODEL_NOT_FOUND')],
  };
};

const jobCases = (x: Scene): Record<string, readonly Case[]> => {
  const one = { model: x.model, board: 'mps2-an386', trials: 5 };
  const nobody = (verb: string) => post(`/v1/jobs/nobody/${verb}`, undefined, 404, 'JOB_NOT_FOUND');
  const late = (verb: string) => post(`/v1/jobs/${x.done}/${verb}`, undefined, 409, 'JOB_STATE');
  return {
    postJobs: [
      post('/v1/jobs', one, 201),
      post('/v1/jobs', { model: x.model, boards: ['mps2-an386', 'mps2-an385'], trials: 5 }, 201),
      post('/v1/jobs', { ...one, model: 'nobody' }, 404, 'MODEL_NOT_FOUND'),
      post('/v1/jobs', { ...one, board: 'nobody' }, 404, 'BOARD_UNKNOWN'),
      post('/v1/jobs', { ...one, board: 'host' }, 409, 'NO_DEVICE'),
      post('/v1/jobs', { ...one, policy: 'nobody' }, 400, 'POLICY_UNKNOWN'),
      post('/v1/jobs', { ...one, time: 'soon' }, 400, 'BAD_TIME'),
      post('/v1/jobs', { ...one, window: 'at night' }, 400, 'BAD_WINDOW'),
      post('/v1/jobs', { ...one, trials: 'ten' }, 400, 'BAD_REQUEST'),
    ],
    getJobs: [
      get('/v1/jobs?limit=1'),
      get('/v1/jobs?state=done&board=mps2-an386'),
      get('/v1/jobs?cursor=none', 400, 'BAD_CURSOR'),
    ],
    getJobsId: [get(`/v1/jobs/${x.running}`), get(`/v1/jobs/${x.done}`), get('/v1/jobs/nobody', 404, 'JOB_NOT_FOUND')],
    patchJobsId: [
      patch(`/v1/jobs/${x.running}`, { priority: 'high' }, 200),
      patch(`/v1/jobs/${x.running}`, { priority: 'urgent' }, 400, 'BAD_REQUEST'),
      patch(`/v1/jobs/${x.running}`, { seed: 2 }, 400, 'BAD_REQUEST'),
      patch('/v1/jobs/nobody', { priority: 'low' }, 404, 'JOB_NOT_FOUND'),
      patch(`/v1/jobs/${x.done}`, { priority: 'low' }, 409, 'JOB_STATE'),
    ],
    postJobsIdClone: [
      post(`/v1/jobs/${x.done}/clone`, { trials: 3 }, 201),
      post('/v1/jobs/nobody/clone', {}, 404, 'JOB_NOT_FOUND'),
      post(`/v1/jobs/${x.done}/clone`, { board: 'nobody' }, 404, 'BOARD_UNKNOWN'),
    ],
    postJobsIdPause: [post(`/v1/jobs/${x.paused}/pause`, undefined, 200), nobody('pause'), late('pause')],
    postJobsIdResume: [post(`/v1/jobs/${x.paused}/resume`, undefined, 200), nobody('resume'), late('resume')],
    postJobsIdCancel: [post(`/v1/jobs/${x.paused}/cancel`, undefined, 200), nobody('cancel'), late('cancel')],
    getJobsIdArtifact: [
      get(`/v1/jobs/${x.done}/artifact`),
      get('/v1/jobs/nobody/artifact', 404, 'JOB_NOT_FOUND'),
      get(`/v1/jobs/${x.running}/artifact`, 409, 'JOB_NOT_DONE'),
    ],
    getJobsIdReportHtml: [
      get(`/v1/jobs/${x.running}/report.html`),
      get('/v1/jobs/nobody/report.html', 404, 'JOB_NOT_FOUND'),
    ],
    getJobsIdEvents: [
      get(`/v1/jobs/${x.done}/events`),
      get(`/v1/jobs/${x.done}/events?after=1000000`, 204),
      get('/v1/jobs/nobody/events', 404, 'JOB_NOT_FOUND'),
      get(`/v1/jobs/${x.done}/events?after=-1`, 400, 'BAD_REQUEST'),
    ],
    // It never ends, so there is only what is refused.
    getEvents: [get('/v1/events?after=-1', 400, 'BAD_REQUEST')],
  };
};

const logCases = (x: Scene): Record<string, readonly Case[]> => {
  const place = `task=${x.task}&board=mps2-an386&kind=instructions`;
  return {
    getRecords: [
      get('/v1/records?limit=1'),
      get('/v1/records?format=jsonl'),
      get('/v1/records?format=csv'),
      get('/v1/records?cursor=none', 400, 'BAD_CURSOR'),
      get('/v1/records?since=yesterday', 400, 'BAD_REQUEST'),
      get('/v1/records?status=x', 400, 'BAD_REQUEST'),
    ],
    getRecordsBest: [
      get(`/v1/records/best?task=${x.task}&board=mps2-an386`),
      get('/v1/records/best', 400, 'BAD_REQUEST'),
    ],
    getStorage: [get('/v1/storage')],
    postBackup: [post('/v1/backup', undefined, 201)],
    postRecordsImport: [
      call({ method: 'POST', url: '/v1/records/import', headers: lines, payload: '\n' }, 200),
      call({ method: 'POST', url: '/v1/records/import', headers: lines, payload: '{}' }, 400, 'RECORD_BAD'),
    ],
    getTasks: [get(`/v1/tasks?network=${x.model}`), get('/v1/tasks?cursor=none', 400, 'BAD_CURSOR')],
    getTasksId: [get(`/v1/tasks/${x.task}`), get('/v1/tasks/nobody', 404, 'TASK_NOT_FOUND')],
    getTasksIdModel: [
      get(`/v1/tasks/${x.task}/model?board=mps2-an386&kind=instructions`, 409, 'TRIAL_UNMAKEABLE'),
      get(`/v1/tasks/${x.task}/model`, 400, 'BAD_REQUEST'),
    ],
    getStatsBest: [get('/v1/stats/best'), get('/v1/stats/best?since=yesterday', 400, 'BAD_REQUEST')],
    getStatsCurve: [
      get(`/v1/stats/curve?job=${x.done}`),
      get(`/v1/stats/curve?${place}`),
      get('/v1/stats/curve', 400, 'BAD_REQUEST'),
      get('/v1/stats/curve?job=nobody', 404, 'JOB_NOT_FOUND'),
    ],
    getStatsFailures: [get('/v1/stats/failures?by=stage'), get('/v1/stats/failures', 400, 'BAD_REQUEST')],
    getStatsKnobs: [get(`/v1/stats/knobs?${place}`), get('/v1/stats/knobs', 400, 'BAD_REQUEST')],
    getStatsScatter: [get(`/v1/stats/scatter?${place}`), get('/v1/stats/scatter', 400, 'BAD_REQUEST')],
    getTrialsId: [get(`/v1/trials/${x.record}`), get('/v1/trials/nobody', 404, 'TRIAL_NOT_FOUND')],
    postTrialsIdReplay: [
      post('/v1/trials/nobody/replay', undefined, 404, 'TRIAL_NOT_FOUND'),
      post(`/v1/trials/${x.record}/replay`, undefined, 409, 'TRIAL_UNMAKEABLE'),
    ],
  };
};

const queryCases = (): Record<string, readonly Case[]> => {
  const mine = { title: 'Mine', sql: 'SELECT 1' };
  return {
    postQuery: [
      post('/v1/query', { sql: 'SELECT status, count(*) FROM trials GROUP BY status' }, 200),
      post('/v1/query', { sql: 'DELETE FROM trials' }, 400, 'QUERY_REFUSED'),
      post('/v1/query', { sql: 'SELECT nothing' }, 400, 'QUERY_REFUSED'),
      post('/v1/query', {}, 400, 'BAD_REQUEST'),
    ],
    getSchema: [get('/v1/schema')],
    getQueries: [get('/v1/queries')],
    putQueriesName: [put('/v1/queries/mine', mine, 200), put('/v1/queries/mine', {}, 400, 'BAD_REQUEST')],
    getQueriesName: [get('/v1/queries/mine'), get('/v1/queries/nobody', 404, 'QUERY_NOT_FOUND')],
    deleteQueriesName: [remove('/v1/queries/mine', 204), remove('/v1/queries/mine', 404, 'QUERY_NOT_FOUND')],
  };
};

const deviceCases = (x: Scene): Record<string, readonly Case[]> => {
  const device = `/v1/devices/${x.device}`;
  const nobody = (verb: string, body?: object) => post(`/v1/devices/nobody/${verb}`, body, 404, 'DEVICE_NOT_FOUND');
  return {
    getDevices: [get('/v1/devices')],
    getDevicesUtilisation: [
      get('/v1/devices/utilisation?buckets=3'),
      get('/v1/devices/utilisation?buckets=0', 400, 'BAD_REQUEST'),
    ],
    getDevicesNameHistory: [get(`${device}/history`), get('/v1/devices/nobody/history', 404, 'DEVICE_NOT_FOUND')],
    postDevices: [
      post('/v1/devices', { board: 'mps2-an386', emulate: 1 }, 201),
      post('/v1/devices', { board: 'nobody', emulate: 1 }, 404, 'BOARD_UNKNOWN'),
      post('/v1/devices', { board: 'mps2-an386' }, 400, 'BAD_REQUEST'),
    ],
    postDevicesNameDrain: [post(`${device}/drain`, undefined, 200), nobody('drain')],
    postDevicesNameQuarantine: [
      post(`${device}/quarantine`, { reason: 'smells' }, 200),
      nobody('quarantine', { reason: 'smells' }),
    ],
    postDevicesNameRelease: [post(`${device}/release`, undefined, 200), nobody('release')],
    deleteDevicesName: [remove('/v1/devices/nobody', 404, 'DEVICE_NOT_FOUND')],
  };
};

const accessCases = (x: Scene): Record<string, readonly Case[]> => ({
  getTokens: [get('/v1/tokens')],
  postTokens: [
    post('/v1/tokens', { name: 'ci', scope: 'read' }, 201),
    post('/v1/tokens', { name: 'ci', scope: 'read' }, 409, 'TOKEN_EXISTS'),
    post('/v1/tokens', { name: '../ci', scope: 'read' }, 400, 'BAD_REQUEST'),
  ],
  deleteTokensName: [remove('/v1/tokens/ci', 200), remove('/v1/tokens/nobody', 404, 'TOKEN_NOT_FOUND')],
  getWebhooksDeliveries: [
    get('/v1/webhooks/deliveries?limit=1'),
    get('/v1/webhooks/deliveries?state=x', 400, 'BAD_REQUEST'),
    get('/v1/webhooks/deliveries?cursor=none', 400, 'BAD_CURSOR'),
  ],
  postWebhooksDeliveriesIdRetry: [
    post(`/v1/webhooks/deliveries/${x.delivery}/retry`, undefined, 200),
    post('/v1/webhooks/deliveries/nobody/retry', undefined, 404, 'DELIVERY_NOT_FOUND'),
  ],
});

const workerCases = ({ worker, lease }: Scene): Record<string, readonly Case[]> => {
  const at = `/v1/workers/${worker}`;
  const other = { name: 'bench3', version: 'another', devices: [] };
  const device = { name: 'host#0', board: 'host', kind: 'host', toolchain: '', remedies: [] };
  return {
    getWorkers: [get('/v1/workers')],
    postWorkersIdHeartbeat: [
      post(`${at}/heartbeat`, undefined, 204),
      post('/v1/workers/nobody/heartbeat', undefined, 404, 'WORKER_NOT_FOUND'),
    ],
    getWorkersIdLeasesLease: [
      get(`${at}/leases/${lease}`),
      get(`${at}/leases/none`, 410, 'LEASE_VOID'),
      get(`/v1/workers/nobody/leases/${lease}`, 404, 'WORKER_NOT_FOUND'),
    ],
    postWorkersIdLeasesLeaseAnswer: [
      post(`${at}/leases/${lease}/answer`, { is: 'open' }, 400, 'BAD_REQUEST'),
      post(`${at}/leases/${lease}/answer`, { is: 'done' }, 204),
      post(`${at}/leases/none/answer`, { is: 'done' }, 410, 'LEASE_VOID'),
    ],
    postWorkers: [
      post('/v1/workers', other, 400, 'BAD_REQUEST'),
      post('/v1/workers', { ...other, devices: [device] }, 409, 'WORKER_MISMATCH'),
      post('/v1/workers', { ...other, version: '0.0.0', devices: [{ ...device, board: 'x' }] }, 404, 'BOARD_UNKNOWN'),
    ],
    deleteWorkersId: [remove(at, 204), remove('/v1/workers/nobody', 404, 'WORKER_NOT_FOUND')],
  };
};
