/**
 * Notes what happens to devices and when they are at work, and writes it down every few seconds. Must stay true: noting costs a
 * trial nothing; what is not written yet is bounded, and is shown like what is.
 */

import type { DeviceEventRow, DeviceTotals, DeviceUse, DeviceWish } from '../../db/devices.ts';
import { StoreError } from '../../db/index.ts';
import type { Page, Store } from '../../db/types.ts';
import type { DeviceEvent, Observer } from '../../tuner/measure/device-state.ts';

export type DeviceStore = Store['devices'];

export interface LedgerOptions {
  readonly store: DeviceStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: (message: string) => void;
  /** Between two writes, ms. */
  readonly everyMs?: number;
}

const usualEveryMs = 3000;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** While the database takes nothing; the oldest are dropped then. */
const mostPending = 2000;

/** A time as the log of devices has it: ISO 8601, UTC. */
export const stampOf = (ms: number): string => new Date(ms).toISOString();

/** The parts of a stretch of time that lie in each minute; what ended in it belongs to the last. */
export function byMinute(from: number, to: number): readonly { readonly minute: number; readonly busyMs: number }[] {
  const [first, last] = [Math.floor(from / minuteMs), Math.floor(to / minuteMs)];
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const start = (first + i) * minuteMs;
    return { minute: first + i, busyMs: Math.min(to, start + minuteMs) - Math.max(from, start) };
  });
}

export class Ledger {
  private readonly o: LedgerOptions;
  private events: DeviceEventRow[] = [];
  private use = new Map<string, DeviceUse>();
  private boards = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private tidied = 0;
  private failing = false;
  private closed = false;

  constructor(options: LedgerOptions) {
    this.o = options;
  }

  /** Hears of the devices of a board's pool. */
  observer(board: string): Observer {
    return {
      event: (device, event, detail, client) => this.event(board, device, event, detail, client),
      used: (device, from, to, outcome) => this.used(board, device, from, to, outcome),
    };
  }
  event(board: string, device: string, event: DeviceEvent, detail: string, job: string | null = null): void {
    const at = stampOf(this.o.now());
    this.events.push({ device, at, event, detail: detail.slice(0, 1000), job });
    if (this.events.length > mostPending) this.events.shift();
    this.pend(board, device);
  }
  private used(board: string, device: string, from: number, to: number, outcome: 'ok' | 'failed'): void {
    const parts = byMinute(from, to);
    for (const [i, { minute, busyMs }] of parts.entries()) {
      const ended = Number(i === parts.length - 1);
      const key = `${minute} ${device}`;
      const before = this.use.get(key);
      this.use.set(key, {
        device,
        minute,
        busyMs: (before?.busyMs ?? 0) + busyMs,
        trials: (before?.trials ?? 0) + ended,
        failed: (before?.failed ?? 0) + (outcome === 'failed' ? ended : 0),
      });
    }
    const [oldest] = this.use.keys();
    if (this.use.size > mostPending && oldest !== undefined) this.use.delete(oldest);
    this.pend(board, device);
  }

  private pend(board: string, device: string): void {
    this.boards.set(device, board);
    this.arm();
  }
  private arm(): void {
    if (this.timer !== undefined || this.closed) return;
    this.timer = setTimeout(() => this.flush(), this.o.everyMs ?? usualEveryMs);
    this.timer.unref();
  }

  /** Writes down what is noted; keeps it where the database takes nothing. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.closed) return;
    try {
      if (this.boards.size > 0) this.write();
      this.failing = false;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (!this.failing) this.o.log(`the log of devices cannot be written: ${error.failure.detail}`);
      this.failing = true;
      this.arm();
    }
  }
  private write(): void {
    this.o.store.note({ events: this.events, use: [...this.use.values()], boards: this.boards });
    [this.events, this.use, this.boards] = [[], new Map(), new Map()];
    if (this.o.now() - this.tidied < hourMs) return;
    this.tidied = this.o.now();
    this.o.store.tidy(stampOf(this.tidied));
  }

  /** Writes down the rest. What comes later is forgotten. */
  close(): void {
    this.flush();
    this.closed = true;
  }

  /** What somebody said of devices, and what they came to over all time. */
  known(): readonly (DeviceWish & DeviceTotals)[] {
    this.flush();
    return this.o.store.all();
  }
  /** See Store.devices. */
  history(device: string, since: string | undefined, limit: number, cursor?: string): Page<DeviceEventRow> {
    this.flush();
    return this.o.store.history(device, since, limit, cursor);
  }
  /** Minutes between two times (ISO 8601), left out where nothing happened. */
  usedBetween(since: string, until: string): readonly DeviceUse[] {
    this.flush();
    return this.o.store.use(since, until);
  }
  /** Which share of the last hour each device was at work; left out where none. */
  shares(): ReadonlyMap<string, number> {
    const now = this.o.now();
    const busy = new Map<string, number>();
    for (const { device, busyMs } of this.usedBetween(stampOf(now - hourMs), stampOf(now)))
      busy.set(device, (busy.get(device) ?? 0) + busyMs);
    return new Map([...busy].map(([device, ms]) => [device, Math.min(1, ms / hourMs)]));
  }
}

/** Where nobody wants to know. */
export const forgetful: DeviceStore = {
  all: () => [],
  put: () => undefined,
  note: () => undefined,
  history: () => ({ items: [], next: null }),
  use: () => [],
  tidy: () => undefined,
};
