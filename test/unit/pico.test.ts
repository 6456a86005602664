/** The parts of the emulated Pico against simpler statements of what they must do, and the files that a real one takes. */
import { expect, test } from 'vitest';
import { CycleClock } from '../../boards/pico/emulator/clock.ts';
import { addWithCarry, type Shift, shifted } from '../../boards/pico/emulator/flags.ts';
import { granule, Mpu, may, privileged } from '../../boards/pico/emulator/mpu.ts';
import { XipCache } from '../../boards/pico/emulator/xip.ts';
import { crc32Mpeg2, uf2 } from '../../boards/pico/image.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

/** Words with many bits alike, where carries and signs go wrong. */
const word = (random: Random): number => {
  const edges = [0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff];
  return random.int(0, 1) === 0 ? (edges[random.int(0, edges.length - 1)] ?? 0) : random.int(0, 0xffffffff) >>> 0;
};

test('sums with carry are those of wide integers', () => {
  const random = new Random(1);
  for (let i = 0; i < samples(2000, 200_000); i++) {
    const [a, b, carry] = [word(random), word(random), random.int(0, 1) === 1];
    const signed = (n: number): bigint => BigInt.asIntN(32, BigInt(n));
    const wide = BigInt(a) + BigInt(b) + (carry ? 1n : 0n);
    const wideSigned = signed(a) + signed(b) + (carry ? 1n : 0n);
    expect(addWithCarry(a, b, carry)).toEqual({
      value: Number(BigInt.asUintN(32, wide)),
      carry: wide >= 1n << 32n,
      overflow: BigInt.asIntN(32, wideSigned) !== wideSigned,
    });
  }
});

/** A place at a time, the bit that falls out is the carry. */
function slowly(kind: Shift, value: number, n: number, carry: boolean): { value: number; carry: boolean } {
  let [now, out] = [BigInt(value), carry];
  for (let i = 0; i < n; i++) {
    const [low, high] = [now & 1n, now >> 31n];
    out = (kind === 'left' ? high : low) === 1n;
    if (kind === 'left') now = (now << 1n) & 0xffffffffn;
    else now = (now >> 1n) | ((kind === 'arithmetic' ? high : kind === 'rotate' ? low : 0n) << 31n);
  }
  return { value: Number(now), carry: out };
}
test('shifts by a register are those of a place at a time', () => {
  const random = new Random(2);
  for (let i = 0; i < samples(2000, 100_000); i++) {
    const kind = (['left', 'right', 'arithmetic', 'rotate'] as const)[i % 4] ?? 'left';
    const [value, n, carry] = [word(random), random.int(0, i % 3 === 0 ? 255 : 34), random.int(0, 1) === 1];
    expect(shifted(kind, value, n, carry), `${kind} ${value} ${n}`).toEqual(slowly(kind, value, n, carry));
  }
});

test('the flash cache hits what a list of recent halves of lines holds', () => {
  const random = new Random(3);
  const cache = new XipCache();
  cache.missCycles = 40;
  /** Per set the lines, used last first, with the words that are there. */
  const sets = new Map<number, { readonly line: number; readonly words: Set<number> }[]>();
  let hits = 0;
  for (let i = 0; i < samples(20_000, 1_000_000); i++) {
    // Few sets, few lines that compete for each.
    const address = 0x10000000 + random.int(0, 3) * 8192 + random.int(0, 7) * 8 + random.int(0, 7);
    const set = sets.get((address >>> 3) & 1023) ?? [];
    sets.set((address >>> 3) & 1023, set);
    const line = address >>> 3;
    const found = set.find((l) => l.line === line) ?? { line, words: new Set<number>() };
    if (random.int(0, 50) === 0) {
      cache.drop(address);
      sets.set(
        (address >>> 3) & 1023,
        set.filter((l) => l.line !== line),
      );
      continue;
    }
    const hit = found.words.has(address >>> 2);
    expect(cache.read(address)).toBe(hit ? 0 : 40);
    if (hit) hits++;
    found.words.add(address >>> 2);
    sets.set((address >>> 3) & 1023, [found, ...set.filter((l) => l !== found)].slice(0, 2));
  }
  expect(cache.hits).toBe(hits);
  expect(hits).toBeGreaterThan(100);
  cache.flush();
  expect(cache.read(0x10000000)).toBe(40);
  expect([cache.read(0x13000000), cache.read(0x13000000)]).toEqual([40, 40]);
});

test('the MPU gives the rights of the last region that holds an address, else those of privileged code', () => {
  const random = new Random(4);
  const [control, base, attributes] = [0xd94, 0xd9c, 0xda0];
  for (let i = 0; i < samples(30, 1000); i++) {
    const mpu = new Mpu();
    const regions = Array.from({ length: 8 }, (_, n) => {
      const log2 = random.int(8, 18);
      return { n, log2, at: 0x20000000 + random.int(0, 2 ** (18 - log2) - 1) * 2 ** log2, access: random.int(0, 7) };
    }).map((r) => ({ ...r, never: random.int(0, 1), without: random.int(0, 255), on: random.int(0, 3) > 0 ? 1 : 0 }));
    for (const r of regions) {
      mpu.write(base, r.at | 0x10 | r.n);
      mpu.write(attributes, (r.never << 28) | (r.access << 24) | (r.without << 8) | ((r.log2 - 1) << 1) | r.on);
    }
    expect(mpu.rights(0x20000000)).toBe(may.all);
    mpu.write(control, 5);
    const all = new Uint8Array(2 ** 18 / granule);
    mpu.fill(all, 0x20000000);
    for (let k = 0; k < 200; k++) {
      const address = 0x20000000 + random.int(0, 2 ** 18 - 1);
      const held = regions.findLast(
        (r) =>
          r.on === 1 &&
          address >= r.at &&
          address < r.at + 2 ** r.log2 &&
          ((r.without >>> ((address - r.at) >>> (r.log2 - 3))) & 1) === 0,
      );
      const rights = mpu.rights(address);
      expect(all[(address - 0x20000000) >>> 5]).toBe(rights);
      const reads = held === undefined ? false : [2, 3, 6, 7].includes(held.access);
      const writes = held?.access === 3;
      expect((rights & may.read) !== 0, `read ${address.toString(16)}`).toBe(reads);
      expect((rights & may.write) !== 0).toBe(writes);
      expect((rights & may.execute) !== 0).toBe(reads && held?.never === 0);
      const ofPrivileged = held === undefined || [1, 2, 3].includes(held.access);
      expect(((rights >> privileged) & may.write) !== 0).toBe(ofPrivileged);
    }
  }
});

test('alarms go off in the order of their times, also where the frequency changes', () => {
  const clock = new CycleClock(1e9);
  const gone: string[] = [];
  const late = clock.createAlarm(() => gone.push(`late ${clock.nanos}`));
  const early = clock.createAlarm(() => {
    gone.push(`early ${clock.nanos}`);
    if (gone.length < 3) early.schedule(10);
  });
  const never = clock.createAlarm(() => gone.push('never'));
  late.schedule(100);
  early.schedule(30);
  never.schedule(50);
  never.cancel();
  expect(clock.due).toBe(30);
  while (clock.due < 1000) {
    clock.cycles = clock.due;
    clock.fire();
    if (gone.length === 2) clock.setFrequency(0.5e9);
  }
  expect(gone).toEqual(['early 30', 'early 40', 'early 50', 'late 100']);
});

test("the boot's checksum is CRC-32/MPEG-2", () => {
  expect(crc32Mpeg2(Buffer.from('123456789'))).toBe(0x0376e6e7);
});

test('a UF2 file holds every byte once, at its address, for an RP2040', () => {
  const random = new Random(5);
  for (const length of [1, 256, 4096, 4097, 9000]) {
    const bytes = Uint8Array.from({ length }, () => random.int(0, 255));
    const file = Buffer.from(uf2(bytes, 0x10000000));
    expect(file.length % 512).toBe(0);
    const image = Buffer.alloc(Math.ceil(length / 256) * 256, 0xff);
    for (let at = 0; at < file.length; at += 512) {
      const words = Array.from({ length: 8 }, (_, i) => file.readUInt32LE(at + 4 * i));
      const [magic, second, flags, address, size, number, of, family] = words as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      expect([magic, second, flags, size, family]).toEqual([0x0a324655, 0x9e5d5157, 0x2000, 256, 0xe48bff56]);
      expect([number, of]).toEqual([at / 512, file.length / 512]);
      expect(file.readUInt32LE(at + 508)).toBe(0x0ab16f30);
      file.copy(image, address - 0x10000000, at + 32, at + 32 + size);
    }
    expect(image.subarray(0, length)).toEqual(Buffer.from(bytes));
    expect(image.subarray(length).every((b) => b === 0)).toBe(true);
  }
});
