/**
 * The devices of one board: opened on demand, lent to one trial at a time. One that fails is closed and rests before it is
 * opened again, longer each time (somebody may be plugging it in), and is quarantined after several failures in a row. A trial
 * whose device vanished is told so, and may be tried again on another.
 */
import type { Board } from '../../boards/board.ts';
import type { Failure, Result } from '../../compiler/result.ts';
import { type Device, LinkError } from '../../firmware-rpc/host/device.ts';
import type { MeasureResult } from '../types.ts';
import { Station } from './runner.ts';

export interface DeviceSource {
  readonly name: string;
  /** What stands for it in records, where all devices of a kind answer the same uid: emulated ones. */
  readonly id?: string;
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
const tolerance = 8;
/** Failures that waiting does not mend. */
const lasting: ReadonlySet<string> = new Set(['WRONG_BOARD', 'NOT_A_SERIAL_PORT', 'EMULATOR_MISSING']);
/** Milliseconds of rest after so many failures in a row: a quarter of a second, doubling, in all about a minute. */
const usualRest = (inARow: number): number => Math.min(16_000, 250 * 2 ** (inARow - 1));

interface Slot {
  readonly source: DeviceSource;
  station: Station | undefined;
  state: DeviceState['state'];
  trials: number;
  failures: number;
  inARow: number;
  /** Set while it rests. */
  rest: NodeJS.Timeout | undefined;
  reason: Pick<Failure, 'code' | 'detail'> | undefined;
  info: { uid: string; firmware: string } | undefined;
}

export interface PoolOptions {
  readonly log?: (message: string) => void;
  readonly restMs?: (inARow: number) => number;
}

export class DevicePool {
  private readonly slots: Slot[];
  private readonly board: Board;
  private readonly cacheDir: string;
  private readonly waiting: ((slot: Slot | undefined) => void)[] = [];
  private readonly log: (message: string) => void;
  private readonly restMs: (inARow: number) => number;
  private closing = false;

  constructor(board: Board, sources: readonly DeviceSource[], cacheDir: string, options: PoolOptions = {}) {
    this.board = board;
    this.cacheDir = cacheDir;
    this.log = options.log ?? (() => undefined);
    this.restMs = options.restMs ?? usualRest;
    this.slots = sources.map((source) => ({
      source,
      station: undefined,
      state: 'closed',
      trials: 0,
      failures: 0,
      inARow: 0,
      rest: undefined,
      reason: undefined,
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
      reason: s.reason?.detail ?? null,
    }));
  }

  /**
   * Measures on a device; waits while none can be opened. A link that broke, inside a call or between two, closes the device
   * and is a value here of code LINK. Any other failure means that no device is left. Other errors are thrown.
   */
  async use(work: (station: Station) => Promise<MeasureResult>): Promise<Result<MeasureResult>> {
    for (;;) {
      const slot = await this.acquire();
      if (slot === undefined) return { ok: false, error: this.allGone() };
      try {
        const station = await this.stationOf(slot);
        if (station.ok) return await this.measure(slot, station.value, work);
      } finally {
        this.release(slot);
      }
    }
  }

  private async measure(
    slot: Slot,
    station: Station,
    work: (station: Station) => Promise<MeasureResult>,
  ): Promise<Result<MeasureResult>> {
    slot.trials++;
    try {
      const value = await work(station);
      if (value.status === 'failed' && value.code === 'LINK') await this.lost(slot, value.detail);
      else slot.inARow = 0;
      return { ok: true, value };
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      await this.lost(slot, error.message);
      return { ok: false, error: { stage: 'run', code: 'LINK', detail: error.message } };
    }
  }

  /** Ends the pool: open devices are closed, whoever waits is told that there is none. */
  async closeAll(): Promise<void> {
    this.closing = true;
    for (const s of this.slots) clearTimeout(s.rest);
    for (const next of this.waiting.splice(0)) next(undefined);
    await Promise.all(this.slots.map((s) => this.close(s)));
  }

  /** Why there is none: the reason that all have in common, or NO_DEVICE with the reason of each. */
  private allGone(): Failure {
    const reasons = this.slots.map((s) => `${s.source.name}: ${s.reason?.detail ?? 'not available'}`);
    const [code, ...others] = new Set(this.slots.map((s) => s.reason?.code));
    return {
      stage: 'load',
      code: code === undefined || code === 'LINK' || others.length > 0 ? 'NO_DEVICE' : code,
      detail: reasons.length > 0 ? `no device left. ${reasons.join('; ')}` : `no device of ${this.board.id}`,
    };
  }

  private acquire(): Promise<Slot | undefined> {
    const free =
      this.slots.find((s) => s.state === 'idle') ??
      this.slots.find((s) => s.state === 'closed' && s.rest === undefined);
    if (this.closing || this.slots.every((s) => s.state === 'quarantined')) return Promise.resolve(undefined);
    if (free === undefined) return new Promise((resolve) => this.waiting.push(resolve));
    free.state = 'busy';
    return Promise.resolve(free);
  }
  /** To whoever waits longest, unless it must rest first. */
  private release(slot: Slot): void {
    if (slot.state === 'quarantined') {
      if (this.slots.every((s) => s.state === 'quarantined'))
        for (const next of this.waiting.splice(0)) next(undefined);
      return;
    }
    const next = slot.rest === undefined ? this.waiting.shift() : undefined;
    slot.state = next !== undefined ? 'busy' : slot.station === undefined ? 'closed' : 'idle';
    next?.(slot);
  }

  private async stationOf(slot: Slot): Promise<Result<Station>> {
    if (slot.station !== undefined) return { ok: true, value: slot.station };
    const opened = await slot.source.open();
    if (!opened.ok) {
      this.failed(slot, opened.error);
      return opened;
    }
    if (this.closing) {
      await opened.value.close();
      return { ok: false, error: this.allGone() };
    }
    const { info } = opened.value;
    if (info.board !== this.board.id) {
      await opened.value.close();
      const detail = `${slot.source.name} is a ${info.board}, not a ${this.board.id}`;
      const error = { stage: 'load', code: 'WRONG_BOARD', detail };
      this.failed(slot, error);
      return { ok: false, error };
    }
    slot.info = { uid: slot.source.id ?? info.uid, firmware: info.buildId };
    slot.station = new Station(opened.value, slot.info.uid, this.board, this.cacheDir, () => performance.now());
    return { ok: true, value: slot.station };
  }

  private async lost(slot: Slot, reason: string): Promise<void> {
    await this.close(slot);
    this.failed(slot, { code: 'LINK', detail: reason });
  }
  private failed(slot: Slot, reason: Pick<Failure, 'code' | 'detail'>): void {
    slot.failures++;
    slot.inARow++;
    slot.reason = reason;
    if (slot.inARow >= tolerance || lasting.has(reason.code)) slot.state = 'quarantined';
    else if (!this.closing)
      slot.rest = setTimeout(() => {
        slot.rest = undefined;
        if (slot.state === 'closed') this.release(slot);
      }, this.restMs(slot.inARow));
    this.log(`device ${slot.source.name}: ${reason.detail}${slot.state === 'quarantined' ? '; quarantined' : ''}`);
  }

  private async close(slot: Slot): Promise<void> {
    const { station } = slot;
    slot.station = undefined;
    await station?.device.close().catch(() => undefined);
  }
}
