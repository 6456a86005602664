/**
 * Brings to receivers what the store says they are to be told, and tries again where that fails. Must stay true: a delivery is
 * pending in the store until a receiver has said yes or the tries are used up, so that whoever kills the daemon costs a repeated
 * delivery and never a lost one; a slow receiver holds up nobody but itself.
 */
import type { Logger } from 'pino';
import type { Delivery } from '../../db/deliveries.ts';
import { StoreError } from '../../db/index.ts';
import type { JobRow, Store } from '../../db/types.ts';
import { seeded } from '../../tuner/random.ts';
import { everyJob, type Feed } from '../feed.ts';
import type { Clock } from '../jobs/clock.ts';
import type { JobBody } from '../schemas/index.ts';
import type { Send, Sent } from './send.ts';

export interface DispatcherOptions {
  readonly store: Store;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly send: Send;
  /** A job as the interface shows it. */
  readonly bodyOf: (job: JobRow) => JobBody;
  readonly log: Logger;
}

/** Attempts in all; the waits between them come to about a day. */
export const mostAttempts = 12;
const firstWaitMs = 40_000;
/** Deliveries under way at once, and of these to one receiver. */
const atOnce = 8;
const atOnceTo = 2;
/** The database could not be asked: when to ask again, ms. */
const patienceMs = 30_000;

/** Milliseconds after so many attempts: doubling, and by up to a fifth more or less, that not all come back at the same moment. */
export function waitAfter(attempts: number, delivery: string): number {
  const jitter = seeded(attempts).fork(delivery).next();
  return Math.round(firstWaitMs * 2 ** (attempts - 1) * (0.8 + 0.4 * jitter));
}

/** What is sent. */
function bodyFor(d: Delivery, job: JobBody): string {
  const waiting = d.waiting === null ? {} : { waiting: d.waiting };
  return JSON.stringify({ event: d.event, job: { ...job, ...waiting }, at: d.at });
}

export class Dispatcher {
  private readonly o: DispatcherOptions;
  private readonly underWay = new Map<string, { readonly host: string; readonly over: Promise<void> }>();
  private readonly controller = new AbortController();
  private callOff: () => void = () => undefined;
  private deaf: () => void = () => undefined;

  constructor(options: DispatcherOptions) {
    this.o = options;
  }

  /** Goes on with what is pending, and listens for more. */
  start(): void {
    this.deaf = this.o.feed.listen(everyJob, () => this.look());
    this.look();
  }

  /** Breaks off what is under way; it is tried again by the next daemon. */
  async stop(): Promise<void> {
    this.deaf();
    this.callOff();
    this.controller.abort();
    await Promise.all([...this.underWay.values()].map((u) => u.over));
  }

  /** Tries one that has not arrived again, now, with all attempts before it. */
  retry(id: string): void {
    const nextAt = new Date(this.o.clock.wall()).toISOString();
    const anew = { state: 'pending', attempts: 0, nextAt, endedAt: null, status: null, error: null } as const;
    this.o.store.deliveries.attempted(id, anew);
    this.look();
  }

  /** Starts what is due, and wakes up for what is due next. Never throws: who announces a job has other things to do. */
  look(): void {
    if (this.controller.signal.aborted) return;
    this.callOff();
    try {
      const later = this.startDue();
      if (later !== undefined) this.wakeIn(later);
    } catch (error) {
      this.unanswered(error);
    }
  }
  private wakeIn(ms: number): void {
    this.callOff = this.o.clock.after(ms, () => this.look());
  }
  private unanswered(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    this.o.log.error({ err: error }, 'webhooks: the database could not be asked');
    this.wakeIn(patienceMs);
  }

  /** Milliseconds until the next one is due; undefined where nothing waits for time to pass. */
  private startDue(): number | undefined {
    const now = this.o.clock.wall();
    for (const d of this.o.store.deliveries.pending(10 * atOnce)) {
      if (this.underWay.has(d.id)) continue;
      const due = Date.parse(d.nextAt ?? d.at);
      if (due > now) return due - now;
      if (this.underWay.size >= atOnce) return undefined;
      const host = new URL(d.url).host;
      if ([...this.underWay.values()].filter((u) => u.host === host).length >= atOnceTo) continue;
      const over = this.deliver(d).catch((error: unknown) => this.unanswered(error));
      this.underWay.set(d.id, { host, over: over.then(() => this.ended(d.id)) });
    }
    return undefined;
  }
  private ended(id: string): void {
    this.underWay.delete(id);
    this.look();
  }

  private async deliver(d: Delivery): Promise<void> {
    const { store, send } = this.o;
    const job = store.job(d.job);
    if (job === undefined) throw new Error(`job ${d.job} vanished`);
    const body = bodyFor(d, this.o.bodyOf(job));
    const sent = await send({ url: d.url, id: d.id, event: d.event, body }, this.controller.signal);
    if (!this.controller.signal.aborted) this.note(d, sent);
  }

  private note(d: Delivery, sent: Sent): void {
    const { store, clock, log } = this.o;
    const now = clock.wall();
    const attempts = d.attempts + 1;
    const error = refusalIn(sent);
    const state = error === null ? 'delivered' : attempts < mostAttempts ? 'pending' : 'dead';
    const about = { delivery: d.id, job: d.job, event: d.event, attempts };
    if (error === null) log.info(about, 'webhook delivered');
    else log.warn({ ...about, error }, state === 'dead' ? 'webhook given up' : 'webhook not delivered');
    const iso = (ms: number): string => new Date(ms).toISOString();
    store.deliveries.attempted(d.id, {
      state,
      attempts,
      nextAt: state === 'pending' ? iso(now + waitAfter(attempts, d.id)) : null,
      endedAt: state === 'pending' ? null : iso(now),
      status: 'status' in sent ? sent.status : null,
      error,
    });
  }
}

/** Why what came is no yes; null where it is one. */
function refusalIn(sent: Sent): string | null {
  if ('error' in sent) return sent.error;
  const { status } = sent;
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400
    ? `the receiver answered ${status}, and redirects are not followed`
    : `the receiver answered ${status}`;
}
