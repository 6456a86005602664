/** The daemon's interface as methods. Bodies are those of server/schemas; docs/http.md says what each route does. */
import type { Kind } from '../boards/board.ts';
import type { Result } from '../compiler/result.ts';
import type { FailureKey } from '../db/log-types.ts';
import type {
  BackupBody,
  BestList,
  BoardList,
  CurveBody,
  DeviceBody,
  DeviceHistory,
  DeviceList,
  DeviceRequest,
  FailureList,
  HealthBody,
  JobBody,
  JobChange,
  JobGroup,
  JobList,
  JobPatch,
  JobRequest,
  JobSummary,
  KnobList,
  LogTaskBody,
  LogTaskList,
  LogTaskWhole,
  MergedBody,
  ModelBody,
  QueryBody,
  QueryRequest,
  RecordBody,
  RecordPage,
  ReplayBody,
  ScatterList,
  SchemaBody,
  StorageBody,
  TaskModelBody,
  TrialBody,
  WorkerList,
} from '../server/schemas/index.ts';
import { follow, type OpenEvents, type ServerEvent } from './events.ts';
import { Http, type Query, type Send } from './http.ts';
import { everyItem, RequestFailed } from './items.ts';

export interface ClientOptions {
  /** Made by `microtune token add`. */
  readonly token?: string;
}
/** How events are followed. */
export interface Following {
  /** The last event that was seen; 0: from the beginning. */
  readonly after?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds to wait for a daemon that went away; a minute if not given. */
  readonly patienceMs?: number;
}

/** Where a task is asked for: trials on other boards, or in other counts, do not compare. */
export interface Place {
  readonly task: string;
  readonly board: string;
  readonly kind: Kind;
}

const job = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`;
const device = (name: string): string => `/v1/devices/${encodeURIComponent(name)}`;
const task = (id: string): string => `/v1/tasks/${encodeURIComponent(id)}`;
const newKey = (): string => crypto.randomUUID();
const usualPatienceMs = 60_000;

export class Client {
  readonly url: string;
  private readonly http: Http;

  constructor(url: string, options: ClientOptions = {}) {
    this.http = new Http(url, options.token);
    this.url = this.http.url;
  }

  /** Any route, also one that has no method here. */
  request<T>(path: string, send: Send = {}): Promise<Result<T>> {
    return this.http.json(path, send);
  }
  /** The same where nothing is answered. */
  tell(path: string, send: Send): Promise<Result<void>> {
    return this.http.done(path, send);
  }
  health(): Promise<Result<HealthBody>> {
    return this.http.json('/healthz');
  }
  boards(): Promise<Result<BoardList>> {
    return this.http.json('/v1/boards');
  }

  uploadModel(bytes: Uint8Array, name: string): Promise<Result<ModelBody>> {
    return this.http.json('/v1/models', { method: 'POST', query: { name }, body: bytes, key: newKey() });
  }
  model(id: string): Promise<Result<ModelBody>> {
    return this.http.json(`/v1/models/${encodeURIComponent(id)}`);
  }

  /** Carried out once, also where the connection broke and it was sent again; the same `key` makes the same job. */
  addJob(request: Omit<JobRequest, 'boards'>, key = newKey()): Promise<Result<JobBody>> {
    return this.http.json('/v1/jobs', { method: 'POST', body: request, key });
  }
  /** A job for each of `boards`. */
  addJobs(request: JobRequest & { readonly boards: string[] }, key = newKey()): Promise<Result<JobGroup>> {
    return this.http.json('/v1/jobs', { method: 'POST', body: request, key });
  }
  /** A job like another one, with what `change` says instead. */
  clone(id: string, change: Omit<JobChange, 'boards'> = {}, key = newKey()): Promise<Result<JobBody>> {
    return this.http.json(`${job(id)}/clone`, { method: 'POST', body: change, key });
  }
  job(id: string): Promise<Result<JobBody>> {
    return this.http.json(job(id));
  }
  jobs(query: Query = {}): Promise<Result<JobList>> {
    return this.http.json('/v1/jobs', { query });
  }
  /** Every job, newest first. Throws RequestFailed. */
  eachJob(query: Query = {}): AsyncGenerator<JobSummary, void> {
    return everyItem((cursor) => this.jobs({ ...query, ...(cursor !== undefined && { cursor }) }));
  }
  cancel(id: string): Promise<Result<JobBody>> {
    return this.http.json(`${job(id)}/cancel`, { method: 'POST' });
  }
  pause(id: string): Promise<Result<JobBody>> {
    return this.http.json(`${job(id)}/pause`, { method: 'POST' });
  }
  resume(id: string): Promise<Result<JobBody>> {
    return this.http.json(`${job(id)}/resume`, { method: 'POST' });
  }
  /** Another priority, from now on. */
  changeJob(id: string, change: JobPatch): Promise<Result<JobBody>> {
    return this.http.json(job(id), { method: 'PATCH', body: change });
  }
  artifactUrl(id: string): string {
    return `${this.url}${job(id)}/artifact`;
  }
  /** A tar.gz: the C library, firmware and report of a job that is done. */
  artifact(id: string): Promise<Result<Uint8Array>> {
    return this.http.bytes(`${job(id)}/artifact`);
  }

  /** A job as one HTML page for people. */
  report(id: string): Promise<Result<Uint8Array>> {
    return this.http.bytes(`${job(id)}/report.html`);
  }

  /** One connection to a job's event stream. */
  openEvents(id: string): OpenEvents {
    return (after, signal) => this.stream(`${job(id)}/events`, after, signal);
  }
  /** A job's events from the first to the one that ends it, over connections that break. Throws RequestFailed. */
  events(id: string, following: Following = {}): AsyncGenerator<ServerEvent, void> {
    return eventsOf(this.openEvents(id), following);
  }

  /** The events of all jobs, also those to come; `data.job` says whose. It ends with its signal. Throws RequestFailed. */
  allEvents(following: Following = {}): AsyncGenerator<ServerEvent, void> {
    return eventsOf((after, signal) => this.stream('/v1/events', after, signal), following);
  }

  devices(): Promise<Result<DeviceList>> {
    return this.http.json('/v1/devices');
  }
  /** Attaches one at an address, or emulates more. */
  addDevice(request: DeviceRequest, key = newKey()): Promise<Result<DeviceList>> {
    return this.http.json('/v1/devices', { method: 'POST', body: request, key });
  }
  removeDevice(name: string): Promise<Result<void>> {
    return this.http.done(device(name), { method: 'DELETE' });
  }
  /** Lets it end what it is at, and gives it nothing new. */
  drain(name: string): Promise<Result<DeviceBody>> {
    return this.http.json(`${device(name)}/drain`, { method: 'POST' });
  }
  quarantine(name: string, reason: string): Promise<Result<DeviceBody>> {
    return this.http.json(`${device(name)}/quarantine`, { method: 'POST', body: { reason } });
  }
  release(name: string): Promise<Result<DeviceBody>> {
    return this.http.json(`${device(name)}/release`, { method: 'POST' });
  }
  /** Other hosts that offer devices. */
  workers(): Promise<Result<WorkerList>> {
    return this.http.json('/v1/workers');
  }
  deviceHistory(name: string, query: Query = {}): Promise<Result<DeviceHistory>> {
    return this.http.json(`${device(name)}/history`, { query });
  }

  /** A page of trials; `query` holds filters, `limit`, `cursor`. */
  records(query: Query = {}): Promise<Result<RecordPage>> {
    return this.http.json('/v1/records', { query });
  }
  /** Every trial that fits the filters. Throws RequestFailed. */
  eachRecord(query: Query = {}): AsyncGenerator<RecordBody, void> {
    return everyItem((cursor) => this.records({ limit: 1000, ...query, ...(cursor !== undefined && { cursor }) }));
  }
  bestRecords(query: Query): Promise<Result<RecordPage>> {
    return this.http.json('/v1/records/best', { query });
  }

  /** Of each task, board and kind: how many trials, and the best; `query` holds the filters of records. */
  best(query: Query = {}): Promise<Result<BestList>> {
    return this.http.json('/v1/stats/best', { query });
  }
  failures(by: FailureKey, query: Query = {}): Promise<Result<FailureList>> {
    return this.http.json('/v1/stats/failures', { query: { ...query, by } });
  }
  /** The best against the number of trials: of a `job`, or of a `task` on a `board` in a `kind`. */
  curve(query: Query): Promise<Result<CurveBody>> {
    return this.http.json('/v1/stats/curve', { query });
  }
  knobs(place: Place & { readonly template?: string }): Promise<Result<KnobList>> {
    return this.http.json('/v1/stats/knobs', { query: { ...place } });
  }
  scatter(place: Place & { readonly job?: string; readonly limit?: number }): Promise<Result<ScatterList>> {
    return this.http.json('/v1/stats/scatter', { query: { ...place } });
  }

  /** A page of the tasks in the log. */
  tasks(query: Query = {}): Promise<Result<LogTaskList>> {
    return this.http.json('/v1/tasks', { query });
  }
  /** Every task that fits the filters. Throws RequestFailed. */
  eachTask(query: Query = {}): AsyncGenerator<LogTaskBody, void> {
    return everyItem((cursor) => this.tasks({ ...query, ...(cursor !== undefined && { cursor }) }));
  }
  task(id: string): Promise<Result<LogTaskWhole>> {
    return this.http.json(task(id));
  }
  /** What the cost model makes of a task. */
  taskModel(id: string, where: Omit<Place, 'task'>): Promise<Result<TaskModelBody>> {
    return this.http.json(`${task(id)}/model`, { query: { ...where } });
  }

  /** What takes room. */
  storage(): Promise<Result<StorageBody>> {
    return this.http.json('/v1/storage');
  }
  /** Copies the database, beside it. */
  backup(): Promise<Result<BackupBody>> {
    return this.http.json('/v1/backup', { method: 'POST' });
  }
  /** Takes over records of another farm: lines of JSON, as `format=jsonl` gives them. */
  importRecords(lines: string): Promise<Result<MergedBody>> {
    const headers = { 'content-type': 'application/x-ndjson' };
    return this.http.json('/v1/records/import', { method: 'POST', body: new TextEncoder().encode(lines), headers });
  }

  /** Everything about one trial. */
  trial(id: string): Promise<Result<TrialBody>> {
    return this.http.json(`/v1/trials/${encodeURIComponent(id)}`);
  }
  /** Measures a trial again. */
  replay(id: string): Promise<Result<ReplayBody>> {
    return this.http.json(`/v1/trials/${encodeURIComponent(id)}/replay`, { method: 'POST' });
  }
  /** SQL on the log, read-only; `schema` says on what. */
  query(sql: string, params: NonNullable<QueryRequest['params']> = []): Promise<Result<QueryBody>> {
    return this.http.json('/v1/query', { method: 'POST', body: { sql, params } });
  }
  schema(): Promise<Result<SchemaBody>> {
    return this.http.json('/v1/schema');
  }

  private stream(path: string, after: number, signal: AbortSignal): ReturnType<OpenEvents> {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(after) };
    return this.http.stream(path, { headers, signal });
  }
}

async function* eventsOf(
  open: OpenEvents,
  { after = 0, signal = new AbortController().signal, patienceMs = usualPatienceMs }: Following,
): AsyncGenerator<ServerEvent, void> {
  const nothing = (): void => undefined;
  // A stream of a job that has ended says so itself: the next connection has nothing to tell.
  const ended = yield* follow({ open, after, over: () => false, onLost: nothing, signal, patienceMs });
  if (!ended.ok) throw new RequestFailed(ended.error);
}
