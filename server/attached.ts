/**
 * Devices that somebody attached, as sources of the pool. Must stay true: a device is found again by its uid when it is plugged
 * in elsewhere, and no address is ever opened for two of them; that one was unplugged is told once, whoever sees it first.
 */
import { existsSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import type { BuiltFirmware } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import { attach } from '../firmware-rpc/host/attach.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { answering, askAll } from '../firmware-rpc/host/discover.ts';
import type { LinkOptions } from '../firmware-rpc/host/link.ts';
import { hostAndPort } from '../firmware-rpc/host/socket.ts';
import { run } from '../toolchain/index.ts';
import type { DeviceEvent, DeviceSource } from '../tuner/measure/pool.ts';

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
  /** Hears that it was plugged in, unplugged or moved. */
  readonly tell?: (event: DeviceEvent, detail: string) => void;
  /** How long the system may take to remove the port of a device whose link broke, ms. */
  readonly settleMs?: number;
}

const usualSettleMs = 100;
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
  private gone = false;

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

  /** Nothing is plugged in at its address, as far as was seen. */
  get missing(): boolean {
    return this.gone;
  }

  /** Whether its port is not there. A socket's other end is never known to be unplugged: it only does not answer. */
  async absent(): Promise<boolean> {
    if ((await this.look()) === 'missing') return true;
    if (hostAndPort(this.at) !== undefined) return false;
    await after(this.o.settleMs ?? usualSettleMs);
    return (await this.look()) === 'missing';
  }
  /** Looks whether its port is there; tells of it where that changed. `back`: it was missing. */
  async look(): Promise<'there' | 'back' | 'missing'> {
    const { at } = this;
    const there = hostAndPort(at) !== undefined || existsSync(at) || (await this.o.ports()).includes(at);
    // It may have been found elsewhere meanwhile.
    if (at !== this.at || there === !this.gone) return this.gone ? 'missing' : 'there';
    if (!there) this.isGone();
    else this.isBack('plugged', at);
    return there ? 'back' : 'missing';
  }
  /** It answered with this uid: it is known by it, wherever it is plugged in. */
  answered(uid: string): void {
    this.known = uid;
  }
  /** It answers at another address now. */
  moveTo(address: string): void {
    this.at = address;
    this.isBack('moved', address);
  }
  private isGone(): void {
    this.gone = true;
    this.o.tell?.('unplugged', this.at);
    this.o.log(`device ${this.name} is unplugged: ${this.at} is not there`);
  }
  private isBack(event: 'plugged' | 'moved', address: string): void {
    this.gone = false;
    this.o.tell?.(event, address);
    this.o.log(`device ${this.name} is ${event === 'moved' ? `at ${address} now` : 'plugged in again'}`);
  }

  /** At its address; where that is gone or another device is there, wherever the one that is known by its uid answers now. */
  async open(): Promise<Result<Device>> {
    const here = await this.attachAt(this.at);
    if (here.ok && (this.uid === undefined || here.value.info.uid === this.uid)) return this.opened(here.value);
    const moved = this.uid === undefined ? undefined : await this.elsewhere(this.uid);
    if (moved !== undefined && here.ok) await here.value.close();
    if (moved !== undefined) {
      this.moveTo(moved);
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
    this.answered(device.info.uid);
    if (this.gone) this.isBack('plugged', this.at);
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
    const ran = await run(['/bin/sh', '-c', command, 'sh', this.at], { limits: powerLimits, as: 'owner' });
    if (ran.code === 0) return ok(undefined);
    const why =
      ran.stopped === 'time'
        ? 'took too long'
        : ran.stderr.trim().slice(-300) || `ended with ${ran.code ?? 'a signal'}`;
    return failed('load', 'POWER_CYCLE_FAILED', `"${command}" for ${this.at}: ${why}`);
  }
}
