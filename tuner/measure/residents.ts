/**
 * Constants in a device's load region, addressed by content: a block that is there is not sent again. When the room is used
 * up everything is forgotten and the region begins anew.
 */
import { createHash } from 'node:crypto';
import type { KernelConstant } from '../../compiler/program/print-c.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';

const align = (n: number): number => Math.ceil(n / 32) * 32;
/** Bytes of a load region that constants take up, none of them resident before. */
export const roomFor = (constants: readonly Pick<KernelConstant, 'bytes'>[]): number =>
  constants.reduce((n, c) => n + align(c.bytes.length), 0);

export class Residents {
  private readonly base: number;
  private readonly room: number;
  private used = 0;
  private known = new Map<string, number>();

  constructor(base: number, room: number) {
    this.base = base;
    this.room = room;
  }

  /** Nothing is resident any more: the region is full, or somebody may have written over it. */
  forget(): void {
    this.known = new Map();
    this.used = 0;
  }

  /** Makes all of them resident; they must fit the room together (`roomFor`). Returns their addresses by symbol, and the bytes that had to be sent. */
  async place(
    device: Device,
    constants: readonly KernelConstant[],
  ): Promise<{ readonly symbols: Readonly<Record<string, number>>; readonly sent: number }> {
    const keys = constants.map((c) => createHash('sha256').update(c.bytes).digest('hex'));
    const missing = roomFor(constants.filter((_, i) => !this.known.has(keys[i] as string)));
    if (this.used + missing > this.room) this.forget();
    let sent = 0;
    const symbols: Record<string, number> = {};
    for (const [i, c] of constants.entries()) {
      const key = keys[i] as string;
      let at = this.known.get(key);
      if (at === undefined) {
        at = this.base + this.used;
        await device.load(at, c.bytes);
        this.used += align(c.bytes.length);
        this.known.set(key, at);
        sent += c.bytes.length;
      }
      symbols[c.symbol] = at;
    }
    return { symbols, sent };
  }
}
