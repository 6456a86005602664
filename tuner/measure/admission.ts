/**
 * How a device is let in: opened, given the firmware of today where that can be done, and asked who it is. Must stay true:
 * a device of another board, or one that is here by another path already, does not get in; a refused one is not left open.
 */
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { DeviceSource } from './device-state.ts';
import { type AnyDevice, isFar } from './far.ts';
import { Identity } from './identity.ts';

export interface AdmissionRules {
  readonly board: { readonly id: string };
  /** Whether a device with another firmware build than today's is used, with a warning. */
  readonly firmware: 'any' | 'same';
  readonly log: (message: string) => void;
}
/** Another place of the pool, as far as it matters who else is here. */
export interface Neighbour {
  readonly source: DeviceSource;
  readonly admission: Admission;
  readonly state: string;
  close(): Promise<void>;
}

export class Admission {
  /** What is not as it should be with the device that is open. */
  warning: string | null = null;
  readonly identity = new Identity();
  private readonly source: DeviceSource;
  private readonly rules: AdmissionRules;
  private readonly reflash: () => Promise<void>;
  /** The build that it was given once: flash wears out, so that the same one is not put on it again and again. */
  private flashed: string | undefined;

  constructor(source: DeviceSource, rules: AdmissionRules, reflash: () => Promise<void>) {
    this.source = source;
    this.rules = rules;
    this.reflash = reflash;
  }

  /** Opens it; where its firmware is not today's and can be replaced, replaces it and opens it again. */
  async open(): Promise<Result<AnyDevice>> {
    const today = await this.source.build?.();
    const opened = await this.source.open();
    this.warning = null;
    if (!opened.ok || today === undefined || opened.value.info.buildId === today) return opened;
    const is = `its firmware is build ${opened.value.info.buildId}, today's is ${today}`;
    if (opened.value.info.board === this.rules.board.id && this.source.reflash && this.flashed !== today) {
      this.rules.log(`device ${this.source.name}: ${is}`);
      await opened.value.close();
      this.flashed = today;
      await this.reflash();
      return this.open();
    }
    if (this.rules.firmware === 'any') {
      this.warning = `${is}: flash it anew`;
      return opened;
    }
    await opened.value.close();
    return failed('load', 'FIRMWARE_OUTDATED', `${this.source.name}: ${is}`);
  }

  /** Failure: WRONG_BOARD. Nothing is sent to a stranger. */
  checkBoard({ info }: AnyDevice): Result<void> {
    const { name } = this.source;
    if (info.board === this.rules.board.id) return ok(undefined);
    return failed('load', 'WRONG_BOARD', `${name} is a ${info.board}, not a ${this.rules.board.id}`);
  }

  /** What stands for the device in records. Failure: DEVICE_TWICE. */
  async identify(device: AnyDevice, others: readonly Neighbour[]): Promise<Result<string>> {
    const { uid } = device.info;
    const { name, id } = this.source;
    if (id !== undefined || isFar(device)) return ok(id ?? name);
    const who = await this.identity.establish(
      device,
      others.map((o) => o.admission.identity),
    );
    if ('namesakes' in who) return ok(who.namesakes === 0 ? uid : `${uid} at ${name}`);
    const other = others.find((o) => o.admission.identity === who.same);
    // Its session is over: the device knows only the newest.
    if (other?.state === 'idle') await other.close();
    return failed('load', 'DEVICE_TWICE', `${name} is the same device as ${other?.source.name ?? 'another'}`);
  }

  /** It was closed. */
  forget(): void {
    this.identity.forget();
  }
  /** Somebody else may have put firmware on it. */
  forgetFirmware(): void {
    this.flashed = undefined;
  }
}
