/**
 * The system control space of the Cortex-M0+, as far as rp2040js's is not enough: SysTick counting cycles exactly (rp2040js's
 * period is a tick short), the MPU, and the reset request. Everything else is passed on.
 */
import type { RP2040 } from 'rp2040js';
import type { CycleClock } from './clock.ts';
import type { Mpu } from './mpu.ts';

const register = { control: 0x010, reload: 0x014, current: 0x018, aircr: 0xd0c } as const;
const enabled = 1;
const resetRequest = 0x05fa0004;

export class SystemControl {
  private readonly rp2040: RP2040;
  private readonly clock: CycleClock;
  private readonly mpu: Mpu;
  private readonly onReset: () => void;
  private control = 0;
  private reload = 0;
  /** When the counter began to count down from its reload value, in cycles. */
  private reloadedAt = 0;

  constructor(rp2040: RP2040, clock: CycleClock, mpu: Mpu, onReset: () => void) {
    this.rp2040 = rp2040;
    this.clock = clock;
    this.mpu = mpu;
    this.onReset = onReset;
  }
  read(offset: number): number {
    switch (offset) {
      case register.control:
        return this.control;
      case register.reload:
        return this.reload;
      case register.current:
        return this.current();
      default:
        return this.mpu.read(offset) ?? this.rp2040.ppb.readUint32(offset);
    }
  }
  write(offset: number, value: number): void {
    switch (offset) {
      case register.control:
        this.control = value & 5;
        this.reloadedAt = this.clock.cycles;
        break;
      case register.reload:
        this.reload = value & 0xffffff;
        break;
      case register.current:
        // Any write clears it; the next tick reloads.
        this.reloadedAt = this.clock.cycles + 1;
        break;
      case register.aircr:
        if (value >>> 0 === resetRequest) this.onReset();
        break;
      default:
        if (!this.mpu.write(offset, value)) this.rp2040.ppb.writeUint32(offset, value);
    }
  }
  /** Counts from the reload value to 0, then begins again: a period of reload + 1 (ARMv6-M, B3.3.1). */
  private current(): number {
    if ((this.control & enabled) === 0 || this.reload === 0) return 0;
    const gone = this.clock.cycles - this.reloadedAt;
    return gone < 0 ? 0 : this.reload - (gone % (this.reload + 1));
  }
}
