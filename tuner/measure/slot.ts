/**
 * One place of a pool: the life of a device from opening to quarantine and back. Must stay true: a device that measures has
 * passed its health check since it was opened; whatever fails is counted, told, and answered by the next rung of the ladder
 * (escalation.ts); what a device measured just before it failed a check does not stand; a device is opened by one at a time.
 */
import type { Board } from '../../boards/board.ts';
import { type Failure, failed, ok, type Result } from '../../compiler/result.ts';
import type { MeasureResult } from '../types.ts';
import { Admission, type AdmissionRules } from './admission.ts';
import {
  type DeviceEvent,
  type DeviceSource,
  type DeviceState,
  type Observer,
  type Quarantine,
  type Reason,
  untouched,
} from './device-state.ts';
import { type Rung, remedyOf } from './escalation.ts';
import { type AnyDevice, type AnyStation, stationOf } from './far.ts';
import type { CheckHealth } from './health.ts';
import { linkErrors } from './link-errors.ts';
import { Recovery, type Rests } from './recovery.ts';
import { Vouching } from './vouching.ts';

/** What all slots of a pool share. */
export interface SlotContext extends AdmissionRules, Rests {
  readonly board: Board;
  readonly cacheDir: string;
  readonly check: CheckHealth;
  /** Trials between two checks of a device that does not fail. */
  readonly checkEvery: number;
  readonly observe: Observer;
  readonly slots: () => readonly Slot[];
  /** It may be able to work now, or be none that does any more. */
  readonly changed: () => void;
  /** Successful results that do not stand, and why. */
  readonly doubt: (results: readonly MeasureResult[], why: string) => void;
}
/** What somebody wants of a device: no more work, until it is released. */
type Retired = 'drained' | Pick<Quarantine, 'reason' | 'at'>;

export class Slot {
  readonly source: DeviceSource;
  readonly admission: Admission;
  private readonly vouching: Vouching;
  private readonly recovery: Recovery;
  private readonly c: SlotContext;
  private view: DeviceState;
  private station: AnyStation | undefined;
  /** In somebody's hands: a trial's, or whoever opens, checks or closes it. */
  private lent = false;
  /** For whom it is at work. */
  private client: string | null = null;
  private retired: Retired | undefined;
  /** The look at it in quarantine that is under way. */
  private looking: Promise<void> | undefined;
  /** Its device was taken from whoever had it: what breaks is no failure. */
  private taken = false;
  /** It was unplugged while it was in somebody's hands, who may find out when it is plugged in again. */
  private pulled = false;
  private over = false;

  constructor(source: DeviceSource, context: SlotContext) {
    this.source = source;
    this.c = context;
    this.admission = new Admission(source, context, () => this.climb('reflash'));
    this.vouching = new Vouching(context.check);
    this.recovery = new Recovery(context, { rested: context.changed, look: () => this.startLook() });
    this.view = untouched(source.name, this.stamp(context.now()));
  }

  get state(): DeviceState['state'] {
    if (this.lent) return 'busy';
    if (this.recovery.ailment !== undefined) return this.recovery.ailment;
    if (typeof this.retired === 'object') return 'quarantined';
    return this.station === undefined ? 'closed' : 'idle';
  }
  get busy(): boolean {
    return this.lent;
  }
  /** Part of what the pool counts on, now or after a rest. */
  get serving(): boolean {
    return this.recovery.ailment === undefined && this.retired === undefined && !this.over;
  }
  get idle(): boolean {
    return this.serving && !this.lent && this.station !== undefined;
  }
  /** Closed, and nothing speaks against opening it. */
  get openable(): boolean {
    return (
      this.serving && !this.lent && this.station === undefined && this.recovery.until === undefined && !this.looking
    );
  }
  /** Has measured since its last check. */
  get unvouched(): boolean {
    return this.station !== undefined && this.vouching.owed > 0;
  }
  /** It should not be open any more. */
  get leaving(): boolean {
    return this.retired !== undefined && this.station !== undefined;
  }
  /** Of the last failure. */
  get reason(): Reason | undefined {
    return this.recovery.reason;
  }
  /** Why it does not work. */
  get whyNot(): string {
    if (typeof this.retired === 'object') return `quarantined: ${this.retired.reason}`;
    return this.retired === 'drained' ? 'drained' : (this.reason?.detail ?? 'not available');
  }
  get since(): string {
    return this.view.since;
  }
  get shown(): DeviceState {
    const { code = null, detail = null } = this.reason ?? {};
    const draining = this.retired === 'drained';
    const { warning } = this.admission;
    const { health, suspects } = this.vouching;
    const { failures } = this.recovery;
    const own = { state: this.state, draining, quarantine: this.quarantine, warning, health, suspects, failures };
    return { ...this.view, ...own, code, reason: detail };
  }
  private get quarantine(): Quarantine | null {
    if (typeof this.retired === 'object') return { ...this.retired, by: 'user', until: null };
    if (this.recovery.ailment !== 'quarantined') return null;
    const until = this.recovery.until === undefined ? null : this.stamp(this.recovery.until);
    return { reason: this.reason?.detail ?? '', at: this.since, by: 'farm', until };
  }

  /** Into somebody's hands, until it is given back. */
  lend(client: string | null): void {
    this.lent = true;
    this.client = client;
    this.taken = false;
    this.pulled = false;
    this.mark();
  }
  giveBack(): void {
    this.lent = false;
    this.client = null;
    this.mark();
  }

  /** Opens it after what the ladder says, in the hands of whoever borrowed it. What goes wrong is told as everything that fails. */
  async bringUp(): Promise<void> {
    const { rung } = this.recovery;
    const up = await this.admit(rung);
    if (up.ok) this.isUp(up.value, rung === undefined ? undefined : `by ${rung}`);
    else await this.fell(up.error);
  }

  /** A broken link is code LINK; a result of a device that then failed its check does not stand: DEVICE_UNWELL. */
  async measure(work: (station: AnyStation) => Promise<MeasureResult>): Promise<Result<MeasureResult>> {
    const { station } = this;
    if (station === undefined) throw new Error(`${this.source.name} was lent although it is closed`);
    this.view = { ...this.view, trials: this.view.trials + 1 };
    const done = await linkErrors('run', async () => ok(await work(station)));
    if (!done.ok) await this.lost(done.error);
    else if (done.value.status === 'failed' && done.value.code === 'LINK') await this.lost(done.value);
    else return this.vouchFor(station, done.value);
    return done;
  }

  /** Takes the device from whoever measures on it: that trial ends with LINK. */
  async takeBack(): Promise<void> {
    this.taken = true;
    await this.close();
  }

  /** Nobody's any more: behind it the device's port is free. */
  async end(): Promise<void> {
    this.over = true;
    this.recovery.getUp();
    await this.close();
    await this.looking;
  }

  async close(): Promise<void> {
    const { station } = this;
    this.station = undefined;
    if (station === undefined) return;
    await this.discard(station.device);
    this.tell('closed', '');
    this.mark();
  }

  /** Checks the device if it is open and has measured anything since its last check. */
  async audit(): Promise<void> {
    if (this.station === undefined || this.vouching.owed === 0) return;
    const well = await this.examine(this.station.device);
    if (well.ok) this.recovery.worked('checked');
    else await this.unwell(well.error);
  }

  /** Vouches for what was measured last, then closes: it is in nobody's way now. */
  async stepOut(): Promise<void> {
    await this.audit().finally(() => this.close());
  }

  /** No more work for it; what it is at is its last. */
  retire(how: Retired): void {
    this.retired = how;
    // Only somebody can bring it back now.
    if (typeof how === 'object') this.recovery.getUp();
    this.mark();
  }
  /** Back to work: it is opened and checked as if it were new. */
  release(): void {
    this.retired = undefined;
    this.recovery.isWell();
    this.mark();
    this.c.changed();
  }
  /** Somebody thinks that it is back. */
  wake(): void {
    if (this.recovery.ailment === undefined || typeof this.retired === 'object' || this.looking || this.over) return;
    this.recovery.getUp();
    this.startLook();
  }

  /** Nothing is plugged in where it was. A trial that is at it finds out by itself. */
  unplug(): void {
    this.pulled = this.lent;
    if (this.lent || !this.serving) return;
    void this.close();
    this.vanished({ code: 'DEVICE_UNREACHABLE', detail: 'unplugged' });
  }

  private async vouchFor(station: AnyStation, value: MeasureResult): Promise<Result<MeasureResult>> {
    // A candidate that went wrong may have met a device that is.
    const odd = value.status === 'failed' && (value.stage === 'run' || value.stage === 'verify');
    const due = odd || this.vouching.owed + 1 >= this.c.checkEvery;
    if (due) {
      const well = await this.examine(station.device);
      if (!well.ok) {
        await this.unwell(well.error);
        const after = value.status === 'failed' ? `${value.code} (${value.detail}), then ` : '';
        return failed('run', 'DEVICE_UNWELL', `${after}${well.error.detail}`);
      }
    } else if (value.status === 'ok') this.vouching.measured(value);
    this.recovery.worked(due ? 'checked' : 'unchecked');
    return ok(value);
  }

  private async examine(device: AnyDevice): Promise<Result<unknown>> {
    const [id, build] = [this.view.uid ?? this.source.name, device.info.buildId];
    const found = await this.vouching.examine(device, { id, build });
    if (found.ok && found.value.news) this.tell('checked', `counts ${found.value.health.count}`);
    return found;
  }

  private async unwell(why: Failure): Promise<void> {
    // A link that was cut from here says nothing of what was measured: the next check will.
    const cut = why.code === 'LINK' && (this.taken || this.over);
    if (!cut) this.recovery.failedCheck();
    await this.lost(why);
    if (!cut) this.withdraw(why);
  }
  private withdraw({ detail }: Reason): void {
    const suspects = this.vouching.withdraw();
    if (suspects.length === 0) return;
    this.c.log(`device ${this.source.name}: ${suspects.length} results since its last good check do not stand`);
    this.c.doubt(suspects, `${this.source.name}: ${detail}`);
  }

  /** Opens, identifies and examines the device, after what the rung says; nothing stays open where that fails. */
  private async admit(rung: Rung | undefined): Promise<Result<AnyStation>> {
    if (rung !== undefined) await this.climb(rung);
    const opened = await this.admission.open();
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
  private async discard(device: AnyDevice): Promise<void> {
    this.admission.forget();
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

  private async welcome(device: AnyDevice, rung: Rung | undefined): Promise<Result<AnyStation>> {
    const { board, cacheDir } = this.c;
    const mine = this.admission.checkBoard(device);
    if (!mine.ok) return mine;
    if (rung === 'reset') await device.reset();
    const uid = await this.admission.identify(
      device,
      this.c.slots().filter((s) => s !== this),
    );
    if (!uid.ok) return uid;
    this.view = { ...this.view, uid: uid.value, firmware: device.info.buildId };
    const well = await this.examine(device);
    // It may have become wrong before it vanished. A link that breaks once more says nothing of that.
    if (!well.ok && well.error.stage === 'health' && well.error.code !== 'LINK') this.withdraw(well.error);
    return well.ok ? ok(stationOf(device, uid.value, board, cacheDir)) : well;
  }

  private isUp(station: AnyStation, how: string | undefined): void {
    this.station = station;
    this.tell('opened', `firmware ${station.device.info.buildId}`);
    if (how !== undefined) this.tell('recovered', how);
    this.mark();
  }

  private async lost(reason: Failure | (MeasureResult & { readonly status: 'failed' })): Promise<void> {
    await this.close();
    if (!this.taken) await this.fell(reason);
  }
  private async fell(reason: Reason & { readonly stage: string }): Promise<void> {
    if (this.over) return;
    if (this.pulled || (await this.source.absent?.()) === true) this.vanished(reason);
    else this.failed(reason);
  }

  /** Its source told of it. */
  private vanished(reason: Reason): void {
    this.recovery.vanished(reason);
    this.mark();
    this.c.changed();
  }
  private failed(reason: Reason & { readonly stage: string }): void {
    const { code, detail, stage } = reason;
    const last = this.recovery.failed(reason);
    this.tell(stage === 'health' ? 'unwell' : 'failed', `${code}: ${detail}`);
    this.c.log(`device ${this.source.name}: ${detail}${last ? '; quarantined' : ''}`);
    if (!last) return;
    this.tell('quarantined', detail);
    this.c.changed();
  }

  private startLook(): void {
    this.looking = this.look().finally(() => {
      this.looking = undefined;
      this.mark();
      this.c.changed();
    });
  }
  private async look(): Promise<void> {
    const wasUnplugged = this.recovery.ailment === 'unplugged';
    // Nobody waits for this look: whatever goes wrong in it may only cost another one.
    const up = await this.admit(wasUnplugged ? undefined : 'retry').catch((error: unknown) =>
      failed('load', 'DEVICE_UNREACHABLE', error instanceof Error ? error.message : String(error)),
    );
    // Somebody released it meanwhile, or quarantined it: it is opened anew when it is wanted.
    const wanted = this.recovery.ailment !== undefined && typeof this.retired !== 'object';
    if (up.ok && !wanted) return this.discard(up.value.device);
    if (up.ok) {
      this.recovery.isWell();
      this.isUp(up.value, wasUnplugged ? undefined : 'by a look in quarantine');
      if (!wasUnplugged) this.c.log(`device ${this.source.name}: well again, back from quarantine`);
      return;
    }
    if (!this.over && wanted) this.recovery.stillUnwell(up.error);
  }

  private tell(event: DeviceEvent, detail: string): void {
    this.c.observe.event(this.source.name, event, detail, this.client);
  }
  private stamp(ms: number): string {
    return new Date(ms).toISOString();
  }
  /** Notes since when it is in its state. */
  private mark(): void {
    if (this.view.state !== this.state)
      this.view = { ...this.view, state: this.state, since: this.stamp(this.c.now()) };
  }
}
