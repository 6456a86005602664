/**
 * The daemon's HTTP interface as methods (server/schemas.ts has the bodies). What the daemon refuses comes back as the
 * failure that it names; a daemon that is not there is DAEMON_UNREACHABLE.
 */
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { DeviceList, ErrorBody, JobBody, JobList, JobRequest, ModelBody, RecordPage } from '../schemas/index.ts';

const artifactPath = (job: string): string => `/v1/jobs/${encodeURIComponent(job)}/artifact`;

export class Client {
  readonly url: string;

  constructor(url: string) {
    this.url = url.replace(/\/+$/, '');
  }

  uploadModel(bytes: Uint8Array, name: string): Promise<Result<ModelBody>> {
    return this.json(`/v1/models?name=${encodeURIComponent(name)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: Buffer.from(bytes),
    });
  }
  addJob(request: JobRequest): Promise<Result<JobBody>> {
    const headers = { 'content-type': 'application/json' };
    return this.json('/v1/jobs', { method: 'POST', headers, body: JSON.stringify(request) });
  }
  job(id: string): Promise<Result<JobBody>> {
    return this.json(`/v1/jobs/${encodeURIComponent(id)}`);
  }
  jobs(): Promise<Result<JobList>> {
    return this.json('/v1/jobs');
  }
  cancel(id: string): Promise<Result<JobBody>> {
    return this.json(`/v1/jobs/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
  }
  devices(): Promise<Result<DeviceList>> {
    return this.json('/v1/devices');
  }
  records(query: URLSearchParams): Promise<Result<RecordPage>> {
    return this.json(`/v1/records?${query}`);
  }
  bestRecords(query: URLSearchParams): Promise<Result<RecordPage>> {
    return this.json(`/v1/records/best?${query}`);
  }
  artifactUrl(id: string): string {
    return `${this.url}${artifactPath(id)}`;
  }
  /** The artifact, a tar.gz. */
  async artifact(id: string): Promise<Result<Uint8Array>> {
    const answer = await this.fetch(artifactPath(id));
    return answer.ok ? this.reading(async () => new Uint8Array(await answer.value.arrayBuffer())) : answer;
  }
  /** The event stream of a job behind event `after`; undefined where the job has ended and nothing is left to tell. */
  async events(
    id: string,
    after: number,
    signal: AbortSignal,
  ): Promise<Result<ReadableStream<Uint8Array> | undefined>> {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(after) };
    const answer = await this.fetch(`/v1/jobs/${encodeURIComponent(id)}/events`, { headers, signal });
    return answer.ok ? ok(answer.value.body ?? undefined) : answer;
  }

  private async json<T>(path: string, init: RequestInit = {}): Promise<Result<T>> {
    const answer = await this.fetch(path, init);
    return answer.ok ? this.reading(async () => (await answer.value.json()) as T) : answer;
  }

  /** An answer of status 2xx, or the failure that another one tells of. */
  private async fetch(path: string, init: RequestInit = {}): Promise<Result<Response>> {
    const answer = await this.reading(() => fetch(`${this.url}${path}`, init));
    if (!answer.ok || answer.value.ok) return answer;
    const body = await this.reading(async () => (await answer.value.json()) as Partial<ErrorBody>);
    if (!body.ok || body.value.code === undefined) return this.strange(`status ${answer.value.status}`);
    const { stage = 'request', code, detail = '' } = body.value;
    return failed(stage, code, detail);
  }

  private async reading<T>(read: () => Promise<T>): Promise<Result<T>> {
    try {
      return ok(await read());
    } catch (error) {
      if (error instanceof SyntaxError) return this.strange('no JSON');
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = cause instanceof Error ? cause.message || cause.name : String(cause);
      return failed('request', 'DAEMON_UNREACHABLE', `${this.url}: ${why}`);
    }
  }

  private strange(what: string): Result<never> {
    return failed('request', 'DAEMON_UNREACHABLE', `${this.url} is no microtune daemon: it answers ${what}`);
  }
}
