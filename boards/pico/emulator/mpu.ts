/**
 * The memory protection unit of a Cortex-M0+ (PMSAv6: ARMv6-M Architecture Reference Manual, B3.5), which rp2040js lacks: eight
 * regions of a power of two from 256 bytes on, each in eight parts that can be left out; of overlapping ones the higher counts.
 */

/** What may be done, a bit each; those of privileged code are shifted left by `privileged`. */
export const may = { read: 1, write: 2, execute: 4, all: 63 } as const;
export const privileged = 3;

/** Nothing is finer than a part of the smallest region. */
export const granule = 32;

const registers = { type: 0xd90, control: 0xd94, number: 0xd98, base: 0xd9c, attributes: 0xda0 } as const;
const eightRegions = 0x800;
const enabled = 1;
const backgroundForPrivileged = 4;

interface Region {
  base: number;
  attributes: number;
}

/** AP field -> read and write, privileged and not. */
function byAccess(access: number): number {
  const read = may.read | (may.read << privileged);
  const forPrivileged = may.write << privileged;
  switch (access) {
    case 1:
      return (may.read | may.write) << privileged;
    case 2:
      return read | forPrivileged;
    case 3:
      return read | forPrivileged | may.write;
    case 5:
      return may.read << privileged;
    case 6:
    case 7:
      return read;
    default:
      return 0;
  }
}

/** What an RASR value allows where its region holds. Code is fetched where it may be read, unless XN is set. */
function rightsOf(attributes: number): number {
  const rights = byAccess((attributes >>> 24) & 7);
  if ((attributes & (1 << 28)) !== 0) return rights;
  const readable = rights & (may.read | (may.read << privileged));
  return rights | (readable * may.execute);
}

/** A stretch of addresses, and what may be done there. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly rights: number;
}

/** The parts of a region that are not left out. */
function spansOf({ base, attributes }: Region): readonly Span[] {
  if ((attributes & 1) === 0) return [];
  const bytes = 2 ** (((attributes >>> 1) & 31) + 1);
  const start = base - (base % bytes);
  const rights = rightsOf(attributes);
  return Array.from({ length: 8 }, (_, i) => i)
    .filter((i) => (attributes & (0x100 << i)) === 0)
    .map((i) => ({ from: start + (i * bytes) / 8, to: start + ((i + 1) * bytes) / 8, rights }));
}

export class Mpu {
  private control = 0;
  private number = 0;
  private readonly regions: readonly Region[] = Array.from({ length: 8 }, () => ({ base: 0, attributes: 0 }));
  /** Of all regions in their order: of overlapping ones the last counts. Empty while the unit is off. */
  private spans: readonly Span[] = [];
  /** Called when other rights hold. */
  onChange: () => void = () => undefined;

  /** Of what lies at an address. */
  rights(address: number): number {
    return this.spans.findLast((s) => address >= s.from && address < s.to)?.rights ?? this.background;
  }
  /** Of all granules from `base` on, one a byte. */
  fill(rights: Uint8Array, base: number): void {
    rights.fill(this.background);
    for (const { from, to, rights: there } of this.spans) {
      const [first, end] = [from, to].map((at) => Math.max(0, (at - base) / granule)) as [number, number];
      rights.fill(there, first, end);
    }
  }
  private get background(): number {
    if ((this.control & enabled) === 0) return may.all;
    return (this.control & backgroundForPrivileged) !== 0 ? may.all & ~((1 << privileged) - 1) : 0;
  }
  /** A register by its offset from 0xE000E000; undefined where that is none of the MPU's. */
  read(offset: number): number | undefined {
    const region = this.regions[this.number] as Region;
    switch (offset) {
      case registers.type:
        return eightRegions;
      case registers.control:
        return this.control;
      case registers.number:
        return this.number;
      case registers.base:
        return (region.base | this.number) >>> 0;
      case registers.attributes:
        return region.attributes >>> 0;
      default:
        return undefined;
    }
  }
  /** False where that is no register of the MPU's. */
  write(offset: number, value: number): boolean {
    switch (offset) {
      case registers.control:
        this.control = value & 7;
        break;
      case registers.number:
        this.number = value & 7;
        return true;
      case registers.base:
        if ((value & 0x10) !== 0) this.number = value & 7;
        (this.regions[this.number] as Region).base = (value & 0xffffff00) >>> 0;
        break;
      case registers.attributes:
        (this.regions[this.number] as Region).attributes = value >>> 0;
        break;
      default:
        return false;
    }
    this.spans = (this.control & enabled) === 0 ? [] : this.regions.flatMap(spansOf);
    this.onChange();
    return true;
  }
}
