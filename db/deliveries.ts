/**
 * What is to be told of jobs to whom (schema/0009-webhooks.sql). Must stay true: a delivery that has ended is not tried again
 * unless somebody asks for it.
 */
import type { Database } from 'better-sqlite3';
import { cursorAfter, pageOf, seqOf } from './cursor.ts';
import { parsedOrNull } from './json.ts';
import type { Page } from './types.ts';

export type DeliveryState = 'pending' | 'delivered' | 'dead';
export interface Delivery {
  /** What receivers tell repeated deliveries by. */
  readonly id: string;
  readonly job: string;
  readonly event: 'job.done' | 'job.failed' | 'job.cancelled' | 'job.waiting';
  /** Of job.waiting: `{code, detail, until}`. */
  readonly waiting: Readonly<Record<string, unknown>> | null;
  readonly url: string;
  /** When it happened. */
  readonly at: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** When it is tried next; null where it has ended. */
  readonly nextAt: string | null;
  readonly endedAt: string | null;
  /** What the receiver answered last; null: nothing. */
  readonly status: number | null;
  /** Why the last attempt failed. */
  readonly error: string | null;
}
/** What an attempt came to. */
export type Attempted = Pick<Delivery, 'state' | 'attempts' | 'nextAt' | 'endedAt' | 'status' | 'error'>;

interface Row {
  readonly seq: number;
  readonly job: string;
  readonly event: Delivery['event'];
  readonly waiting: string | null;
  readonly url: string;
  readonly at: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly next_at: string | null;
  readonly ended_at: string | null;
  readonly status: number | null;
  readonly error: string | null;
}

/** How long deliveries that have ended are kept, ms. */
const keptMs = 90 * 86_400_000;

export class Deliveries {
  private readonly db: Database;
  private readonly farm: string;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
  }

  /** From now on these are told of every job. */
  putFarm(urls: readonly string[]): void {
    this.db.prepare('DELETE FROM farm_webhooks').run();
    const insert = this.db.prepare('INSERT INTO farm_webhooks VALUES (?) ON CONFLICT DO NOTHING');
    for (const url of urls) insert.run(url);
  }

  /** Forgets what ended long ago. */
  prune(at: string): void {
    this.db
      .prepare("DELETE FROM deliveries WHERE state <> 'pending' AND ended_at < ?")
      .run(new Date(Date.parse(at) - keptMs).toISOString());
  }

  /** Those that are to be tried, whoever is due first; also those that are not due yet. */
  pending(limit: number): readonly Delivery[] {
    return this.db
      .prepare<[number], Row>("SELECT * FROM deliveries WHERE state = 'pending' ORDER BY next_at, seq LIMIT ?")
      .all(limit)
      .map((r) => this.deliveryOf(r));
  }

  get(id: string): Delivery | undefined {
    const row = this.db.prepare<[number], Row>('SELECT * FROM deliveries WHERE seq = ?').get(this.seq(id));
    return row && this.deliveryOf(row);
  }

  attempted(id: string, { state, attempts, nextAt, endedAt, status, error }: Attempted): void {
    this.db
      .prepare(
        'UPDATE deliveries SET state = ?, attempts = ?, next_at = ?, ended_at = ?, status = ?, error = ? WHERE seq = ?',
      )
      .run(state, attempts, nextAt, endedAt, status, error, this.seq(id));
  }

  /** Newest first. Throws BadCursor. */
  page(state: DeliveryState | undefined, limit: number, cursor: string | undefined): Page<Delivery> {
    const list = ['deliveries', state ?? null];
    const below = cursor === undefined ? Number.MAX_SAFE_INTEGER : seqOf(cursor, this.farm, list);
    const where = state === undefined ? '' : 'AND state = @state';
    const rows = this.db
      .prepare<object, Row>(`SELECT * FROM deliveries WHERE seq < @below ${where} ORDER BY seq DESC LIMIT @limit`)
      .all({ below, limit: limit + 1, ...(state !== undefined && { state }) });
    const { items, next } = pageOf(rows, limit, ({ seq }) => cursorAfter(seq, this.farm, list));
    return { items: items.map((r) => this.deliveryOf(r)), next };
  }

  /** 0 is no row. */
  private seq(id: string): number {
    const [, farm, seq] = /^w-([0-9a-f]+)-([1-9]\d{0,14})$/.exec(id) ?? [];
    return farm === this.farm ? Number(seq) : 0;
  }
  private deliveryOf(r: Row): Delivery {
    return {
      id: `w-${this.farm}-${r.seq}`,
      job: r.job,
      event: r.event,
      waiting: parsedOrNull<Readonly<Record<string, unknown>>>(r.waiting),
      url: r.url,
      at: r.at,
      state: r.state,
      attempts: r.attempts,
      nextAt: r.next_at,
      endedAt: r.ended_at,
      status: r.status,
      error: r.error,
    };
  }
}
