/** The daemon's interface as methods. Bodies are those of server/schemas; docs/http.md says what each route does. */
import type { Result } from '../compiler/result.ts';
import type {
  BoardList,
  DeviceList,
  HealthBody,
  JobBody,
  JobList,
  JobRequest,
  ModelBody,
  RecordBody,
  RecordPage,
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

const job = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`;
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
  addJob(request: JobRequest, key = newKey()): Promise<Result<JobBody>> {
    return this.http.json('/v1/jobs', { method: 'POST', body: request, key });
  }
  job(id: string): Promise<Result<JobBody>> {
    return this.http.json(job(id));
  }
  jobs(query: Query = {}): Promise<Result<JobList>> {
    return this.http.json('/v1/jobs', { query });
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

  devices(): Promise<Result<DeviceList>> {
    return this.http.json('/v1/devices');
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
