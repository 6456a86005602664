/**
 * What the core sees of the address space (RP2040 datasheet §2.2), with what rp2040js leaves out: bus errors, alignment,
 * privilege, the MPU, and the time that the execute-in-place window costs. Everything that is no memory is rp2040js's.
 * Must stay true: an access that the chip refuses throws `atInstruction` and has changed nothing.
 * Stores to the window write the flash: that is how the host's bytes come into the flash scratch. The real chip ignores them.
 */
import type { RP2040 } from 'rp2040js';
import { atInstruction } from './fault.ts';
import { granule, type Mpu, may, privileged } from './mpu.ts';
import type { SystemControl } from './system-control.ts';
import type { XipCache } from './xip.ts';

export const flashBase = 0x10000000;
export const flashBytes = 0x200000;
const windowEnd = 0x14000000;
const ramBase = 0x20000000;
const romBytes = 0x4000;
const sioBase = 0xd0000000;
const sioBytes = 0x200;
/** Of the private peripheral bus, the system control space. */
const systemControl = 0xe000e000;

const isFlash = (at: number): boolean => at >= flashBase && at < windowEnd;

export class Memory {
  /** How far the rights of the code that runs are shifted in the MPU's: 0, or `privileged`. */
  level: number = privileged;
  /** Cycles that the instruction which is being executed has waited: for itself, and for data. */
  fetchStall = 0;
  dataStall = 0;
  /** While the frame of an exception cannot be stacked: stores vanish. */
  dropStores = false;

  private readonly rp2040: RP2040;
  private readonly xip: XipCache;
  private readonly mpu: Mpu;
  private readonly system: SystemControl;
  private readonly ram8: Uint8Array;
  private readonly ram16: Uint16Array;
  private readonly ram32: Uint32Array;
  private readonly flash8: Uint8Array;
  private readonly flash16: Uint16Array;
  private readonly flash32: Uint32Array;
  private readonly ramRights: Uint8Array;
  private readonly flashRights: Uint8Array;

  constructor(rp2040: RP2040, xip: XipCache, mpu: Mpu, system: SystemControl) {
    [this.rp2040, this.xip, this.mpu, this.system] = [rp2040, xip, mpu, system];
    this.ram8 = rp2040.sram;
    this.ram16 = new Uint16Array(rp2040.sram.buffer);
    this.ram32 = new Uint32Array(rp2040.sram.buffer);
    this.flash8 = rp2040.flash.subarray(0, flashBytes);
    this.flash16 = rp2040.flash16.subarray(0, flashBytes / 2);
    this.flash32 = new Uint32Array(rp2040.flash.buffer, 0, flashBytes / 4);
    this.ramRights = new Uint8Array(this.ram8.length / granule);
    this.flashRights = new Uint8Array(flashBytes / granule);
    mpu.onChange = () => this.askMpu();
    this.askMpu();
  }

  read32(address: number): number {
    const at = address >>> 0;
    if ((at & 3) !== 0) throw atInstruction;
    const ram = at - ramBase;
    if (ram >= 0 && ram < this.ram8.length) {
      this.needRam(ram, may.read);
      return this.ram32[ram >>> 2] as number;
    }
    if (!isFlash(at)) return this.readElsewhere(at);
    this.needFlash(at, may.read);
    this.dataStall += this.xip.read(at);
    return this.flash32[(at & (flashBytes - 1)) >>> 2] as number;
  }
  read16(address: number): number {
    const at = address >>> 0;
    if ((at & 1) !== 0) throw atInstruction;
    const ram = at - ramBase;
    if (ram >= 0 && ram < this.ram8.length) {
      this.needRam(ram, may.read);
      return this.ram16[ram >>> 1] as number;
    }
    if (!isFlash(at)) return (this.readElsewhere((at & ~3) >>> 0) >>> (8 * (at & 2))) & 0xffff;
    this.needFlash(at, may.read);
    this.dataStall += this.xip.read(at);
    return this.flash16[(at & (flashBytes - 1)) >>> 1] as number;
  }
  read8(address: number): number {
    const at = address >>> 0;
    const ram = at - ramBase;
    if (ram >= 0 && ram < this.ram8.length) {
      this.needRam(ram, may.read);
      return this.ram8[ram] as number;
    }
    if (!isFlash(at)) return (this.readElsewhere((at & ~3) >>> 0) >>> (8 * (at & 3))) & 0xff;
    this.needFlash(at, may.read);
    this.dataStall += this.xip.read(at);
    return this.flash8[at & (flashBytes - 1)] as number;
  }
  write32(address: number, value: number): void {
    const at = address >>> 0;
    if (this.dropStores) return;
    if ((at & 3) !== 0) throw atInstruction;
    const ram = at - ramBase;
    if (ram >= 0 && ram < this.ram8.length) {
      this.needRam(ram, may.write);
      this.ram32[ram >>> 2] = value;
    } else if (isFlash(at)) {
      this.needFlash(at, may.write);
      this.flash32[(at & (flashBytes - 1)) >>> 2] = value;
      this.xip.drop(at);
    } else this.writeElsewhere(at, value);
  }
  write16(address: number, value: number): void {
    const at = address >>> 0;
    if ((at & 1) !== 0) throw atInstruction;
    const ram = at - ramBase;
    if (ram >= 0 && ram < this.ram8.length) {
      this.needRam(ram, may.write);
      this.ram16[ram >>> 1] = value;
    } else if (isFlash(at)) {
      this.needFlash(at, may.write);
      this.flash16[(at & (flashBytes - 1)) >>> 1] = value;
      this.xip.drop(at);
    } else {
      this.needPeripheral(at);
      this.rp2040.writeUint16(at, value);
    }
  }
  write8(address: number, value: number): void {
    const at = address >>> 0;
    const ram = at - ramBase;
    if (ram >= 0 && ram < this.ram8.length) {
      this.needRam(ram, may.write);
      this.ram8[ram] = value;
    } else if (isFlash(at)) {
      this.needFlash(at, may.write);
      this.flash8[at & (flashBytes - 1)] = value;
      this.xip.drop(at);
    } else {
      this.needPeripheral(at);
      this.rp2040.writeUint8(at, value);
    }
  }
  /** A halfword of an instruction. */
  fetch(at: number): number {
    const ram = at - ramBase;
    if (ram >= 0 && ram < this.ram8.length) {
      this.needRam(ram, may.execute);
      return this.ram16[ram >>> 1] as number;
    }
    if (isFlash(at)) {
      this.needFlash(at, may.execute);
      this.fetchStall += this.xip.read(at);
      return this.flash16[(at & (flashBytes - 1)) >>> 1] as number;
    }
    // The ROM is not ours to ship, and nothing else can be executed.
    throw atInstruction;
  }
  /** Whether the code that runs may store the words from `from` to `to`. */
  mayStore(from: number, to: number): boolean {
    const inRam = from >= ramBase && to < ramBase + this.ram8.length;
    if (!inRam) return false;
    const both = (this.ramRights[(from - ramBase) >>> 5] as number) & (this.ramRights[(to - ramBase) >>> 5] as number);
    return ((both >> this.level) & may.write) !== 0;
  }

  private needRam(offset: number, right: number): void {
    if ((((this.ramRights[offset >>> 5] as number) >> this.level) & right) === 0) throw atInstruction;
  }
  /** Only the first of the window's mirrors, and of the chip's in it, has its rights at hand; and only there a store has a meaning. */
  private needFlash(at: number, right: number): void {
    const offset = at - flashBase;
    if (offset < flashBytes) {
      if ((((this.flashRights[offset >>> 5] as number) >> this.level) & right) === 0) throw atInstruction;
    } else if (right === may.write || ((this.mpu.rights(at) >> this.level) & right) === 0) throw atInstruction;
  }
  /** Of privileged code no region of ours keeps a peripheral. */
  private need(at: number, right: number): void {
    if (this.level !== privileged && ((this.mpu.rights(at) >> this.level) & right) === 0) throw atInstruction;
  }
  private needPeripheral(at: number): void {
    if (this.rp2040.findPeripheral(at) === undefined) throw atInstruction;
    this.need(at, may.write);
  }
  private readElsewhere(at: number): number {
    if ((at & 0xfffff000) >>> 0 === systemControl) {
      if (this.level !== privileged) throw atInstruction;
      return this.system.read(at & 0xfff);
    }
    this.need(at, may.read);
    if (at < romBytes) return this.rp2040.bootrom[at >>> 2] as number;
    if (at >= sioBase && at < sioBase + sioBytes) return this.rp2040.sio.readUint32(at - sioBase);
    const peripheral = this.rp2040.findPeripheral(at);
    if (peripheral === undefined) throw atInstruction;
    return peripheral.readUint32(at & 0x3fff);
  }
  private writeElsewhere(at: number, value: number): void {
    if ((at & 0xfffff000) >>> 0 === systemControl) {
      if (this.level !== privileged) throw atInstruction;
      this.system.write(at & 0xfff, value);
    } else if (at >= sioBase && at < sioBase + sioBytes) {
      this.need(at, may.write);
      this.rp2040.sio.writeUint32(at - sioBase, value);
    } else {
      this.needPeripheral(at);
      this.rp2040.writeUint32(at, value);
    }
  }
  private askMpu(): void {
    this.mpu.fill(this.ramRights, ramBase);
    this.mpu.fill(this.flashRights, flashBase);
  }
}
