/**
 * Memory in time: flash words, prefetch, caches, banks, write buffer, code over the system bus. Numbers follow from:
 *   [F4] ST RM0090 / RM0390, 3.4 and 3.5: 128-bit flash words; 64 instruction lines and 8 data lines of 128 bits, least
 *        recently used first; prefetch of the next line; "each time a miss occurs … the line read is copied" into the cache
 *   [L4] ST RM0432, 3.3: 64-bit reads with two banks, 128-bit with one; 32 instruction lines and 8 data lines of 256 bits
 *   [T]  Arm DDI 0439, 2.3.1 and 3.3.2: fetches over the system bus are slower and share it with data; the write buffer
 *   [A]  Arm article 103488664: the CPU fetches up to three words ahead
 *   [M7] Arm DDI 0489 (Cortex-M7 TRM), 5: write-back with write allocation, store buffer, eviction
 * Every flash here has 5 wait states. Straight code is compared at two lengths, so that what its begin and end cost drops out.
 */
import { beforeAll, expect, test } from 'vitest';
import type { Timing, TimingRegion } from '../../boards/board.ts';
import { an386, type Measured, measure, type Piece, times } from '../timing/machine.ts';

const machine = an386;
const waits = 5;
const ram: readonly TimingRegion[] = [
  { name: 'ram', base: '0x20000000', bytes: 0x400000 },
  { name: 'shared', base: '0x21000000', bytes: 0x1000000 },
];
const flash = { name: 'flash', base: '0x0', bytes: 0x400000, readWait: waits, unit: 16 } as const;
const f4Caches = [
  { name: 'i', lines: 64, lineBytes: 16 },
  { name: 'd', lines: 8, lineBytes: 16 },
] as const;
const l4Caches = [
  { name: 'i', lines: 32, lineBytes: 32, sectorBytes: 8 },
  { name: 'd', lines: 8, lineBytes: 32, sectorBytes: 8 },
] as const;
const bare: Timing = { core: 'cortex-m4', caches: [], regions: [flash, ...ram] };
const ahead: Timing = { ...bare, regions: [{ ...flash, prefetch: true }, ...ram] };
const f4: Timing = {
  core: 'cortex-m4',
  caches: f4Caches,
  regions: [{ ...flash, prefetch: true, instructions: 'i', data: 'd' }, ...ram],
};
const l4: Timing = {
  core: 'cortex-m4',
  caches: l4Caches,
  regions: [{ ...flash, unit: 8, banks: 2, prefetch: true, instructions: 'i', data: 'd' }, ...ram],
};

const wide = (n: number): string => times(n, 'add.w r4, r4, #1');
const narrow = (n: number): string => times(n, 'adds r4, #1');
const bothLengths = (name: string, text: (n: number) => string): readonly Piece[] =>
  [32, 64].map((n) => ({ name: `${name} ${n}`, text: text(n) }));
/** Cycles of the second 32 instructions. */
const marginal = (measured: (name: string) => Measured, name: string, run: 'cold' | 'warm'): number =>
  measured(`${name} 64`)[run].cycles - measured(`${name} 32`)[run].cycles;

const straight: readonly Piece[] = [...bothLengths('wide', wide), ...bothLengths('narrow', narrow)];

test('[F4] without prefetch and cache each flash word costs its wait states, every time', async () => {
  const m = await measure(machine, bare, straight);
  for (const run of ['cold', 'warm'] as const) {
    expect(marginal(m, 'wide', run)).toBe(32 + 8 * waits);
    expect(marginal(m, 'narrow', run)).toBe(32 + 4 * waits);
  }
});

test('[F4] prefetch hides what the running word takes: 4 of 6 cycles with 32-bit code, all with 16-bit code', async () => {
  const m = await measure(machine, ahead, straight);
  expect(marginal(m, 'wide', 'cold')).toBe(32 + 8 * (1 + waits - 4));
  expect(marginal(m, 'narrow', 'cold')).toBe(32);
});

test('[F4] the second time the cache has what came late', async () => {
  const m = await measure(machine, f4, straight);
  expect(marginal(m, 'wide', 'cold')).toBe(32 + 8 * (1 + waits - 4));
  expect(marginal(m, 'wide', 'warm')).toBe(32);
  expect(m('wide 64').warm.fetchMisses).toBe(0);
  expect(marginal(m, 'narrow', 'warm')).toBe(32);
});

test('[F4] a loop of 60 lines stays in the 64 lines of the cache, one of 70 throws itself out', async () => {
  const noPrefetch: Timing = { ...f4, regions: [{ ...flash, instructions: 'i', data: 'd' }, ...ram] };
  const loop = (lines: number): Piece => ({
    name: `${lines} lines`,
    text: `movs r5, #3\n.balign 16\n1:\n${wide(4 * lines - 2)}subs r5, #1\nbne.w 1b`,
  });
  const m = await measure(machine, noPrefetch, [loop(60), loop(70)]);
  const misses = (lines: number): number => m(`${lines} lines`).cold.fetchMisses;
  expect(misses(60)).toBeGreaterThanOrEqual(60);
  expect(misses(60)).toBeLessThan(64);
  expect(misses(70)).toBeGreaterThanOrEqual(3 * 70);
});

const data: readonly Piece[] = [
  { name: 'one', text: 'ldr r4, [r1]' },
  { name: 'same word', text: 'ldr r4, [r1]\nldr r4, [r1, #4]' },
  { name: 'next 8 bytes', text: 'ldr r4, [r1]\nldr r4, [r1, #8]' },
  { name: 'next 16 bytes', text: 'ldr r4, [r1]\nldr r4, [r1, #16]' },
  ...[8, 9].map((n) => ({
    name: `${n} lines twice`,
    text: `mov r6, #2\n2: mov r5, r1\nmov r7, #${n}\n1: ldr r4, [r5], #32\nsubs r7, #1\nbne 1b\nsubs r6, #1\nbne 2b`,
  })),
];

test('[L4] data come in parts of 64 bits; 8 lines are kept', async () => {
  const m = await measure(machine, l4, data);
  expect(data.map((p) => m(p.name).cold.dataMisses)).toEqual([1, 1, 2, 2, 8, 18]);
  expect(data.slice(0, 5).map((p) => m(p.name).warm.dataMisses)).toEqual([0, 0, 0, 0, 0]);
});

test('[F4] data come in lines of 128 bits', async () => {
  const m = await measure(machine, f4, data);
  expect(data.slice(0, 4).map((p) => m(p.name).cold.dataMisses)).toEqual([1, 1, 1, 2]);
  expect(m('one').warm.causes.data).toBe(0);
});

test('without a data cache every read of flash waits', async () => {
  const m = await measure(machine, bare, [{ name: 'four', text: times(4, 'ldr r4, [r1]') }]);
  for (const run of ['cold', 'warm'] as const) expect(m('four')[run].causes.data).toBe(4 * waits);
});

test('[L4] one bank: data wait for the prefetch that has begun; the other bank is free', async () => {
  const load: Piece = { name: 'same', text: 'ldr.w r4, [r1]\nadd.w r5, r5, #1' };
  const other: Piece = { name: 'other', text: 'ldr.w r4, [r9]\nadd.w r5, r5, #1' };
  // r1 points into the lower half of the flash, r9 into the upper one.
  const prefix = 'movw r9, #0\nmovt r9, #0x30\n.balign 16\n';
  const pieces = [load, other].map((p) => ({ name: p.name, text: `${prefix}${p.text}` }));
  const two: Timing = {
    ...f4,
    regions: [{ ...flash, banks: 2, prefetch: true, instructions: 'i', data: 'd' }, ...ram],
  };
  const dual = await measure(machine, two, pieces);
  const single = await measure(machine, f4, pieces);
  expect(dual('other').cold.causes.data).toBe(waits);
  expect(single('same').cold.causes.data).toBe(dual('same').cold.causes.data);
  expect(single('other').cold.causes.data).toBe(single('same').cold.causes.data);
  // The prefetch begins as its line's predecessor comes, and the load with it; then 1 + 5 cycles to wait, and its own 5.
  expect(single('same').cold.causes.data).toBe(1 + waits + waits);
});

const stores: Timing = {
  core: 'cortex-m4',
  caches: [],
  regions: [
    { name: 'code', base: '0x0', bytes: 0x400000 },
    { name: 'slow', base: '0x20000000', bytes: 0x400000, readWait: 2, writeWait: 3 },
    { name: 'shared', base: '0x21000000', bytes: 0x1000000 },
  ],
};
test('[T] a store leaves through a buffer: the next access waits, other work does not', async () => {
  const m = await measure(machine, stores, [
    { name: 'one', text: `str r4, [r0]\n${narrow(4)}` },
    { name: 'two', text: 'str r4, [r0]\nstr r4, [r0, #4]' },
    { name: 'apart', text: `str r4, [r0]\n${narrow(3)}\nstr r4, [r0, #4]` },
    { name: 'load', text: `str r4, [r0]\n${narrow(1)}\nldr r5, [r0, #4]` },
  ]);
  const stalls = ['one', 'two', 'apart', 'load'].map((n) => m(n).cold.causes.data);
  // Second store at 1 with the buffer busy up to 4; load at 2, waits for the buffer and then for itself.
  expect(stalls).toEqual([0, 3, 0, 2 + 2]);
});

test('[M7] a write-back cache: stores wait for their line in the buffer, written lines leave behind the new one', async () => {
  const slow = { name: 'slow', base: '0x20000000', bytes: 0x400000, readWait: 2, writeWait: 3, data: 'd' } as const;
  const timing = (writes: 'back' | 'through'): Timing => ({
    core: 'cortex-m4',
    caches: [{ name: 'd', lines: 1, lineBytes: 32, writes }],
    regions: [
      { name: 'code', base: '0x0', bytes: 0x400000 },
      slow,
      { name: 'shared', base: '0x21000000', bytes: 0x1000000 },
    ],
  });
  const pieces = [
    { name: 'miss', text: `str r4, [r0]\n${narrow(8)}` },
    { name: 'hits', text: `ldr r4, [r0]\n${narrow(8)}${times(4, 'str r4, [r0, #4]')}` },
    { name: 'two misses', text: 'str r4, [r0]\nstr r4, [r0, #32]' },
    { name: 'over clean', text: `ldr r4, [r0]\n${narrow(8)}ldr r4, [r0, #32]\nldr r4, [r0, #64]` },
    { name: 'over written', text: `str r4, [r0]\n${narrow(8)}ldr r4, [r0, #32]\nldr r4, [r0, #64]` },
  ];
  const back = await measure(machine, timing('back'), pieces);
  const stalls = (m: typeof back): readonly number[] => pieces.map((p) => m(p.name).cold.causes.data);
  // Two misses: the buffer is full up to cycle 3, the second store comes at 1, and waits. Over written: the loads come at 9
  // and 13; the line of the first comes at 11, the written one is gone at 15; 2 cycles of the first, 2 + 2 of the second.
  expect(stalls(back)).toEqual([0, 2, 2, 2 + 2 + 2, 2 + 4]);
  expect(pieces.map((p) => back(p.name).cold.dataMisses)).toEqual([1, 1, 2, 3, 3]);
  // Written through, a store that misses fills nothing; each takes 1 + 3 in the buffer.
  const through = await measure(machine, timing('through'), pieces);
  expect(stalls(through).slice(0, 3)).toEqual([0, 2 + 3 * 3, 3]);
  expect(pieces.map((p) => through(p.name).cold.dataMisses)).toEqual([0, 1, 0, 3, 2]);
});

/** SRAM1 over the system bus, and the same memory at an alias on the code bus. */
const system: Timing = {
  core: 'cortex-m4',
  caches: [],
  regions: [
    { name: 'code', base: '0x0', bytes: 0x400000 },
    { name: 'system', base: '0x20000000', bytes: 0x400000, fetchWait: 1, bus: 1 },
    { name: 'alias', base: '0x21000000', bytes: 0x1000000 },
  ],
};
let bus: (name: string) => Measured;
beforeAll(async () => {
  const of = (name: string, text: (n: number) => string, from: 'ram' | 'shared'): readonly Piece[] =>
    bothLengths(name, text).map((p) => ({ ...p, from }));
  const loads = (n: number): string => times(n, 'ldr r4, [r0]');
  bus = await measure(machine, system, [
    ...of('wide system', wide, 'ram'),
    ...of('wide alias', wide, 'shared'),
    ...of('narrow system', narrow, 'ram'),
    ...of('narrow alias', narrow, 'shared'),
    ...of('loads system', loads, 'ram'),
    ...of('loads alias', loads, 'shared'),
    ...of('slow system', (n) => times(n, 'vdiv.f32 s0, s8, s9\nvadd.f32 s1, s8, s9'), 'ram'),
  ]);
});
test('[T] code over the system bus: a word every second cycle; at the alias on the code bus every cycle', () => {
  expect(marginal(bus, 'wide system', 'cold')).toBe(64);
  expect(marginal(bus, 'wide alias', 'cold')).toBe(32);
});
test('[T] two instructions of 16 bits come with each word', () => {
  expect(marginal(bus, 'narrow system', 'cold')).toBe(32);
  expect(marginal(bus, 'narrow alias', 'cold')).toBe(32);
});
test('[T] data of the same bus take turns with the code', () => {
  expect(marginal(bus, 'loads system', 'cold')).toBe(64);
  expect(marginal(bus, 'loads alias', 'cold')).toBe(32);
});
test('[A] fetching ahead hides behind long instructions', () => {
  expect(marginal(bus, 'slow system', 'cold')).toBe(32 * 15);
});
