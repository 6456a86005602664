/** What a CPU's fault status means, in the words of its manual. */
import { constants } from 'node:os';
import type { CallEnding } from '../../firmware-rpc/host/device.ts';

/** Bits of CFSR, Armv7-M ARM B3.2.15 and Armv8-M ARM (STKOF); the name of the exception that a bit stands for comes first. */
const cfsrBits: readonly (readonly [number, string])[] = [
  [0, 'MemManage: instruction fetch where the MPU allows none (IACCVIOL)'],
  [1, 'MemManage: data access where the MPU allows none (DACCVIOL)'],
  [3, 'MemManage: on return from an exception (MUNSTKERR)'],
  [4, 'MemManage: the stack pointer stood outside its stack when an exception came (MSTKERR)'],
  [5, 'MemManage: while floating-point registers were saved (MLSPERR)'],
  [8, 'BusFault: instruction fetch where nothing is (IBUSERR)'],
  [9, 'BusFault: data access where nothing is (PRECISERR)'],
  [10, 'BusFault: a write some instructions earlier, where nothing is (IMPRECISERR)'],
  [11, 'BusFault: on return from an exception (UNSTKERR)'],
  [12, 'BusFault: the stack pointer stood outside its stack when an exception came (STKERR)'],
  [13, 'BusFault: while floating-point registers were saved (LSPERR)'],
  [16, 'UsageFault: undefined instruction (UNDEFINSTR)'],
  [17, 'UsageFault: not Thumb code (INVSTATE)'],
  [18, 'UsageFault: return from an exception that is none (INVPC)'],
  [19, 'UsageFault: coprocessor or FPU that is absent or off (NOCP)'],
  [20, 'UsageFault: stack overflow (STKOF)'],
  [24, 'UsageFault: unaligned access (UNALIGNED)'],
  [25, 'UsageFault: division by zero (DIVBYZERO)'],
];
/** Where CFSR is 0 the word is HFSR, which shares no bit with it from 26 on. */
const hfsrBits: readonly (readonly [number, string])[] = [
  [30, 'HardFault: escalated (FORCED)'],
  [31, 'HardFault: breakpoint without a debugger (DEBUGEVT)'],
];

/** RISC-V privileged architecture, table 3.6: mcause without its interrupt bit. */
const mcauses: Readonly<Record<number, string>> = {
  0: 'instruction address misaligned',
  1: 'instruction access fault',
  2: 'illegal instruction',
  3: 'breakpoint',
  4: 'load address misaligned',
  5: 'load access fault',
  6: 'store address misaligned',
  7: 'store access fault',
  8: 'environment call from user mode',
  9: 'environment call from supervisor mode',
  11: 'environment call from machine mode',
  12: 'instruction page fault',
  13: 'load page fault',
  15: 'store page fault',
};

const cortexM = (cause: number): string =>
  [...cfsrBits, ...hfsrBits]
    .filter(([bit]) => (cause >>> bit) & 1)
    .map(([, words]) => words)
    .join(', ');

const signal = (cause: number): string | undefined =>
  Object.entries(constants.signals).find(([, number]) => number === cause)?.[0];

/** The fault in words; "fault" alone where the CPU tells no more. Armv6-M has no fault status, but its twins may. */
export function faultWords(isa: string, { cause }: Pick<CallEnding, 'cause'>): string {
  if (isa.startsWith('armv6') && cause === 0) return 'HardFault';
  const words = isa.startsWith('arm') ? cortexM(cause) : isa.startsWith('rv') ? mcauses[cause] : signal(cause);
  return words === undefined || words === '' ? 'fault' : words;
}
