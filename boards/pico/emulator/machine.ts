/**
 * A Raspberry Pi Pico: rp2040js with our processor, memory and clock in it. It starts as the real one does: what stands for the
 * boot ROM checks the first 256 bytes of flash, copies them to the end of SRAM5 and runs them there (RP2040 datasheet §2.8.1).
 * Must stay true: the same image and the same bytes on the UART, at the same moments of sleep, give the same cycles.
 */
import { ConsoleLogger, LogLevel, RP2040 } from 'rp2040js';
import { bootChecksum, secondStageBytes } from '../image.ts';
import { CycleClock } from './clock.ts';
import { addHostMemory } from './host-memory.ts';
import { flashBytes, Memory } from './memory.ts';
import { Mpu } from './mpu.ts';
import { Watchdog, XipControl } from './peripherals.ts';
import { Processor } from './processor.ts';
import { SerialFlash } from './serial-flash.ts';
import { SystemControl } from './system-control.ts';
import { XipCache } from './xip.ts';

/** Where the boot ROM puts the second stage. */
const secondStage = 0x20041f00;
const uartFlags = 0x18;
const receiveFull = 0x40;

export interface MachineOptions {
  /** From the start of flash on. */
  readonly image: Uint8Array;
  /** Of the flash chip: 8 bytes. */
  readonly uniqueId: Uint8Array;
  /** What the host wants to be loaded: `stagingBytes` of host-memory.ts. */
  readonly staging: Uint8Array;
  /** A byte on GPIO 0. */
  readonly onByte: (byte: number) => void;
}

export class Machine {
  readonly xip = new XipCache();
  readonly clock: CycleClock;
  readonly processor: Processor;
  private readonly rp2040: RP2040;
  private resetWanted = false;
  private readonly options: MachineOptions;

  constructor(options: MachineOptions) {
    this.options = options;
    this.clock = new CycleClock(125e6);
    this.rp2040 = new RP2040(this.clock);
    const { rp2040, clock } = this;
    rp2040.logger = new ConsoleLogger(LogLevel.Error, false);
    rp2040.addClockListener((hz) => clock.setFrequency(hz));
    const reset = (): void => {
      this.resetWanted = true;
      this.processor.core.waiting = true;
    };
    const mpu = new Mpu();
    const memory = new Memory(rp2040, this.xip, mpu, new SystemControl(rp2040, clock, mpu, reset));
    this.processor = new Processor(rp2040, memory, clock);
    const chip = new SerialFlash(rp2040, options.uniqueId);
    chip.onChange = () => {
      this.xip.missCycles = chip.windowCycles ?? Number.NaN;
    };
    const uart = rp2040.uart[0];
    if (uart === undefined) throw new Error('rp2040js has no UART');
    uart.onByte = options.onByte;
    rp2040.peripherals[0x14000] = new XipControl(rp2040, this.xip);
    rp2040.peripherals[0x18000] = chip;
    rp2040.peripherals[0x40058] = new Watchdog(rp2040, reset);
    addHostMemory(rp2040, options.staging, this.processor.counters);
    this.boot();
  }
  /** True until the firmware asks for a reset: then a new machine takes over. */
  get alive(): boolean {
    return !this.resetWanted;
  }
  /** Nothing happens any more before a byte arrives. */
  get idle(): boolean {
    return this.processor.core.waiting && this.clock.due === Number.POSITIVE_INFINITY;
  }
  /** Executes for about so many cycles; time that is slept through is jumped over. Returns early where the machine is idle. */
  run(cycles: number): void {
    const end = this.clock.cycles + cycles;
    while (this.alive && this.clock.cycles < end && !this.idle) {
      this.processor.run(end);
      if (this.processor.core.waiting && this.alive) this.sleep();
    }
  }
  /** A byte on GPIO 1; false where the UART has no room for it now. */
  receive(byte: number): boolean {
    const uart = this.rp2040.uart[0];
    if (uart === undefined || (uart.readUint32(uartFlags) & receiveFull) !== 0) return false;
    uart.feedByte(byte);
    return true;
  }
  private sleep(): void {
    if (this.clock.due === Number.POSITIVE_INFINITY) return;
    this.clock.cycles = Math.max(this.clock.cycles, this.clock.due);
    this.clock.fire();
  }
  private boot(): void {
    const { image } = this.options;
    if (image.length > flashBytes) throw new Error(`the image has ${image.length} bytes, the flash ${flashBytes}`);
    const stored = new DataView(image.buffer, image.byteOffset).getUint32(secondStageBytes - 4, true);
    if (stored !== bootChecksum(image))
      throw new Error('the checksum of the second stage is wrong: the boot ROM refuses it');
    this.rp2040.flash.set(image);
    this.rp2040.sram.set(image.subarray(0, secondStageBytes), secondStage - 0x20000000);
    const { core } = this.processor;
    [core.SP, core.LR, core.PC] = [secondStage, 0, secondStage];
  }
}
