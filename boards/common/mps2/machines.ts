/** What the MPS2 machines of QEMU have beside their CPU: the memory that can be shared with the host, and the sources to drive them. */
import { join } from 'node:path';

export interface Machine {
  /** `-M` of the emulator. */
  readonly name: string;
  /** Memory that QEMU maps from a file: address and bytes. */
  readonly shared: { readonly base: number; readonly bytes: number };
  /** The part of it that hosts write bulk data to, and behind that the timing plugin's mailbox. */
  readonly staging: { readonly base: number; readonly bytes: number };
  readonly mailbox: number;
  /** C files of the machine, without a counter. */
  readonly sources: readonly string[];
  /** The file that guards memory with the CPU's MPU. */
  readonly guard: string;
}

const here = import.meta.dirname;
const v7mGuard = join(here, '../cortex-m/mpu-v7m.c');
const mailboxBytes = 4096;

/** A CMSDK machine with 16 MiB of PSRAM, the last 128 KiB of it for staging and mailbox. */
function cmsdk(name: string, psram: number): Machine {
  const bytes = 0x100_0000;
  const staging = { base: psram + bytes - 0x2_0000, bytes: 0x2_0000 - mailboxBytes };
  return {
    name,
    shared: { base: psram, bytes },
    staging,
    mailbox: staging.base + staging.bytes,
    sources: [join(here, 'machine.c')],
    guard: v7mGuard,
  };
}

const machines: readonly Machine[] = [
  cmsdk('mps2-an385', 0x2100_0000),
  cmsdk('mps2-an386', 0x2100_0000),
  cmsdk('mps2-an500', 0x6000_0000),
];

export function machineOf(name: string): Machine {
  const found = machines.find((m) => m.name === name);
  if (found === undefined) throw new Error(`no machine ${name}`);
  return found;
}
