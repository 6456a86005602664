/**
 * Devices: what was added and held back by somebody, and the log of their lives. Must stay true: events and use are bounded,
 * by age and by number; totals count what is forgotten as well.
 */
import type { Database } from 'better-sqlite3';
import type { DeviceEvent } from '../tuner/measure/device-state.ts';
import { cursorAfter, pageOf, seqOf } from './cursor.ts';
import type { Page } from './types.ts';

/** No trials until somebody releases it. */
export interface Held {
  readonly how: 'drained' | 'quarantined';
  /** Empty for a drain. */
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}
/** What somebody said of a device. */
export interface DeviceWish {
  readonly name: string;
  readonly board: string;
  /** Where an attached one was added; null: emulated, or not added by anybody. */
  readonly address: string | null;
  /** When somebody added it; null: nobody did. */
  readonly addedAt: string | null;
  readonly held: Held | null;
}
/** What a device came to over all time. */
export interface DeviceTotals {
  readonly trials: number;
  /** Of its trials. */
  readonly failed: number;
  /** Of its own. */
  readonly failures: number;
  readonly recoveries: number;
}
export interface DeviceEventRow {
  readonly device: string;
  readonly at: string;
  readonly event: DeviceEvent;
  readonly detail: string;
  /** For whom it was at work. */
  readonly job: string | null;
}
/** A device in one minute. */
export interface DeviceUse {
  readonly device: string;
  /** Since the epoch. */
  readonly minute: number;
  readonly busyMs: number;
  readonly trials: number;
  readonly failed: number;
}
/** What happened since the last time, with the boards of the devices in it by name. */
export interface DeviceNews {
  readonly events: readonly DeviceEventRow[];
  readonly use: readonly DeviceUse[];
  readonly boards: ReadonlyMap<string, string>;
}

/** What is kept of each device. */
export const keptDays = 90;
export const keptEvents = 10_000;

interface Columns extends DeviceTotals {
  readonly name: string;
  readonly board: string;
  readonly address: string | null;
  readonly added_at: string | null;
  readonly held: Held['how'] | null;
  readonly held_reason: string | null;
  readonly held_at: string | null;
}
const rowOf = ({ added_at, held, held_reason, held_at, ...rest }: Columns): DeviceWish & DeviceTotals => ({
  ...rest,
  addedAt: added_at,
  held: held === null || held_at === null ? null : { how: held, reason: held_reason ?? '', at: held_at },
});

const minuteOf = (time: string): number => Math.floor(Date.parse(time) / 60_000);

export class Devices {
  private readonly db: Database;
  private readonly farm: string;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
  }

  all(): readonly (DeviceWish & DeviceTotals)[] {
    return this.db.prepare<[], Columns>('SELECT * FROM devices ORDER BY name').all().map(rowOf);
  }

  put({ held, ...wish }: DeviceWish): void {
    this.db
      .prepare(
        `INSERT INTO devices (name, board, address, added_at, held, held_reason, held_at)
         VALUES (@name, @board, @address, @addedAt, @how, @reason, @at)
         ON CONFLICT (name) DO UPDATE SET board = excluded.board, address = excluded.address,
           added_at = excluded.added_at, held = excluded.held, held_reason = excluded.held_reason, held_at = excluded.held_at`,
      )
      .run({ ...wish, how: held?.how ?? null, reason: held?.reason ?? null, at: held?.at ?? null });
  }

  note({ events, use, boards }: DeviceNews): void {
    const known = this.db.prepare('INSERT INTO devices (name, board) VALUES (?, ?) ON CONFLICT DO NOTHING');
    for (const [name, board] of boards) known.run(name, board);
    this.addEvents(events);
    this.addUse(use);
  }
  private addEvents(events: readonly DeviceEventRow[]): void {
    const add = this.db.prepare(
      'INSERT INTO device_events (device, at, event, detail, job) VALUES (@device, @at, @event, @detail, @job)',
    );
    const total = this.db.prepare(
      'UPDATE devices SET failures = failures + ?, recoveries = recoveries + ? WHERE name = ?',
    );
    for (const e of events) {
      add.run(e);
      const [failures, recoveries] = [e.event === 'failed' || e.event === 'unwell', e.event === 'recovered'];
      if (failures || recoveries) total.run(Number(failures), Number(recoveries), e.device);
    }
  }
  private addUse(use: readonly DeviceUse[]): void {
    const add = this.db.prepare(
      `INSERT INTO device_use VALUES (@device, @minute, @busyMs, @trials, @failed)
       ON CONFLICT (device, minute) DO UPDATE SET busy_ms = busy_ms + excluded.busy_ms, trials = trials + excluded.trials,
         failed = failed + excluded.failed`,
    );
    const total = this.db.prepare(
      'UPDATE devices SET trials = trials + @trials, failed = failed + @failed WHERE name = @device',
    );
    for (const u of use) {
      add.run(u);
      total.run(u);
    }
  }

  /** Newest first. Throws BadCursor. */
  history(device: string, since: string | undefined, limit: number, cursor?: string): Page<DeviceEventRow> {
    const list = ['device', device, since ?? null];
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : seqOf(cursor, this.farm, list);
    const rows = this.db
      .prepare<[string, number, string, number], DeviceEventRow & { readonly id: number }>(
        `SELECT id, device, at, event, detail, job FROM device_events
         WHERE device = ? AND id < ? AND at >= ? ORDER BY id DESC LIMIT ?`,
      )
      .all(device, before, since ?? '', limit + 1);
    const { items, next } = pageOf(rows, limit, ({ id }) => cursorAfter(id, this.farm, list));
    return { items: items.map(({ id: _, ...event }) => event), next };
  }

  /** Minutes from the one of `since` up to that of `until`, left out where nothing happened. */
  use(since: string, until: string): readonly DeviceUse[] {
    return this.db
      .prepare<[number, number], DeviceUse>(
        `SELECT device, minute, busy_ms AS busyMs, trials, failed FROM device_use
         WHERE minute >= ? AND minute < ? ORDER BY device, minute`,
      )
      .all(minuteOf(since), Math.ceil(Date.parse(until) / 60_000));
  }

  /** Forgets what is too old or too much. */
  tidy(now: string): void {
    const oldest = new Date(Date.parse(now) - keptDays * 86_400_000).toISOString();
    this.db.prepare('DELETE FROM device_events WHERE at < ?').run(oldest);
    this.db.prepare('DELETE FROM device_use WHERE minute < ?').run(minuteOf(oldest));
    const tooMuch = this.db.prepare(
      `DELETE FROM device_events WHERE device = @name AND id <=
         (SELECT id FROM device_events WHERE device = @name ORDER BY id DESC LIMIT 1 OFFSET @kept)`,
    );
    for (const { name } of this.all()) tooMuch.run({ name, kept: keptEvents });
  }
}
