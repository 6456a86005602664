/**
 * Leases: what a worker is asked to do with one of its devices, once, until a deadline. Must stay true: each lease has one outcome,
 * the first of an answer, its deadline, the end of its worker; what comes later changes nothing. They are held in memory alone: a
 * daemon that was restarted knows none of them, and makes the trials again.
 */
import { createHash, randomUUID } from 'node:crypto';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Clock } from '../jobs/clock.ts';
import type { AnswerBody, LeaseBody } from '../schemas/index.ts';

/** Carries leases to workers by their ids, and nothing else. */
export interface LeaseQueue {
  /** Whether it can carry anything now. */
  readonly ready: boolean;
  /** How workers come to it. */
  readonly address: { readonly redis: string; readonly prefix: string };
  /** Bounded in time. Failure: LINK. */
  put(queue: string, lease: string): Promise<Result<void>>;
  /** Nobody needs it any more; it may be gone. */
  takeBack(queue: string, lease: string): void;
  /** Hears each time that the queue is there again. */
  onReady(listener: () => void): void;
  close(): Promise<void>;
}

/** For whom a lease is: one registration of a worker, and the queue that it listens to. */
export interface Lessee {
  readonly id: string;
  readonly queue: string;
}
/** Within which it must be fetched, and answered then, ms. */
export interface LeaseLimits {
  readonly fetchMs: number;
  readonly answerMs: number;
}
interface Lease {
  readonly lessee: Lessee;
  readonly content: LeaseBody;
  readonly limits: LeaseLimits;
  readonly settle: (outcome: Result<AnswerBody>) => void;
  fetched: boolean;
  callOff: () => void;
}
/** Of leases that have ended: by whom, and by which answer. Undefined: by none. */
interface Ended {
  readonly worker: string;
  readonly answer: string | undefined;
}

/** Enough for whoever sends an answer again whose receipt was lost. */
const mostEnded = 1000;
const hashOf = (answer: AnswerBody): string => createHash('sha256').update(JSON.stringify(answer)).digest('hex');
const isVoid = (): Result<never> => failed('request', 'LEASE_VOID', "this lease is over, or never was this worker's");

export class Leases {
  private readonly queue: LeaseQueue;
  private readonly clock: Clock;
  private readonly open = new Map<string, Lease>();
  private readonly ended = new Map<string, Ended>();

  constructor(queue: LeaseQueue, clock: Clock) {
    this.queue = queue;
    this.clock = clock;
  }

  /** What a worker made of it. Failure: LINK where it made nothing of it in time. */
  grant(lessee: Lessee, content: LeaseBody, limits: LeaseLimits): Promise<Result<AnswerBody>> {
    const id = randomUUID();
    return new Promise((settle) => {
      const callOff = this.clock.after(limits.fetchMs, () => this.void(id, 'nobody fetched it in time'));
      this.open.set(id, { lessee, content, limits, settle, fetched: false, callOff });
      void this.queue.put(lessee.queue, id).then((put) => {
        if (!put.ok) this.void(id, put.error.detail);
      });
    });
  }

  /** What is to be done; the same again for whoever lost the answer on the way. Failure: LEASE_VOID. */
  fetch(worker: string, id: string): Result<LeaseBody> {
    const lease = this.of(worker, id);
    if (lease === undefined) return isVoid();
    if (!lease.fetched) {
      lease.callOff();
      lease.callOff = this.clock.after(lease.limits.answerMs, () => this.void(id, 'no answer in time'));
      lease.fetched = true;
    }
    return ok(lease.content);
  }

  /** Ends a lease that was fetched; the same answer once more changes nothing. Failure: LEASE_VOID. */
  answer(worker: string, id: string, answer: AnswerBody): Result<void> {
    const known = this.ended.get(id);
    if (known?.worker === worker && known.answer === hashOf(answer)) return ok(undefined);
    if (this.of(worker, id)?.fetched !== true) return isVoid();
    this.end(id, ok(answer), hashOf(answer));
    return ok(undefined);
  }

  /** A worker is gone: nothing comes of its leases, or of those that it has not fetched. */
  endOf(worker: string, why: string, which: 'all' | 'unfetched'): void {
    for (const [id, lease] of [...this.open])
      if (lease.lessee.id === worker && (which === 'all' || !lease.fetched)) this.void(id, why);
  }

  private of(worker: string, id: string): Lease | undefined {
    const lease = this.open.get(id);
    return lease?.lessee.id === worker ? lease : undefined;
  }
  private void(id: string, why: string): void {
    const lease = this.open.get(id);
    if (lease === undefined) return;
    if (!lease.fetched) this.queue.takeBack(lease.lessee.queue, id);
    this.end(id, failed('run', 'LINK', `${lease.lessee.queue}: ${why}`), undefined);
  }
  private end(id: string, outcome: Result<AnswerBody>, answer: string | undefined): void {
    const lease = this.open.get(id);
    if (lease === undefined) return;
    lease.callOff();
    this.open.delete(id);
    this.ended.set(id, { worker: lease.lessee.id, answer });
    const [oldest] = this.ended.keys();
    if (this.ended.size > mostEnded && oldest !== undefined) this.ended.delete(oldest);
    lease.settle(outcome);
  }
}
