/**
 * Devices that somebody attached, as sources of the pool. Must stay true: a device is found again by its uid when it is plugged
 * in elsewhere, and no address is ever opened for two of them.
 */
import type { BuiltFirmware } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import { attach } from '../firmware-rpc/host/attach.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { answering, askAll } from '../firmware-rpc/host/discover.ts';
import type { LinkOptions } from '../firmware-rpc/host/link.ts';
import { run } from '../toolchain/index.ts';
import type { DeviceSource } from '../tuner/measure/pool.ts';

/** A device that somebody attached. */
export interface AttachedDevice {
  readonly board: string;
  /** Path of a serial port, or HOST:PORT. */
  readonly address: string;
}
/** Puts firmware on a real board: what `microtune firmware` does. */
export interface Flasher {
  build(): Promise<Result<BuiltFirmware>>;
  flash(firmware: BuiltFirmware, address: string): Promise<Result<void>>;
}
export interface AttachedOptions {
  /** Addresses where a device may be that has moved. */
  readonly ports: () => Promise<readonly string[]>;
  /** Where the other attached devices are. */
  readonly taken: () => readonly string[];
  /** Firmware of today, to compare with. */
  readonly firmware: () => Promise<Result<BuiltFirmware>>;
  /** Undefined for a board that names no way to flash it. */
  readonly flash: Flasher['flash'] | undefined;
  /** Shell command that takes the device's power away for a moment; its first argument is the address. */
  readonly powerCycle: string | undefined;
  /** Where a GDB server listens that may reach the device: for bulk data. */
  readonly probeAt?: string | undefined;
  readonly link?: LinkOptions;
  readonly log: (message: string) => void;
}

/** A command that switches a port of a hub takes a few seconds; one that hangs must not hold up the device for ever. */
const powerLimits = { timeMs: 30_000, memoryMiB: 2048 };

export class AttachedSource implements DeviceSource {
  readonly name: string;
  readonly board: string;
  readonly reflash?: () => Promise<Result<void>>;
  readonly powerCycle?: () => Promise<Result<void>>;
  private readonly o: AttachedOptions;
  private at: string;
  private known: string | undefined;

  constructor({ board, address }: AttachedDevice, options: AttachedOptions) {
    this.name = address;
    this.board = board;
    this.at = address;
    this.o = options;
    const { flash, powerCycle } = options;
    if (flash !== undefined) this.reflash = () => this.flashWith(flash);
    if (powerCycle !== undefined) this.powerCycle = () => this.cycle(powerCycle);
  }

  /** Where it was last. */
  get address(): string {
    return this.at;
  }
  /** Its own, once it has answered. */
  get uid(): string | undefined {
    return this.known;
  }

  /** At its address; where that is gone or another device is there, wherever the one that is known by its uid answers now. */
  async open(): Promise<Result<Device>> {
    const here = await this.attachAt(this.at);
    if (here.ok && (this.uid === undefined || here.value.info.uid === this.uid)) return this.opened(here.value);
    const moved = this.uid === undefined ? undefined : await this.elsewhere(this.uid);
    if (moved !== undefined && here.ok) await here.value.close();
    if (moved !== undefined) {
      this.o.log(`device ${this.name} is at ${moved} now`);
      this.at = moved;
      const there = await this.attachAt(moved);
      return there.ok ? this.opened(there.value) : there;
    }
    return here.ok ? this.opened(here.value) : here;
  }

  async build(): Promise<string | undefined> {
    const firmware = await this.o.firmware();
    return firmware.ok ? firmware.value.buildId : undefined;
  }

  private attachAt(address: string): Promise<Result<Device>> {
    const { link, probeAt, log } = this.o;
    const probeLost = (reason: string): void => log(`device ${this.name}: all goes over its link: ${reason}`);
    return attach(address, { ...link, ...(probeAt !== undefined && { probeAt, probeLost }) });
  }
  private opened(device: Device): Result<Device> {
    this.known = device.info.uid;
    return ok(device);
  }

  private async elsewhere(uid: string): Promise<string | undefined> {
    const free = async (): Promise<readonly string[]> => {
      const ports = await this.o.ports();
      const taken = new Set(this.o.taken());
      return ports.filter((p) => !taken.has(p));
    };
    const found = answering(await askAll(await free())).find((f) => f.uid === uid);
    // Another device with this uid may have gone there while we asked.
    return found !== undefined && (await free()).includes(found.address) ? found.address : undefined;
  }

  private async flashWith(flash: Flasher['flash']): Promise<Result<void>> {
    const firmware = await this.o.firmware();
    return firmware.ok ? flash(firmware.value, this.at) : firmware;
  }

  private async cycle(command: string): Promise<Result<void>> {
    const ran = await run(['/bin/sh', '-c', command, 'sh', this.at], { limits: powerLimits });
    if (ran.code === 0) return ok(undefined);
    const why =
      ran.stopped === 'time'
        ? 'took too long'
        : ran.stderr.trim().slice(-300) || `ended with ${ran.code ?? 'a signal'}`;
    return failed('load', 'POWER_CYCLE_FAILED', `"${command}" for ${this.at}: ${why}`);
  }
}
