/**
 * Constants in one of a device's load regions, addressed by content: a block that is there is not sent again. When the room
 * is used up everything is forgotten and the region begins anew.
 * Must stay true: a count does not depend on what was resident before. Where a cache's sets are chosen by address, a
 * candidate's constants therefore lie together, each at the same place in its ways whenever the candidate is measured.
 */
import { createHash } from 'node:crypto';
import { lineBytes as line } from '../../compiler/emit/code.ts';
import type { KernelConstant } from '../../compiler/program/print-c.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';

type Block = Pick<KernelConstant, 'bytes' | 'symbol'>;
const align = (n: number, to: number): number => Math.ceil(n / to) * to;
/** Bytes of a load region that constants take up, none of them resident before, with `way` as below. */
export const roomFor = (constants: readonly Pick<KernelConstant, 'bytes'>[], way = line): number =>
  align(
    constants.reduce((n, c) => n + align(c.bytes.length, line), 0),
    way,
  );

export interface Placed {
  /** Addresses by symbol. */
  readonly symbols: Readonly<Record<string, number>>;
  /** Bytes that were not there and had to be sent. */
  readonly sent: number;
}

export class Residents {
  private readonly base: number;
  private readonly room: number;
  private readonly way: number;
  private used = 0;
  private known = new Map<string, number>();

  /** `way`: bytes of a way of the largest set-associative cache in front of the region; a line where there is none. */
  constructor(base: number, room: number, way = line) {
    this.base = align(base, way);
    this.room = room - (this.base - base);
    this.way = way;
  }

  /** Nothing is resident any more: the region is full, or somebody may have written over it. */
  forget(): void {
    this.known = new Map();
    this.used = 0;
  }

  /** Makes all of them resident; they must fit the room together (`roomFor`). */
  async place(device: Device, constants: readonly Block[]): Promise<Placed> {
    const groups = this.way === line ? constants.map((c) => [c]) : [constants];
    const keys = groups.map(keyOf);
    const missing = groups.filter((_, i) => !this.known.has(keys[i] as string));
    if (this.used + missing.reduce((n, g) => n + roomFor(g, this.way), 0) > this.room) this.forget();
    const symbols: Record<string, number> = {};
    let sent = 0;
    for (const [i, group] of groups.entries()) {
      const key = keys[i] as string;
      const known = this.known.get(key);
      let at = known ?? this.base + this.used;
      for (const c of group) {
        if (known === undefined) {
          await device.load(at, c.bytes);
          sent += c.bytes.length;
        }
        symbols[c.symbol] = at;
        at += align(c.bytes.length, line);
      }
      if (known !== undefined) continue;
      this.known.set(key, this.base + this.used);
      this.used += roomFor(group, this.way);
    }
    return { symbols, sent };
  }
}

/** Equal bytes in equal order are equal groups, whatever they are called. */
function keyOf(group: readonly Block[]): string {
  const hash = createHash('sha256');
  for (const c of group) hash.update(`${c.bytes.length}\0`).update(c.bytes);
  return hash.digest('hex');
}
