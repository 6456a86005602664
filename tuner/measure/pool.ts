/**
 * The devices of one board: opened on demand, lent to one trial at a time, reopened after a failure that may have hurt them,
 * quarantined after several in a row. A trial whose device vanished is told so, and may be tried again on another.
 */
import type { Board } from '../../boards/board.ts';
import type { Failure, Result } from '../../compiler/result.ts';
import { type Device, LinkError } from '../../firmware-rpc/host/device.ts';
import type { MeasureResult } from '../types.ts';
import { Station } from './runner.ts';

export interface DeviceSource {
  readonly name: string;
  open(): Promise<Result<Device>>;
}
export interface DeviceState {
  readonly name: string;
  readonly state: 'closed' | 'idle' | 'busy' | 'quarantined';
  readonly uid: string | null;
  readonly firmware: string | null;
  readonly trials: number;
  readonly failures: number;
  readonly reason: string | null;
}
/** Failures in a row after which a device is not used any more. */
const tolerance = 5;

interface Slot {
  readonly source: DeviceSource;
  station: Station | undefined;
  state: DeviceState['state'];
  trials: number;
  failures: number;
  inARow: number;
  reason: string | null;
  info: { uid: string; firmware: string } | undefined;
}

export class DevicePool {
  private readonly slots: Slot[];
  private readonly board: Board;
  private readonly cacheDir: string;
  private readonly waiting: ((slot: Slot | undefined) => void)[] = [];
  private readonly log: (message: string) => void;

  constructor(
    board: Board,
    sources: readonly DeviceSource[],
    cacheDir: string,
    log: (message: string) => void = () => undefined,
  ) {
    this.board = board;
    this.cacheDir = cacheDir;
    this.log = log;
    this.slots = sources.map((source) => ({
      source,
      station: undefined,
      state: 'closed',
      trials: 0,
      failures: 0,
      inARow: 0,
      reason: null,
      info: undefined,
    }));
  }

  get size(): number {
    return this.slots.length;
  }
  states(): readonly DeviceState[] {
    return this.slots.map((s) => ({
      name: s.source.name,
      state: s.state,
      uid: s.info?.uid ?? null,
      firmware: s.info?.firmware ?? null,
      trials: s.trials,
      failures: s.failures,
      reason: s.reason,
    }));
  }

  /**
   * Measures on a device. A link that broke, inside a call or between two, closes the device, so that the next trial gets a
   * fresh one, and is a value here; every other error is a bug and is thrown.
   */
  async use(work: (station: Station) => Promise<MeasureResult>): Promise<Result<MeasureResult>> {
    const slot = await this.acquire();
    if (slot === undefined) return { ok: false, error: this.allGone() };
    try {
      const station = await this.stationOf(slot);
      if (!station.ok) return station;
      slot.trials++;
      const value = await work(station.value);
      if (value.status === 'failed' && value.code === 'LINK') await this.lost(slot, value.detail);
      else slot.inARow = 0;
      return { ok: true, value };
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      await this.lost(slot, error.message);
      return { ok: false, error: { stage: 'run', code: 'LINK', detail: error.message } };
    } finally {
      this.release(slot);
    }
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.slots.map((s) => this.close(s)));
  }

  private allGone(): Failure {
    const reasons = this.slots.map((s) => `${s.source.name}: ${s.reason ?? 'not available'}`);
    return {
      stage: 'load',
      code: 'NO_DEVICE',
      detail: reasons.length > 0 ? `no device left. ${reasons.join('; ')}` : `no device of ${this.board.id}`,
    };
  }

  private acquire(): Promise<Slot | undefined> {
    const free = this.slots.find((s) => s.state === 'idle') ?? this.slots.find((s) => s.state === 'closed');
    if (free !== undefined) {
      free.state = 'busy';
      return Promise.resolve(free);
    }
    if (this.slots.every((s) => s.state === 'quarantined')) return Promise.resolve(undefined);
    return new Promise((resolve) => this.waiting.push(resolve));
  }
  private release(slot: Slot): void {
    if (slot.state !== 'quarantined') {
      const next = this.waiting.shift();
      slot.state = next !== undefined ? 'busy' : slot.station === undefined ? 'closed' : 'idle';
      next?.(slot);
    } else if (this.slots.every((s) => s.state === 'quarantined')) {
      for (const next of this.waiting.splice(0)) next(undefined);
    }
  }

  private async stationOf(slot: Slot): Promise<Result<Station>> {
    if (slot.station !== undefined) return { ok: true, value: slot.station };
    const opened = await slot.source.open();
    if (!opened.ok) {
      this.failed(slot, opened.error.detail);
      return opened;
    }
    const { info } = opened.value;
    if (info.board !== this.board.id) {
      await opened.value.close();
      const detail = `${slot.source.name} is a ${info.board}, not a ${this.board.id}`;
      slot.inARow = tolerance;
      this.failed(slot, detail);
      return { ok: false, error: { stage: 'load', code: 'WRONG_BOARD', detail } };
    }
    slot.info = { uid: info.uid, firmware: info.buildId };
    slot.station = new Station(opened.value, this.board, this.cacheDir, () => performance.now());
    return { ok: true, value: slot.station };
  }

  private async lost(slot: Slot, reason: string): Promise<void> {
    await this.close(slot);
    this.failed(slot, reason);
  }
  private failed(slot: Slot, reason: string): void {
    slot.failures++;
    slot.inARow++;
    slot.reason = reason;
    if (slot.inARow >= tolerance) slot.state = 'quarantined';
    this.log(`device ${slot.source.name}: ${reason}${slot.state === 'quarantined' ? '; quarantined' : ''}`);
  }

  private async close(slot: Slot): Promise<void> {
    const { station } = slot;
    slot.station = undefined;
    await station?.device.close().catch(() => undefined);
  }
}
