/**
 * The devices of one board, lent to one trial at a time, in fair turns where several jobs want them. Each is opened on demand
 * and lives as slot.ts says: one that fails rests and is tried again, and is quarantined when nothing helps. Must stay true:
 * whoever waits gets a device as soon as one works, however long none does; a trial whose device vanished or turned out to be
 * unwell is told so, and may be tried again on another.
 */
import type { Board } from '../../boards/board.ts';
import type { Failure, Result } from '../../compiler/result.ts';
import { type Client, FairTurns } from '../fair-turns.ts';
import type { MeasureResult } from '../types.ts';
import type { DeviceSource, DeviceState, Observer, Reason } from './device-state.ts';
import { quarantineRest, restAfter } from './escalation.ts';
import type { AnyStation } from './far.ts';
import { Baselines, type CheckHealth, healthCheck } from './health.ts';
import { Slot, type SlotContext } from './slot.ts';

export type { DeviceEvent, DeviceSource, DeviceState, Observer } from './device-state.ts';

export interface PoolOptions {
  readonly log?: (message: string) => void;
  readonly observe?: Observer;
  readonly restMs?: (failures: number) => number;
  readonly quarantineMs?: (looks: number) => number;
  /** Milliseconds that a trial may go on whose caller was told to stop; then its device is taken from it. */
  readonly graceMs?: number;
  /** The board's known kernel, unless given. */
  readonly check?: CheckHealth;
  /** Trials between two health checks of a device that does not fail. */
  readonly checkEvery?: number;
  /** Devices whose firmware is not today's: used with a warning (`any`), or not (`same`). */
  readonly firmware?: SlotContext['firmware'];
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Hears of successful results that do not stand: their device failed the check that came next. */
export type DoubtListener = (results: readonly MeasureResult[], why: string) => void;
/** That no device works, since when, and why. */
export interface Gone extends Reason {
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** A check costs about as much as a small trial: a few per cent of the time. */
const usualCheckEvery = 50;
const usualGraceMs = 2000;
/** Whoever does not say who it is. */
const anybody: Client = { id: '', weight: 1 };
const unobserved: Observer = { event: () => undefined, used: () => undefined };

/** Whoever waits for a device; undefined tells that there will be none. */
interface Waiter {
  readonly client: Client;
  give(slot: Slot | undefined): void;
  fail(error: unknown): void;
}

export class DevicePool {
  private slots: readonly Slot[] = [];
  private readonly board: Board;
  private readonly context: SlotContext;
  private readonly graceMs: number;
  private readonly turns = new FairTurns<Waiter>();
  /** Those that want a device for themselves: they come first, being few. */
  private readonly alone: Waiter[] = [];
  /** Those that want one certain device when it is given back. */
  private readonly claims = new Map<Slot, (() => void)[]>();
  private readonly opening = new Set<Promise<void>>();
  private readonly doubtListeners = new Set<DoubtListener>();
  /** Since when it has no device at all. */
  private emptySince: number;
  private closing = false;

  constructor(board: Board, sources: readonly DeviceSource[], cacheDir: string, options: PoolOptions = {}) {
    this.board = board;
    this.graceMs = options.graceMs ?? usualGraceMs;
    this.context = {
      board,
      cacheDir,
      check: options.check ?? healthCheck(board, cacheDir, new Baselines()),
      checkEvery: options.checkEvery ?? usualCheckEvery,
      firmware: options.firmware ?? 'any',
      log: options.log ?? (() => undefined),
      observe: options.observe ?? unobserved,
      restMs: options.restMs ?? restAfter,
      quarantineMs: options.quarantineMs ?? quarantineRest,
      now: options.now ?? Date.now,
      slots: () => this.slots,
      changed: () => this.dispatch(),
      doubt: (results, why) => {
        for (const listener of this.doubtListeners) listener(results, why);
      },
    };
    this.emptySince = this.context.now();
    for (const source of sources) this.add(source);
  }

  /** Devices that work, or may soon; at least those that are there where none does. */
  get size(): number {
    const serving = this.slots.filter((s) => s.serving).length;
    return serving > 0 ? serving : this.slots.length;
  }
  states(): readonly DeviceState[] {
    return this.slots.map((s) => s.shown);
  }
  /** Undefined where there is no such device. */
  state(name: string): DeviceState | undefined {
    return this.slot(name)?.shown;
  }
  /** Listens until the returned function is called. */
  onDoubt(listener: DoubtListener): () => void {
    this.doubtListeners.add(listener);
    return () => void this.doubtListeners.delete(listener);
  }

  /** Since when no device works and why; undefined while any does. */
  get gone(): Gone | undefined {
    if (this.slots.some((s) => s.serving)) return undefined;
    const { code, detail } = this.allGone();
    const [since = new Date(this.emptySince).toISOString()] = this.slots
      .map((s) => s.since)
      .sort()
      .reverse();
    return { since, code, detail };
  }

  /**
   * Measures on a device; waits while there is none, in turn with other clients. A link that broke, inside a call or between
   * two, closes the device and is a value here of code LINK; a device that failed its health check behind the trial is
   * DEVICE_UNWELL. Any other failure means that the pool was closed, or that `signal` was heard before it began; where it is
   * heard later the trial loses its device after a grace. Other errors are thrown.
   */
  async use(
    work: (station: AnyStation) => Promise<MeasureResult>,
    client: Client = anybody,
    signal?: AbortSignal,
  ): Promise<Result<MeasureResult>> {
    const slot = await this.wait(client, signal, (waiter) => this.turns.add(client, waiter));
    if (slot === undefined) return { ok: false, error: this.allGone() };
    const from = this.context.now();
    const callOff = afterAbort(signal, this.graceMs, () => void slot.takeBack());
    let outcome: 'ok' | 'failed' = 'failed';
    try {
      const done = await slot.measure(work);
      if (done.ok) outcome = done.value.status;
      return done;
    } finally {
      callOff();
      // Clocks of the day are set back at times.
      const to = Math.max(from, this.context.now());
      this.turns.charge(client, to - from);
      this.context.observe.used(slot.source.name, from, to, outcome);
      this.giveBack(slot);
    }
  }

  /**
   * `work` with a device that nobody else uses and that is closed: its port is free, and what is on it may be replaced. Waits for
   * one of this host that works. Undefined where the pool was closed or `signal` was heard before it began.
   */
  async exclusively<T>(work: (source: DeviceSource) => Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
    const slot = await this.wait(anybody, signal, (waiter) => this.alone.push(waiter));
    if (slot === undefined) return undefined;
    try {
      await slot.stepOut();
      return await work(slot.source);
    } finally {
      slot.admission.forgetFirmware();
      this.giveBack(slot);
    }
  }

  /** Checks every device that measured anything since its last check, so that this is vouched for or doubted as well. */
  async audit(): Promise<void> {
    const unvouched = this.slots.filter((s) => s.unvouched);
    await Promise.all(unvouched.map((slot) => this.holding(slot, () => slot.audit())));
  }

  /** A device more; whoever waits may get it. */
  add(source: DeviceSource): void {
    this.slots = [...this.slots, new Slot(source, this.context)];
    this.dispatch();
  }
  /** A device less, if it is not at work: whether it is gone. */
  async remove(name: string): Promise<boolean> {
    const slot = this.slot(name);
    if (slot === undefined) return true;
    if (slot.busy) return false;
    this.slots = this.slots.filter((s) => s !== slot);
    this.emptySince = this.context.now();
    await slot.end();
    return true;
  }
  /** Lets a device end what it is at and gives it nothing new. */
  drain(name: string): void {
    this.retire(name, 'drained');
  }
  /** The same, for a reason: `at` is when somebody said so. */
  quarantine(name: string, reason: string, at: string): void {
    this.retire(name, { reason, at });
  }
  /** Ends a quarantine, whosever, or a drain: the device is opened and checked when it is wanted. */
  release(name: string): void {
    this.slot(name)?.release();
  }
  /** Nothing is plugged in where it was. */
  unplugged(name: string): void {
    this.slot(name)?.unplug();
  }
  /** A device that was quarantined or unplugged may be back: it is looked at now. */
  wake(name: string): void {
    this.slot(name)?.wake();
  }

  /** Ends the pool: open devices are closed, whoever waits is told that there is none. */
  async closeAll(): Promise<void> {
    this.closing = true;
    for (const waiter of this.alone.splice(0)) waiter.give(undefined);
    for (let waiter = this.turns.next(); waiter !== undefined; waiter = this.turns.next()) waiter.give(undefined);
    await Promise.all(this.slots.map((s) => s.end()));
    await Promise.all(this.opening);
  }

  private slot(name: string): Slot | undefined {
    return this.slots.find((s) => s.source.name === name);
  }
  private retire(name: string, how: Parameters<Slot['retire']>[0]): void {
    this.slot(name)?.retire(how);
    this.dispatch();
  }

  /** Why there is none: the reason that all have in common, or NO_DEVICE with the reason of each. */
  private allGone(): Failure {
    const reasons = this.slots.map((s) => `${s.source.name}: ${s.whyNot}`);
    const [code, ...others] = new Set(this.slots.map((s) => s.reason?.code));
    return {
      stage: 'load',
      code: code === undefined || code === 'LINK' || others.length > 0 ? 'NO_DEVICE' : code,
      detail: reasons.length > 0 ? `no device left. ${reasons.join('; ')}` : `no device of ${this.board.id}`,
    };
  }

  /** Until `enqueue` has come to its turn; undefined where that will not be. */
  private wait(
    client: Client,
    signal: AbortSignal | undefined,
    enqueue: (waiter: Waiter) => void,
  ): Promise<Slot | undefined> {
    if (this.closing || signal?.aborted === true) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.forget(waiter);
        resolve(undefined);
      };
      const heard = (): void => signal?.removeEventListener('abort', stop);
      const waiter: Waiter = {
        client,
        give: (slot) => {
          heard();
          resolve(slot);
        },
        fail: (error) => {
          heard();
          reject(error);
        },
      };
      signal?.addEventListener('abort', stop);
      enqueue(waiter);
      this.dispatch();
    });
  }
  private forget(waiter: Waiter): void {
    this.turns.remove(waiter);
    const at = this.alone.indexOf(waiter);
    if (at >= 0) this.alone.splice(at, 1);
  }

  /** Whoever may go on does: devices that leave are closed, free ones are lent, and as many are opened as others wait for. */
  private dispatch(): void {
    if (this.closing) return;
    for (const slot of this.slots) if (slot.leaving && !slot.busy) this.letGo(slot);
    for (const slot of this.slots)
      if ((slot.idle || slot.openable) && slot.source.far === undefined) this.lend(slot, this.alone.shift());
    for (const slot of this.slots) if (slot.idle) this.lend(slot, this.turns.next());
    for (const slot of this.slots)
      if (slot.openable && this.turns.waiting > this.opening.size) this.inHand(slot, () => slot.bringUp());
  }
  private lend(slot: Slot, waiter: Waiter | undefined): void {
    if (waiter === undefined) return;
    slot.lend(waiter.client.id === '' ? null : waiter.client.id);
    waiter.give(slot);
  }
  private letGo(slot: Slot): void {
    this.inHand(slot, () => slot.stepOut());
  }

  /** Work of the pool's own on a device. An error of this program is whoever's who waits for a device. */
  private inHand(slot: Slot, work: () => Promise<void>): void {
    slot.lend(null);
    const done: Promise<void> = work()
      .catch((error: unknown) => this.failNext(error))
      .finally(() => {
        this.opening.delete(done);
        this.giveBack(slot);
      });
    this.opening.add(done);
  }
  private failNext(error: unknown): void {
    const waiter = this.turns.next();
    if (waiter === undefined) this.context.log(error instanceof Error ? error.message : String(error));
    else {
      this.turns.charge(waiter.client, 0);
      waiter.fail(error);
    }
  }

  /** `work` on this device as soon as nobody has it. */
  private async holding(slot: Slot, work: () => Promise<void>): Promise<void> {
    if (slot.busy)
      await new Promise<void>((resolve) => this.claims.set(slot, [...(this.claims.get(slot) ?? []), resolve]));
    else slot.lend(null);
    await work().finally(() => this.giveBack(slot));
  }

  /** To whoever wants this one, then to whoever waits for any. */
  private giveBack(slot: Slot): void {
    const [claim, ...others] = this.claims.get(slot) ?? [];
    if (others.length > 0) this.claims.set(slot, others);
    else this.claims.delete(slot);
    if (claim !== undefined) return claim();
    slot.giveBack();
    this.dispatch();
  }
}

/** Calls `late` so many milliseconds after an abort. The returned function calls that off. */
function afterAbort(signal: AbortSignal | undefined, ms: number, late: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(late, ms);
  };
  signal?.addEventListener('abort', onAbort);
  return () => {
    signal?.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  };
}
