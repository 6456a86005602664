/** What a worker asks of its farm over HTTP. Must stay true: no request waits for ever, also where the farm's host vanished. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../../client/client.ts';
import type { Send } from '../../client/http.ts';
import type { Result } from '../../compiler/result.ts';
import type { AnswerBody, LeaseBody, WorkerRequest, WorkerTerms } from '../schemas/index.ts';

const patienceMs = 10_000;
/** A lease may hold megabytes. */
const leaseMs = 60_000;
/** Between attempts to fetch a lease or to answer it; behind the last the farm has given it up. */
const againMs: readonly number[] = [200, 1000, 3000];

export class FarmLink {
  private readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }
  get url(): string {
    return this.client.url;
  }

  register(request: WorkerRequest): Promise<Result<WorkerTerms>> {
    return this.ask('/v1/workers', { method: 'POST', body: request }, leaseMs);
  }
  heartbeat(id: string): Promise<Result<void>> {
    return this.tell(`/v1/workers/${id}/heartbeat`, { method: 'POST' });
  }
  leave(id: string): Promise<Result<void>> {
    return this.tell(`/v1/workers/${id}`, { method: 'DELETE' });
  }
  lease(id: string, lease: string): Promise<Result<LeaseBody>> {
    return again(() => this.ask(`/v1/workers/${id}/leases/${encodeURIComponent(lease)}`, {}, leaseMs));
  }
  answer(id: string, lease: string, answer: AnswerBody): Promise<Result<void>> {
    const path = `/v1/workers/${id}/leases/${encodeURIComponent(lease)}/answer`;
    return again(() => this.tell(path, { method: 'POST', body: answer }));
  }

  private ask<T>(path: string, send: Send, ms = patienceMs): Promise<Result<T>> {
    return this.client.request(path, { ...send, signal: AbortSignal.timeout(ms) });
  }
  private tell(path: string, send: Send): Promise<Result<void>> {
    return this.client.tell(path, { ...send, signal: AbortSignal.timeout(patienceMs) });
  }
}

/** A farm that is not there for a moment is asked again; what it refuses, it refuses. */
async function again<T>(ask: () => Promise<Result<T>>): Promise<Result<T>> {
  for (const ms of againMs) {
    const answer = await ask();
    if (answer.ok || answer.error.code !== 'DAEMON_UNREACHABLE') return answer;
    await pause(ms);
  }
  return ask();
}
