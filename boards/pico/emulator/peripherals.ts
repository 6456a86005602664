/** Peripherals that rp2040js has only in part: the watchdog, which restarts the chip and remembers eight words, and the XIP control. */
import { BasePeripheral, type RP2040 } from 'rp2040js';
import type { XipCache } from './xip.ts';

/** RP2040 datasheet §4.7: control with its trigger, scratch registers, and the tick that the timer counts. It never runs out here. */
export class Watchdog extends BasePeripheral {
  private readonly scratch = new Uint32Array(8);
  private readonly onTrigger: () => void;
  private tick = 0;

  constructor(rp2040: RP2040, onTrigger: () => void) {
    super(rp2040, 'WATCHDOG');
    this.onTrigger = onTrigger;
  }
  override readUint32(offset: number): number {
    if (offset >= 0x0c && offset <= 0x28) return this.scratch[(offset - 0x0c) >>> 2] as number;
    return offset === 0x2c ? this.tick | 0x400 : 0;
  }
  override writeUint32(offset: number, value: number): void {
    if (offset === 0x00 && value >>> 31 !== 0) this.onTrigger();
    if (offset >= 0x0c && offset <= 0x28) this.scratch[(offset - 0x0c) >>> 2] = value;
    if (offset === 0x2c) this.tick = value & 0x3ff;
  }
}

/** §2.6.3.6: flushing is done at once; the counters of hits and accesses are cleared by a write. */
export class XipControl extends BasePeripheral {
  private readonly cache: XipCache;
  constructor(rp2040: RP2040, cache: XipCache) {
    super(rp2040, 'XIP_CTRL');
    this.cache = cache;
  }
  override readUint32(offset: number): number {
    switch (offset) {
      case 0x00:
        return 3; // the cache is on; bad writes are errors
      case 0x08:
        return 3; // FIFO empty, flush done
      case 0x0c:
        return this.cache.hits;
      case 0x10:
        return this.cache.accesses;
      default:
        return 0;
    }
  }
  override writeUint32(offset: number, value: number): void {
    if (offset === 0x04 && (value & 1) !== 0) this.cache.flush();
    if (offset === 0x0c) this.cache.hits = 0;
    if (offset === 0x10) this.cache.accesses = 0;
  }
}
