/**
 * One place of a pool: the life of a device from opening to quarantine and back. Must stay true: a device that measures has
 * passed its health check since it was opened; whatever fails is counted, told, and answered by the next rung of the ladder
 * (escalation.ts); what a device measured just before it failed a check does not stand.
 */
import type { Board } from '../../boards/board.ts';
import { type Failure, failed, ok, type Result } from '../../compiler/result.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import type { MeasureResult } from '../types.ts';
import { type DeviceSource, type DeviceState, type Reason, untouched } from './device-state.ts';
import { isLasting, type Rung, remedyOf, rungAfter } from './escalation.ts';
import type { CheckHealth, Health } from './health.ts';
import { Identity } from './identity.ts';
import { linkErrors } from './link-errors.ts';
import { Station } from './runner.ts';

/** What all slots of a pool share. */
export interface SlotContext {
  readonly board: Board;
  readonly cacheDir: string;
  readonly check: CheckHealth;
  /** Trials between two checks of a device that does not fail. */
  readonly checkEvery: number;
  /** Whether a device with another firmware build than today's is used, with a warning. */
  readonly firmware: 'any' | 'same';
  readonly log: (message: string) => void;
  readonly restMs: (failures: number) => number;
  readonly quarantineMs: (looks: number) => number;
  readonly slots: () => readonly Slot[];
  /** It rested long enough, or came back from quarantine. */
  readonly ready: (slot: Slot) => void;
  /** Successful results that do not stand, and why. */
  readonly doubt: (results: readonly MeasureResult[], why: string) => void;
}

export class Slot {
  readonly source: DeviceSource;
  /** Changed by the pool, but for quarantine. */
  state: DeviceState['state'] = 'closed';
  /** Of the last failure. */
  reason: Reason | undefined;
  private readonly c: SlotContext;
  private view: DeviceState;
  private station: Station | undefined;
  private readonly identity = new Identity();
  /** Failures in a row. */
  private inARow = 0;
  /** Failed a check, and has not passed one behind trials since: such a device could pass at opening for ever. */
  private ill = false;
  private looks = 0;
  /** Set while it rests. */
  private rest: NodeJS.Timeout | undefined;
  /** The look at it in quarantine that is under way, or was last. */
  private looking: Promise<void> | undefined;
  /** Results since the last check. */
  private unchecked: MeasureResult[] = [];
  /** The build that it was given once: flash wears out, so that the same one is not put on it again and again. */
  private flashed: string | undefined;
  private over = false;

  constructor(source: DeviceSource, context: SlotContext) {
    this.source = source;
    this.c = context;
    this.view = untouched(source.name);
  }

  get resting(): boolean {
    return this.rest !== undefined;
  }
  get open(): boolean {
    return this.station !== undefined;
  }
  get shown(): DeviceState {
    const { code = null, detail = null } = this.reason ?? {};
    return { ...this.view, state: this.state, code, reason: detail };
  }

  /** The open, healthy device; undefined where that failed. */
  async ready(): Promise<Station | undefined> {
    if (this.station !== undefined) return this.station;
    const up = await this.bringUp(rungAfter(this.inARow));
    if (up.ok) this.station = up.value;
    else if (!this.over) this.failed(up.error);
    return this.station;
  }

  /** A broken link is code LINK; a result of a device that then failed its check does not stand: DEVICE_UNWELL. */
  async measure(station: Station, work: (station: Station) => Promise<MeasureResult>): Promise<Result<MeasureResult>> {
    this.view = { ...this.view, trials: this.view.trials + 1 };
    const done = await linkErrors('run', async () => ok(await work(station)));
    if (!done.ok) await this.lost(done.error);
    else if (done.value.status === 'failed' && done.value.code === 'LINK') await this.lost(done.value);
    else return this.vouchFor(station, done.value);
    return done;
  }

  /** Ends this slot's part in the pool: behind it the device's port is free. */
  async end(): Promise<void> {
    this.over = true;
    clearTimeout(this.rest);
    await this.close();
    await this.looking;
  }

  async close(): Promise<void> {
    const { station } = this;
    this.station = undefined;
    if (station !== undefined) await this.discard(station.device);
  }

  /** Checks the device if it is open and has measured anything since its last check. */
  async audit(): Promise<void> {
    if (this.station === undefined || this.unchecked.length === 0) return;
    const well = await this.examine(this.station.device);
    if (well.ok) this.recovered();
    else await this.unwell(well.error);
  }

  private async vouchFor(station: Station, value: MeasureResult): Promise<Result<MeasureResult>> {
    // A candidate that went wrong may have met a device that is.
    const odd = value.status === 'failed' && (value.stage === 'run' || value.stage === 'verify');
    const due = odd || this.unchecked.length + 1 >= this.c.checkEvery;
    if (due) {
      const well = await this.examine(station.device);
      if (!well.ok) {
        await this.unwell(well.error);
        const after = value.status === 'failed' ? `${value.code} (${value.detail}), then ` : '';
        return failed('run', 'DEVICE_UNWELL', `${after}${well.error.detail}`);
      }
    } else if (value.status === 'ok') this.unchecked.push(value);
    if (due || !this.ill) this.recovered();
    return ok(value);
  }
  private recovered(): void {
    this.ill = false;
    this.inARow = 0;
  }

  /** A passed check vouches for all that was measured before it. */
  private async examine(device: Device): Promise<Result<Health>> {
    const [id, build] = [this.view.uid ?? this.source.name, device.info.buildId];
    const found = await linkErrors('health', () => this.c.check(device, { id, build }));
    if (!found.ok) return found;
    this.view = { ...this.view, health: found.value };
    this.unchecked = [];
    return found;
  }

  private async unwell(why: Failure): Promise<void> {
    this.ill = true;
    await this.lost(why);
    this.withdraw(why);
  }
  private withdraw({ detail }: Reason): void {
    const suspects = this.unchecked;
    this.unchecked = [];
    this.view = { ...this.view, suspects: this.view.suspects + suspects.length };
    if (suspects.length === 0) return;
    this.c.log(`device ${this.source.name}: ${suspects.length} results since its last good check do not stand`);
    this.c.doubt(suspects, `${this.source.name}: ${detail}`);
  }

  /** Opens, identifies and examines the device, after what the rung says; nothing stays open where that fails. */
  private async bringUp(rung: Rung | undefined): Promise<Result<Station>> {
    if (rung !== undefined) await this.climb(rung);
    const opened = await this.openWithFirmware();
    if (!opened.ok) return opened;
    const device = opened.value;
    let kept = false;
    try {
      const station = await linkErrors('load', () => this.welcome(device, rung));
      kept = station.ok && !this.over;
      return kept || !station.ok ? station : failed('load', 'NO_DEVICE', 'the pool was closed');
    } finally {
      if (!kept) await this.discard(device);
    }
  }
  private async discard(device: Device): Promise<void> {
    this.identity.forget();
    await device.close().catch(() => undefined);
  }

  private async climb(rung: Rung): Promise<void> {
    const remedy = remedyOf(rung, this.source);
    if (rung !== 'reset' && remedy === undefined) return this.tried('retry');
    this.tried(rung);
    const done = await remedy?.();
    if (done?.ok === false) this.c.log(`device ${this.source.name}: ${rung} failed: ${done.error.detail}`);
  }
  private tried(rung: Rung): void {
    const { recoveries } = this.view;
    this.view = { ...this.view, recoveries: { ...recoveries, [rung]: recoveries[rung] + 1 } };
    this.c.log(`device ${this.source.name}: trying ${rung}`);
  }

  /** Opens it; where its firmware is not today's and can be replaced, replaces it and opens it again. */
  private async openWithFirmware(): Promise<Result<Device>> {
    const today = await this.source.build?.();
    const opened = await this.source.open();
    this.view = { ...this.view, warning: null };
    if (!opened.ok || today === undefined || opened.value.info.buildId === today) return opened;
    const is = `its firmware is build ${opened.value.info.buildId}, today's is ${today}`;
    if (opened.value.info.board === this.c.board.id && this.source.reflash !== undefined && this.flashed !== today) {
      this.c.log(`device ${this.source.name}: ${is}`);
      await opened.value.close();
      this.flashed = today;
      await this.climb('reflash');
      return this.openWithFirmware();
    }
    if (this.c.firmware === 'any') {
      this.view = { ...this.view, warning: `${is}: flash it anew` };
      return opened;
    }
    await opened.value.close();
    return failed('load', 'FIRMWARE_OUTDATED', `${this.source.name}: ${is}`);
  }

  private async welcome(device: Device, rung: Rung | undefined): Promise<Result<Station>> {
    const { info } = device;
    const { board, cacheDir } = this.c;
    if (info.board !== board.id)
      return failed('load', 'WRONG_BOARD', `${this.source.name} is a ${info.board}, not a ${board.id}`);
    if (rung === 'reset') await device.reset();
    const uid = await this.identify(device);
    if (!uid.ok) return uid;
    this.view = { ...this.view, uid: uid.value, firmware: info.buildId };
    const well = await this.examine(device);
    // It may have become wrong before it vanished. A link that breaks once more says nothing of that.
    if (!well.ok && well.error.stage === 'health' && well.error.code !== 'LINK') this.withdraw(well.error);
    return well.ok ? ok(new Station(device, uid.value, board, cacheDir, () => performance.now())) : well;
  }

  /** What stands for the device in records. One that is here by another path already is refused. */
  private async identify(device: Device): Promise<Result<string>> {
    if (this.source.id !== undefined) return ok(this.source.id);
    const others = this.c.slots().filter((s) => s !== this);
    const who = await this.identity.establish(
      device,
      others.map((s) => s.identity),
    );
    const { uid } = device.info;
    if ('namesakes' in who) return ok(who.namesakes === 0 ? uid : `${uid} at ${this.source.name}`);
    const other = others.find((s) => s.identity === who.same);
    // Its session is over: the device knows only the newest.
    if (other?.state === 'idle') await other.close();
    return failed(
      'load',
      'DEVICE_TWICE',
      `${this.source.name} is the same device as ${other?.source.name ?? 'another'}`,
    );
  }

  private async lost(reason: Reason): Promise<void> {
    await this.close();
    this.failed(reason);
  }

  /** Counts a failure: the device rests and is tried again, or is quarantined and looked at from time to time. */
  private failed({ code, detail }: Reason): void {
    this.inARow++;
    this.reason = { code, detail };
    this.view = { ...this.view, failures: this.view.failures + 1 };
    const last = rungAfter(this.inARow) === undefined || isLasting(code);
    if (last) this.state = 'quarantined';
    this.c.log(`device ${this.source.name}: ${detail}${last ? '; quarantined' : ''}`);
    if (this.over) return;
    if (last) this.lookLater();
    else this.after(this.c.restMs(this.inARow), () => this.c.ready(this));
  }

  private lookLater(): void {
    this.after(this.c.quarantineMs(this.looks), () => {
      this.looking = this.look();
    });
    // Nobody waits for it.
    this.rest?.unref();
  }
  private async look(): Promise<void> {
    // Nobody waits for this look: whatever goes wrong in it may only cost another one.
    const up = await this.bringUp('retry').catch((error: unknown) =>
      failed('load', 'DEVICE_UNREACHABLE', error instanceof Error ? error.message : String(error)),
    );
    if (up.ok) {
      this.station = up.value;
      this.state = 'idle';
      this.looks = 0;
      this.recovered();
      this.c.log(`device ${this.source.name}: well again, back from quarantine`);
      return this.c.ready(this);
    }
    this.looks++;
    this.reason = up.error;
    if (!this.over) this.lookLater();
  }

  private after(ms: number, then: () => void): void {
    this.rest = setTimeout(() => {
      this.rest = undefined;
      then();
    }, ms);
  }
}
