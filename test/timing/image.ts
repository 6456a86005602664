/**
 * Runs a program on an emulated machine under the timing plugin, without a server: it begins and ends its counts by marker
 * instructions and ends itself by semihosting (boards/common/timing/mailbox.h has the markers).
 */
import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Timing } from '../../boards/board.ts';
import { buildPlugin, timingConfig } from '../../boards/common/timing/build.ts';
import { causes } from '../../boards/index.ts';

const execute = promisify(execFile);

/** Of struct mt_mailbox. */
export const mailboxBytes = 96;
/** MT_MAILBOX_MAGIC. */
const magic = 0x4d544d42;
/** What is read of the shared memory, from its beginning. */
const readBytes = 0x1000000;

export interface ImageRun {
  /** Of QEMU. */
  readonly machine: string;
  readonly timing: Timing;
  /** Memory that the machine shares through a file, and where in it the mailbox is. */
  readonly shared: { readonly base: number; readonly bytes: number; readonly mailbox: number };
  readonly elf: string;
  /** More options of QEMU. */
  readonly extra?: readonly string[];
  /** Seconds that the program may take; 60 where it is left out. */
  readonly seconds?: number;
}
/** Free running counters, as the mailbox has them. */
export interface Counters {
  readonly cycles: number;
  readonly instructions: number;
  readonly causes: readonly number[];
  readonly unknown: number;
  readonly unmapped: number;
  readonly fetchMisses: number;
  readonly dataMisses: number;
}

/** A copy of struct mt_mailbox at this offset of `ram`. Throws where the program never brought it there. */
export function countersAt(ram: Buffer, offset: number): Counters {
  // An image that runs for ever is ended by the clock, and QEMU calls that a success.
  if (ram.readUInt32LE(offset) !== magic) throw new Error('the image did not come to its end');
  const at = (n: number): number => Number(ram.readBigUInt64LE(offset + 8 + 8 * n));
  return {
    cycles: at(0),
    instructions: at(1),
    causes: causes.map((_, i) => at(2 + i)),
    unknown: at(7),
    unmapped: at(8),
    fetchMisses: at(9),
    dataMisses: at(10),
  };
}

function part(file: string, from: number, bytes: number): Buffer {
  const found = Buffer.alloc(bytes);
  const fd = openSync(file, 'r');
  readSync(fd, found, 0, bytes, from);
  closeSync(fd);
  return found;
}

export interface Ran {
  /** The first 16 MiB of the shared memory, as they were left. */
  readonly ram: Buffer;
  /** As of the program's last END or READ marker. */
  readonly counters: () => Counters;
  /** What the program wrote by semihosting. */
  readonly said: string;
}

/** Runs a program to its end. Throws where the plugin cannot be built, the emulator fails, or time is up. */
export async function runImage(r: ImageRun): Promise<Ran> {
  const plugin = await buildPlugin('qemu-system-arm');
  if (!plugin.ok) throw new Error(plugin.error.detail);
  const dir = mkdtempSync(join(tmpdir(), 'microtune-image-'));
  try {
    const ram = join(dir, 'ram');
    writeFileSync(ram, '');
    truncateSync(ram, r.shared.bytes);
    writeFileSync(join(dir, 'timing'), timingConfig(r.timing, { ...r.shared, path: ram }));
    const memory = `memory-backend-file,id=ram,size=${r.shared.bytes},mem-path=${ram},share=on`;
    const args = ['-M', `${r.machine},memory-backend=ram`, '-object', memory, '-semihosting', '-icount', 'shift=0'];
    const quiet = ['-display', 'none', '-monitor', 'none', '-serial', 'none'];
    const model = ['-plugin', `${plugin.value},config=${join(dir, 'timing')}`];
    const options = [...args, ...quiet, ...model, ...(r.extra ?? []), '-kernel', r.elf];
    const { stdout, stderr } = await execute('qemu-system-arm', options, { timeout: (r.seconds ?? 60) * 1000 });
    const mailbox = part(ram, r.shared.mailbox - r.shared.base, mailboxBytes);
    return { ram: part(ram, 0, readBytes), counters: () => countersAt(mailbox, 0), said: stdout + stderr };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
