/**
 * Memory that the emulator shares with its host, where an RP2040 has nothing: bytes to be loaded, which need not cross the UART, and
 * behind them the counters. The emulator's firmware announces it as its staging memory; the one for a real chip does not.
 */
import { BasePeripheral, type RP2040 } from 'rp2040js';
import type { Counters } from './counters.ts';

export const hostMemory = { base: 0x400f0000, bytes: 0x10000 } as const;
const mailboxBytes = 256;
/** For bytes to load, from the start. */
export const stagingBytes = hostMemory.bytes - mailboxBytes;
export const mailbox = hostMemory.base + stagingBytes;

/** rp2040js knows peripherals by blocks of 16 KiB. */
const blockBytes = 0x4000;

/** Puts it into the chip's address space. `staging`: `stagingBytes` that the host writes. */
export function addHostMemory(rp2040: RP2040, staging: Uint8Array, counters: Counters): void {
  const words = new DataView(staging.buffer, staging.byteOffset, staging.byteLength);
  for (let at = 0; at < hostMemory.bytes; at += blockBytes) {
    const block = new Block(rp2040, (offset) => {
      const where = at + offset;
      return where < stagingBytes
        ? words.getUint32(where, true)
        : (counters.words()[(where - stagingBytes) >>> 2] ?? 0);
    });
    rp2040.peripherals[(hostMemory.base + at) >>> 12] = block;
  }
}

class Block extends BasePeripheral {
  private readonly read: (offset: number) => number;
  constructor(rp2040: RP2040, read: (offset: number) => number) {
    super(rp2040, 'HOST_MEMORY');
    this.read = read;
  }
  override readUint32(offset: number): number {
    return this.read(offset);
  }
  override writeUint32(): void {
    // The host's to write.
  }
}
