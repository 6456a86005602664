/** What the MPS2 machines of QEMU have beside their CPU: the memory that can be shared with the host, and the sources to drive them. */
import { join } from 'node:path';
import type { Span } from '../layout.ts';

export interface Machine {
  /** `-M` of the emulator. */
  readonly name: string;
  /** Where a product's memories can lie, code and data alike: RAM without waiting, beside `shared`. */
  readonly memory: readonly Span[];
  /** Memory that QEMU maps from a file; less its end also a product's. */
  readonly shared: Span;
  /** The part of it that hosts write bulk data to, and behind that the timing plugin's mailbox. */
  readonly staging: Span;
  readonly mailbox: number;
  /** Where peripherals are, for mps2.h. */
  readonly defines: Readonly<Record<string, string>>;
  /** C files of the machine, without a counter. */
  readonly sources: readonly string[];
  /** Where the CPU begins (qemu.ts). */
  readonly begins: 'vectors' | 'entry';
}

const here = import.meta.dirname;
const source = (...files: readonly string[]): readonly string[] => files.map((f) => join(here, f));
export const mailboxBytes = 4096;
const stagingBytes = 0x2_0000;

/** Memory that is shared, with its last 128 KiB for staging and mailbox. */
function shared(base: number, bytes: number): Pick<Machine, 'shared' | 'staging' | 'mailbox'> {
  const staging = { base: base + bytes - stagingBytes, bytes: stagingBytes - mailboxBytes };
  return { shared: { base, bytes }, staging, mailbox: staging.base + staging.bytes };
}

interface Peripherals {
  readonly uart: number;
  /** Of received bytes, or of the UART as a whole. */
  readonly uartIrq: number;
  readonly timers: number;
  readonly deadlineIrq: number;
  readonly ticksPerSecond: number;
}
const defines = (p: Peripherals): Readonly<Record<string, string>> => ({
  MT_UART: `${p.uart}u`,
  MT_UART_IRQ: `${p.uartIrq}`,
  MT_TIMERS: `${p.timers}u`,
  MT_DEADLINE_IRQ: `${p.deadlineIrq}`,
  MT_TICKS_PER_SECOND: `${p.ticksPerSecond}u`,
});

/** AN385, AN386, AN500: Armv7-M with 16 MiB of PSRAM. */
const mps2 = (name: string, psram: number): Machine => ({
  name,
  memory: [
    { base: 0, bytes: 0x40_0000 },
    { base: 0x2000_0000, bytes: 0x40_0000 },
  ],
  ...shared(psram, 0x100_0000),
  defines: defines({
    uart: 0x4000_4000,
    uartIrq: 0,
    timers: 0x4000_0000,
    deadlineIrq: 9,
    ticksPerSecond: 25_000_000,
  }),
  sources: source('machine.c', 'deadline-cmsdk.c'),
  begins: 'vectors',
});

/**
 * AN505: a Cortex-M33 with the Security Extension. It starts in the secure state and stays there: with the SAU off all memory is
 * secure, whichever alias it is reached at; peripherals are at their secure addresses.
 */
const an505: Machine = {
  name: 'mps2-an505',
  memory: [
    { base: 0x1000_0000, bytes: 0x40_0000 },
    { base: 0x3800_0000, bytes: 0x40_0000 },
  ],
  ...shared(0x8000_0000, 0x100_0000),
  defines: defines({
    uart: 0x5020_0000,
    uartIrq: 42,
    timers: 0x5000_0000,
    deadlineIrq: 4,
    ticksPerSecond: 20_000_000,
  }),
  sources: source('machine.c', 'deadline-cmsdk.c'),
  begins: 'vectors',
};

/**
 * AN547: a Cortex-M55, in the secure state likewise. Its first vectors lie in ITCM, which is no place for a network, so that
 * images begin at their entry. QEMU wants all 2 GiB of DDR shared: a sparse file, of which the last pages are used.
 */
const an547: Machine = {
  name: 'mps3-an547',
  memory: [
    { base: 0, bytes: 0x8_0000 },
    { base: 0x100_0000, bytes: 0x20_0000 },
    { base: 0x2000_0000, bytes: 0x8_0000 },
    { base: 0x2100_0000, bytes: 0x40_0000 },
  ],
  ...shared(0x6000_0000, 0x8000_0000),
  defines: defines({
    uart: 0x5930_3000,
    uartIrq: 43,
    timers: 0x5800_0000,
    deadlineIrq: 3,
    ticksPerSecond: 32_000_000,
  }),
  sources: source('machine.c', 'deadline-sse300.c', 'entry.c'),
  begins: 'entry',
};

const machines: readonly Machine[] = [
  mps2('mps2-an385', 0x2100_0000),
  mps2('mps2-an386', 0x2100_0000),
  mps2('mps2-an500', 0x6000_0000),
  an505,
  an547,
];

export function machineOf(name: string): Machine {
  const found = machines.find((m) => m.name === name);
  if (found === undefined) throw new Error(`no machine ${name}`);
  return found;
}
