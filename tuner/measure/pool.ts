/**
 * The devices of one board, lent to one trial at a time. Each is opened on demand and lives as slot.ts says: one that fails
 * rests and is tried again, and is quarantined when nothing helps. A trial whose device vanished or turned out to be unwell is
 * told so, and may be tried again on another.
 */
import type { Board } from '../../boards/board.ts';
import type { Failure, Result } from '../../compiler/result.ts';
import type { MeasureResult } from '../types.ts';
import type { DeviceSource, DeviceState } from './device-state.ts';
import { quarantineRest, restAfter } from './escalation.ts';
import { Baselines, type CheckHealth, healthCheck } from './health.ts';
import type { Station } from './runner.ts';
import { Slot, type SlotContext } from './slot.ts';

export type { DeviceSource, DeviceState } from './device-state.ts';

export interface PoolOptions {
  readonly log?: (message: string) => void;
  readonly restMs?: (failures: number) => number;
  readonly quarantineMs?: (looks: number) => number;
  /** The board's known kernel, unless given. */
  readonly check?: CheckHealth;
  /** Trials between two health checks of a device that does not fail. */
  readonly checkEvery?: number;
  /** Devices whose firmware is not today's: used with a warning (`any`), or not (`same`). */
  readonly firmware?: SlotContext['firmware'];
}

/** Hears of successful results that do not stand: their device failed the check that came next. */
export type DoubtListener = (results: readonly MeasureResult[], why: string) => void;

/** A check costs about as much as a small trial: a few per cent of the time. */
const usualCheckEvery = 50;

export class DevicePool {
  private readonly slots: readonly Slot[];
  private readonly board: Board;
  private readonly waiting: ((slot: Slot | undefined) => void)[] = [];
  private readonly doubtListeners: DoubtListener[] = [];
  private closing = false;

  constructor(board: Board, sources: readonly DeviceSource[], cacheDir: string, options: PoolOptions = {}) {
    this.board = board;
    const context: SlotContext = {
      board,
      cacheDir,
      check: options.check ?? healthCheck(board, cacheDir, new Baselines()),
      checkEvery: options.checkEvery ?? usualCheckEvery,
      firmware: options.firmware ?? 'any',
      log: options.log ?? (() => undefined),
      restMs: options.restMs ?? restAfter,
      quarantineMs: options.quarantineMs ?? quarantineRest,
      slots: () => this.slots,
      ready: (slot) => {
        if (slot.state !== 'busy') this.release(slot);
      },
      doubt: (results, why) => {
        for (const listener of this.doubtListeners) listener(results, why);
      },
    };
    this.slots = sources.map((source) => new Slot(source, context));
  }

  get size(): number {
    return this.slots.length;
  }
  states(): readonly DeviceState[] {
    return this.slots.map((s) => s.shown);
  }
  onDoubt(listener: DoubtListener): void {
    this.doubtListeners.push(listener);
  }

  /**
   * Measures on a device; waits while none can be opened. A link that broke, inside a call or between two, closes the device
   * and is a value here of code LINK; a device that failed its health check behind the trial is DEVICE_UNWELL. Any other
   * failure means that no device is left. Other errors are thrown.
   */
  async use(work: (station: Station) => Promise<MeasureResult>): Promise<Result<MeasureResult>> {
    for (;;) {
      const slot = await this.acquire();
      if (slot === undefined) return { ok: false, error: this.allGone() };
      try {
        const station = await slot.ready();
        if (station !== undefined) return await slot.measure(station, work);
      } finally {
        this.release(slot);
      }
    }
  }

  /** Checks every idle device, so that what was measured last is vouched for or doubted as well. */
  async audit(): Promise<void> {
    await Promise.all(
      this.slots
        .filter((s) => s.state === 'idle')
        .map(async (slot) => {
          slot.state = 'busy';
          await slot.audit().finally(() => this.release(slot));
        }),
    );
  }

  /** Ends the pool: open devices are closed, whoever waits is told that there is none. */
  async closeAll(): Promise<void> {
    this.closing = true;
    for (const next of this.waiting.splice(0)) next(undefined);
    await Promise.all(this.slots.map((s) => s.end()));
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
      this.slots.find((s) => s.state === 'idle') ?? this.slots.find((s) => s.state === 'closed' && !s.resting);
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
    const next = slot.resting ? undefined : this.waiting.shift();
    slot.state = next !== undefined ? 'busy' : slot.open ? 'idle' : 'closed';
    next?.(slot);
  }
}
