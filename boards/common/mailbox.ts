/** What a twin has counted, read from the timing plugin's mailbox: struct mt_mailbox of timing/mailbox.h. */
import type { Device } from '../../firmware-rpc/host/device.ts';
import { causes, mapCauses, type TwinCounters } from '../module.ts';

const magic = 0x4d544d42;
/** Offsets: two words, then counters of 64 bits. */
const counter = (n: number): number => 8 + 8 * n;
const at = {
  cycles: counter(0),
  instructions: counter(1),
  causes: counter(2),
  unknown: counter(2 + causes.length),
  unmapped: counter(3 + causes.length),
} as const;
const bytes = counter(4 + causes.length);

/** Counts since the emulator started, as of the last call. Throws LinkError, and where no plugin is at work. */
export async function readMailbox(device: Device, address: number): Promise<TwinCounters> {
  const box = Buffer.from(await device.fetch(address, bytes));
  if (box.readUInt32LE(0) !== magic)
    throw new Error(`${device.info.board}: there is no timing plugin behind the mailbox`);
  const read = (offset: number): number => Number(box.readBigUInt64LE(offset));
  return {
    cycles: read(at.cycles),
    instructions: read(at.instructions),
    causes: mapCauses((cause) => read(at.causes + 8 * causes.indexOf(cause))),
    unknown: read(at.unknown),
    unmapped: read(at.unmapped),
  };
}
