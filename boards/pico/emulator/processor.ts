/**
 * rp2040js's Cortex-M0+ made strict. The instructions are rp2040js's; this adds what a server that survives its candidates
 * relies on: undefined instructions, lost Thumb bits, bad addresses and breakpoints are HardFaults, unprivileged code has no say over
 * masks and stacks, a bad stack does not stop an exception, and sleeping with interrupts masked wakes without taking one.
 * Cycles are rp2040js's, put right where the Cortex-M0+ Technical Reference Manual (DDI 0484, table 3-1) says otherwise.
 */
import type { RP2040 } from 'rp2040js';
import type { CycleClock } from './clock.ts';
import { Counters } from './counters.ts';
import { atInstruction, atTarget, Fault } from './fault.ts';
import { addWithCarry, type Flagged, type Shift, shifted } from './flags.ts';
import type { Memory } from './memory.ts';
import { privileged } from './mpu.ts';

type Core = RP2040['core'];

/** What is done with an instruction, by its first halfword. */
const kind = {
  plain: 0,
  undefined: 1,
  wide: 2,
  flags: 3,
  linked: 4,
  blx: 5,
  mask: 6,
  supervisor: 7,
  wait: 8,
  hint: 9,
} as const;

const sram4 = 0x20040000;
const hardFault = 3;
const supervisorCall = 11;
const threadMode = 0;
const processStack = 1;
const special = { ipsr: 5, mainStack: 8, processStack: 9, primask: 16 } as const;

/** Which halfwords of the ARMv6-M instruction set (A5.2) need more than rp2040js; bits are written as the manual does. */
function kindOf(opcode: number): number {
  if (opcode >>> 11 >= 0b11101) return kind.wide;
  if (opcode >>> 8 === 0b11011110) return kind.undefined;
  if (opcode >>> 8 === 0b11011111) return kind.supervisor;
  if (opcode >>> 10 === 0b010000) {
    return [0b0010, 0b0011, 0b0100, 0b0101, 0b0110, 0b0111].includes((opcode >>> 6) & 15) ? kind.flags : kind.plain;
  }
  if (opcode >>> 8 === 0b01000111)
    return (opcode & 7) !== 0 ? kind.undefined : (opcode & 0x80) !== 0 ? kind.blx : kind.plain;
  return opcode >>> 12 === 0b1011 ? kindOfMiscellaneous(opcode) : kind.plain;
}
/** A5.2.5. */
function kindOfMiscellaneous(opcode: number): number {
  switch ((opcode >>> 8) & 15) {
    case 0b0000:
    case 0b0010:
    case 0b0100:
    case 0b1100:
      return kind.plain;
    case 0b0101:
    case 0b1101:
      return kind.linked;
    case 0b0110:
      return (opcode & 0xef) === 0x62 ? kind.mask : kind.undefined;
    case 0b1010:
      return ((opcode >>> 6) & 3) === 2 ? kind.undefined : kind.plain;
    case 0b1111:
      if ((opcode & 15) !== 0) return kind.undefined;
      return opcode === 0xbf30 || opcode === 0xbf20 ? kind.wait : kind.hint;
    default:
      return kind.undefined;
  }
}
const kinds = Uint8Array.from({ length: 0x10000 }, (_, opcode) => kindOf(opcode));

/** BL, MSR, MRS, DSB, DMB, ISB (A5.3): the only instructions of 32 bits. */
const isWide = (first: number, second: number): boolean =>
  (first >>> 11 === 0b11110 && (second & 0xd000) === 0xd000) ||
  ((first & 0xfff0) === 0xf380 && (second & 0xff00) === 0x8800) ||
  (first === 0xf3ef && (second & 0xf000) === 0x8000) ||
  (first === 0xf3bf && second >= 0x8f40 && second < 0x8f70);

export class Processor {
  readonly core: Core;
  readonly counters = new Counters();
  private readonly memory: Memory;
  private readonly clock: CycleClock;
  private readonly executePlain: () => number;
  /** The instruction that is being executed: where it is, and its first halfword. */
  private at = 0;
  private opcode = 0;

  constructor(rp2040: RP2040, memory: Memory, clock: CycleClock) {
    [this.core, this.memory, this.clock] = [rp2040.core, memory, clock];
    this.executePlain = this.core.executeInstruction.bind(this.core);
    this.seeMemory();
    this.beStrict();
  }
  /** Executes until so many cycles have passed since power-on, or until it sleeps. Throws where the processor locks up. */
  run(limit: number): void {
    const { clock, core } = this;
    while (clock.cycles < limit && !core.waiting) {
      try {
        do {
          clock.cycles += this.step();
          if (clock.cycles >= clock.due) clock.fire();
        } while (clock.cycles < limit && !core.waiting);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        this.takeFault(error);
      }
    }
  }
  /** One instruction; its cycles. */
  private step(): number {
    const { core, memory } = this;
    this.updateLevel();
    if (core.interruptsUpdated) {
      core.checkForInterrupts();
      this.updateLevel();
    }
    this.at = (core.PC & ~1) >>> 0;
    memory.fetchStall = 0;
    memory.dataStall = 0;
    this.opcode = memory.fetch(this.at);
    const cycles = this.execute(kinds[this.opcode] as number, this.opcode);
    if (memory.level !== privileged) this.count(cycles);
    return cycles + memory.fetchStall + memory.dataStall;
  }
  /** What is unprivileged is a call, but for the server's own way into it and out of it, which runs from SRAM4. */
  private count(cycles: number): void {
    const { at, opcode, counters, memory } = this;
    if (at >= sram4) return;
    const next = at + (opcode >>> 11 >= 0b11101 ? 4 : 2);
    const branched = (this.core.PC & ~1) >>> 0 !== next;
    // B, BX, BLX, MOV PC: 2 cycles. BL: 3. POP {.., pc}: 3 + N.
    const two = kinds[opcode] === kind.wide || kinds[opcode] === kind.linked;
    const refill = branched ? (two ? 2 : 1) : 0;
    counters.add(cycles - refill, refill, memory.fetchStall, memory.dataStall);
  }
  private execute(what: number, opcode: number): number {
    const { core, memory } = this;
    switch (what) {
      case kind.plain:
        return this.executePlain();
      case kind.linked:
        // PUSH {.., lr} takes 1 + N cycles and POP {.., pc} 3 + N, where N counts lr or pc, too; rp2040js leaves it out.
        return this.executePlain() + ((opcode >>> 8) & 1);
      case kind.flags:
        return this.executeFlags(opcode);
      case kind.wide:
        if (!isWide(opcode, memory.fetch(this.at + 2))) throw atInstruction;
        return this.executePlain();
      case kind.blx:
        return this.executeBlx((opcode >>> 3) & 15);
      case kind.mask:
        return memory.level === privileged ? this.executePlain() : this.skip(1);
      case kind.supervisor:
        if (core.PM || core.exceptionPriority(core.IPSR) <= core.exceptionPriority(supervisorCall)) throw atInstruction;
        return this.executePlain();
      case kind.wait:
        return this.isWoken() ? this.skip(2) : this.executePlain();
      case kind.hint:
        return this.skip(1);
      default:
        throw atInstruction;
    }
  }
  private skip(cycles: number): number {
    this.core.PC = this.at + 2;
    return cycles;
  }
  private executeBlx(register: number): number {
    const target = this.core.registers[register] as number;
    const cycles = this.executePlain();
    if ((target & 1) === 0) throw atTarget;
    return cycles;
  }
  private executeFlags(opcode: number): number {
    const { core } = this;
    const [source, target] = [(opcode >>> 3) & 7, opcode & 7];
    const [a, b] = [core.registers[target] as number, core.registers[source] as number];
    const result = this.flagged((opcode >>> 6) & 15, a, b);
    core.registers[target] = result.value;
    [core.N, core.Z, core.C] = [result.value >>> 31 !== 0, result.value === 0, result.carry];
    if (result.overflow !== undefined) core.V = result.overflow;
    return this.skip(1);
  }
  private flagged(operation: number, a: number, b: number): Flagged {
    if (operation === 0b0101) return addWithCarry(a, b, this.core.C);
    if (operation === 0b0110) return addWithCarry(a, ~b >>> 0, this.core.C);
    const kinds: Readonly<Record<number, Shift>> = { 2: 'left', 3: 'right', 4: 'arithmetic', 7: 'rotate' };
    return shifted(kinds[operation] as Shift, a, b & 255, this.core.C);
  }
  private updateLevel(): void {
    this.memory.level = this.core.nPRIV && Number(this.core.currentMode) === threadMode ? 0 : privileged;
  }
  private isWoken(): boolean {
    return (this.core.pendingInterrupts & this.core.enabledInterrupts) !== 0;
  }
  private takeFault(fault: Fault): void {
    const { core } = this;
    if (fault.at === 'instruction') core.PC = this.at;
    if (core.exceptionPriority(core.IPSR) < 0) throw new Error(`the processor locked up at 0x${this.at.toString(16)}`);
    this.updateLevel();
    core.exceptionEntry(hardFault);
    this.clock.cycles += 1;
  }
  private seeMemory(): void {
    const { core, memory } = this;
    core.readUint32 = (address) => memory.read32(address);
    // rp2040js reads the instruction once more; the rest of a long one is in the cache by then.
    core.readUint16 = (address) => (address === this.at ? this.opcode : memory.read16(address));
    core.readUint8 = (address) => memory.read8(address);
    core.writeUint32 = (address, value) => memory.write32(address, value);
    core.writeUint16 = (address, value) => memory.write16(address, value);
    core.writeUint8 = (address, value) => memory.write8(address, value);
  }
  private beStrict(): void {
    const { core, memory } = this;
    const takeInterrupt = core.checkForInterrupts.bind(core);
    core.checkForInterrupts = () => (core.waiting ? this.isWoken() : takeInterrupt());
    const enter = core.exceptionEntry.bind(core);
    core.exceptionEntry = (exception) => {
      const onProcessStack = Number(core.SPSEL) === processStack && Number(core.currentMode) === threadMode;
      const frame = (((onProcessStack ? core.SPprocess : core.SPmain) - 32) & ~4) >>> 0;
      const stacks = memory.mayStore(frame, frame + 28);
      // The frame was looked at with the rights of what is interrupted; the vector is read with those of the processor.
      memory.level = privileged;
      memory.dropStores = !stacks;
      enter(stacks ? exception : hardFault);
      memory.dropStores = false;
    };
    const branch = core.BXWritePC.bind(core);
    core.BXWritePC = (address) => {
      branch(address);
      const leavesHandler = address >>> 28 === 15 && (address & 1) !== 0;
      if ((address & 1) === 0 && !leavesHandler) throw atTarget;
    };
    const readSpecial = core.readSpecialRegister.bind(core);
    core.readSpecialRegister = (number) => (this.isHidden(number) ? 0 : readSpecial(number));
    const writeSpecial = core.writeSpecialRegister.bind(core);
    // Unprivileged code may change flags only.
    core.writeSpecialRegister = (number, value) =>
      memory.level === privileged || number < special.ipsr ? writeSpecial(number, value) : undefined;
  }
  /** ARMv6-M, B5.2.2: what unprivileged code reads as zero. */
  private isHidden(number: number): boolean {
    const hidden: readonly number[] = [special.ipsr, special.mainStack, special.processStack, special.primask];
    return this.memory.level !== privileged && hidden.includes(number);
  }
}
