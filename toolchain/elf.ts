/** A small reader of ELF files, 32 and 64 bit little-endian: sections, sizes, symbols, and the loadable image. */

export interface Section {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
  /** Its address is a multiple of this. */
  readonly align: number;
  readonly offset: number;
  /** Occupies memory when loaded. */
  readonly allocated: boolean;
  readonly writable: boolean;
  /** Has bytes in the file (.bss has not). */
  readonly stored: boolean;
  /** Of a group: equal groups of several objects become one when they are linked. */
  readonly grouped: boolean;
}
export interface Image {
  readonly base: number;
  readonly bytes: Uint8Array;
}
export interface Elf {
  readonly entry: number;
  readonly sections: readonly Section[];
  symbol(name: string): number | undefined;
  /** The bytes of all stored, allocated sections from the lowest load address on, gaps filled with zeros. */
  image(): Image;
  /** The bytes of each stored, allocated section, where it runs. */
  images(): readonly Image[];
}

export function readElf(file: Uint8Array): Elf {
  const v = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (v.getUint32(0, false) !== 0x7f454c46) throw new Error('not an ELF file');
  const wide = file[4] === 2;
  const word = (at: number): number => (wide ? Number(v.getBigUint64(at, true)) : v.getUint32(at, true));
  const shoff = word(wide ? 40 : 32);
  const [shentsize, shnum, shstrndx] = [0, 2, 4].map((k) => v.getUint16((wide ? 58 : 46) + k, true)) as [
    number,
    number,
    number,
  ];
  const header = (
    i: number,
  ): {
    name: number;
    type: number;
    flags: number;
    address: number;
    offset: number;
    bytes: number;
    link: number;
    align: number;
  } => {
    const at = shoff + i * shentsize;
    return wide
      ? {
          name: v.getUint32(at, true),
          type: v.getUint32(at + 4, true),
          flags: word(at + 8),
          address: word(at + 16),
          offset: word(at + 24),
          bytes: word(at + 32),
          link: v.getUint32(at + 40, true),
          align: word(at + 48),
        }
      : {
          name: v.getUint32(at, true),
          type: v.getUint32(at + 4, true),
          flags: word(at + 8),
          address: word(at + 12),
          offset: word(at + 16),
          bytes: word(at + 20),
          link: v.getUint32(at + 24, true),
          align: word(at + 32),
        };
  };
  const headers = Array.from({ length: shnum }, (_, i) => header(i));
  const text = (table: number, at: number): string => {
    const from = (headers[table]?.offset ?? 0) + at;
    return new TextDecoder().decode(file.subarray(from, file.indexOf(0, from)));
  };
  const sections = headers.map(
    (h): Section => ({
      name: text(shstrndx, h.name),
      address: h.address,
      bytes: h.bytes,
      align: h.align,
      offset: h.offset,
      allocated: (h.flags & 2) !== 0,
      writable: (h.flags & 1) !== 0,
      stored: h.type !== 8 && h.type !== 0,
      grouped: (h.flags & 0x200) !== 0,
    }),
  );
  const symbols = (): ReadonlyMap<string, number> => {
    const out = new Map<string, number>();
    headers.forEach((h) => {
      if (h.type !== 2) return;
      const size = wide ? 24 : 16;
      for (let at = h.offset; at < h.offset + h.bytes; at += size)
        out.set(text(h.link, v.getUint32(at, true)), word(wide ? at + 8 : at + 4));
    });
    return out;
  };
  return {
    entry: word(24),
    sections,
    symbol: (name) => symbols().get(name),
    image() {
      const loads = programHeaders(v, wide ? 64 : 32).filter((p) => p.type === 1 && p.fileBytes > 0);
      const base = Math.min(...loads.map((p) => p.physical));
      const end = Math.max(...loads.map((p) => p.physical + p.fileBytes));
      const bytes = new Uint8Array(loads.length > 0 ? end - base : 0);
      for (const p of loads) bytes.set(file.subarray(p.offset, p.offset + p.fileBytes), p.physical - base);
      return { base: loads.length > 0 ? base : 0, bytes };
    },
    images: () =>
      sections
        .filter((s) => s.allocated && s.stored && s.bytes > 0)
        .map((s) => ({ base: s.address, bytes: file.subarray(s.offset, s.offset + s.bytes) })),
  };
}

function programHeaders(
  v: DataView,
  bits: 32 | 64,
): readonly {
  readonly type: number;
  readonly offset: number;
  readonly physical: number;
  readonly fileBytes: number;
}[] {
  const wide = bits === 64;
  const word = (at: number): number => (wide ? Number(v.getBigUint64(at, true)) : v.getUint32(at, true));
  const phoff = word(wide ? 32 : 28);
  const [size, count] = [v.getUint16(wide ? 54 : 42, true), v.getUint16(wide ? 56 : 44, true)];
  return Array.from({ length: count }, (_, i) => {
    const at = phoff + i * size;
    return wide
      ? { type: v.getUint32(at, true), offset: word(at + 8), physical: word(at + 24), fileBytes: word(at + 32) }
      : { type: v.getUint32(at, true), offset: word(at + 4), physical: word(at + 12), fileBytes: word(at + 16) };
  });
}

/** Bytes by where they end up: code and constants in flash, initialised and zeroed data in RAM. */
export function sizesOf(elf: Elf): { readonly text: number; readonly data: number; readonly bss: number } {
  const sum = (want: (s: Section) => boolean): number =>
    elf.sections.filter((s) => s.allocated && want(s)).reduce((n, s) => n + s.bytes, 0);
  return {
    text: sum((s) => s.stored && !s.writable),
    data: sum((s) => s.stored && s.writable),
    bss: sum((s) => !s.stored),
  };
}
