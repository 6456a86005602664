/**
 * Requests to a daemon as values. Must stay true: what the daemon refuses comes back as the failure that it names; a daemon
 * that is not there, or something else in its place, is DAEMON_UNREACHABLE. Nothing is thrown for what the network does.
 */
import { failed, ok, type Result } from '../compiler/result.ts';
import type { ErrorBody } from '../server/schemas/index.ts';

/** Parameters of a query; what is undefined is left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;
export interface Send {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly query?: Query;
  /** Sent as JSON; bytes as they are. */
  readonly body?: object;
  /** Idempotency-Key: the request is carried out once, however often it is sent. */
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export class Http {
  /** Without a slash at its end. */
  readonly url: string;
  private readonly token: string | undefined;

  constructor(url: string, token?: string) {
    this.url = url.replace(/\/+$/, '');
    this.token = token;
  }

  /** The body of an answer. */
  async json<T>(path: string, send: Send = {}): Promise<Result<T>> {
    const answer = await this.send(path, send);
    return answer.ok ? this.reading(async () => (await answer.value.json()) as T) : answer;
  }
  /** An answer without a body. */
  async done(path: string, send: Send): Promise<Result<void>> {
    const answer = await this.send(path, send);
    return answer.ok ? ok(undefined) : answer;
  }
  async bytes(path: string, send: Send = {}): Promise<Result<Uint8Array>> {
    const answer = await this.send(path, send);
    return answer.ok ? this.reading(async () => new Uint8Array(await answer.value.arrayBuffer())) : answer;
  }
  /** A body that comes piece by piece; undefined where there is none (204). */
  async stream(path: string, send: Send = {}): Promise<Result<ReadableStream<Uint8Array> | undefined>> {
    const answer = await this.send(path, send);
    return answer.ok ? ok(answer.value.body ?? undefined) : answer;
  }

  /** An answer of status 2xx. A request with a key is sent once more where its connection broke. */
  private async send(path: string, send: Send): Promise<Result<Response>> {
    const answer = await this.once(path, send);
    const lost = !answer.ok && answer.error.code === 'DAEMON_UNREACHABLE';
    return lost && send.key !== undefined ? this.once(path, send) : answer;
  }

  private async once(path: string, send: Send): Promise<Result<Response>> {
    const { url, init } = this.request(path, send);
    const answer = await this.reading(() => fetch(url, init));
    if (!answer.ok || answer.value.ok) return answer;
    const body = await this.reading(async () => (await answer.value.json()) as Partial<ErrorBody>);
    if (!body.ok || body.value.code === undefined) return this.strange(`status ${answer.value.status}`);
    const { stage = 'request', code, detail = '' } = body.value;
    return failed(stage, code, detail);
  }

  private request(path: string, { method = 'GET', query = {}, body, key, headers, signal }: Send) {
    const given = Object.entries(query).flatMap(([k, v]) =>
      v === undefined ? [] : [[k, String(v)] as [string, string]],
    );
    const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
    const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json';
    const init: RequestInit = {
      method,
      headers: {
        ...(this.token !== undefined && { authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'content-type': type }),
        ...(key !== undefined && { 'idempotency-key': key }),
        ...headers,
      },
      ...(body !== undefined && { body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    };
    return { url: `${this.url}${path}${search}`, init };
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
