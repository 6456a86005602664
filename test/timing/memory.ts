/**
 * Memory in time: flash words, prefetch, caches, banks, write buffer, code over the system bus. All on a Cortex-M4; every
 * flash here has 5 wait states. Straight code is compared at two lengths, so that what its begin and end cost drops out.
 */
import type { Timing, TimingRegion } from '../../boards/board.ts';
import { an386, type Piece, times } from './machine.ts';
import type { Experiment, Found, Observation } from './rules.ts';

export const memorySources = {
  F4:
    'ST RM0090 / RM0390, 3.4 and 3.5: 128-bit flash words; 64 instruction lines and 8 data lines of 128 bits, least ' +
    'recently used first; prefetch of the next line; what was read for a miss is copied into the cache',
  L4: 'ST RM0432, 3.3: 64-bit reads with two banks, 128-bit with one; 32 instruction lines and 8 data lines of 256 bits',
  T: 'Arm DDI 0439, 2.3.1 and 3.3.2: fetches over the system bus are slower and share it with data; the write buffer',
  A: 'Arm article 103488664: the CPU fetches up to three words ahead',
  M7: 'Arm DDI 0489 (Cortex-M7 TRM), 5: write-back with write allocation, store buffer, eviction',
} as const;

const machine = an386;
const waits = 5;
const ram: readonly TimingRegion[] = [
  { name: 'ram', base: '0x20000000', bytes: 0x400000 },
  { name: 'shared', base: '0x21000000', bytes: 0x1000000 },
];
const code: TimingRegion = { name: 'code', base: '0x0', bytes: 0x400000 };
const flash = { ...code, name: 'flash', readWait: waits, unit: 16 } as const;
const f4Caches = [
  { name: 'i', lines: 64, lineBytes: 16 },
  { name: 'd', lines: 8, lineBytes: 16 },
] as const;
const l4Caches = [
  { name: 'i', lines: 32, lineBytes: 32, sectorBytes: 8 },
  { name: 'd', lines: 8, lineBytes: 32, sectorBytes: 8 },
] as const;
const cached = { instructions: 'i', data: 'd' } as const;
const on = (flash: TimingRegion, caches: Timing['caches'] = []): Timing => ({
  core: 'cortex-m4',
  caches,
  regions: [flash, ...ram],
});
const bare = on(flash);
const f4 = on({ ...flash, prefetch: true, ...cached }, f4Caches);
const l4 = on({ ...flash, unit: 8, banks: 2, prefetch: true, ...cached }, l4Caches);

const wide = (n: number): string => times(n, 'add.w r4, r4, #1');
const narrow = (n: number): string => times(n, 'adds r4, #1');
const bothLengths = (name: string, text: (n: number) => string): readonly Piece[] =>
  [32, 64].map((n) => ({ name: `${name} ${n}`, text: text(n) }));
/** Cycles of the second 32 instructions. */
const second32 =
  (name: string, run: 'cold' | 'warm'): Observation['of'] =>
  (m) =>
    m(`${name} 64`)[run].cycles - m(`${name} 32`)[run].cycles;
const straight: readonly Piece[] = [...bothLengths('wide', wide), ...bothLengths('narrow', narrow)];

const flashWords: Experiment = {
  name: 'flash words without prefetch and cache',
  machine,
  timing: bare,
  pieces: [...straight, { name: 'four loads', text: times(4, 'ldr r4, [r1]') }],
  observations: [
    ...(['cold', 'warm'] as const).flatMap((run): readonly Observation[] => [
      {
        rule: `32 instructions of 32 bits, ${run}: 8 words wait`,
        source: 'F4',
        of: second32('wide', run),
        expected: 32 + 8 * waits,
      },
      {
        rule: `32 of 16 bits, ${run}: 4 words wait`,
        source: 'F4',
        of: second32('narrow', run),
        expected: 32 + 4 * waits,
      },
      {
        rule: `each of four reads of flash waits, ${run}`,
        source: 'F4',
        of: (m) => m('four loads')[run].causes.data,
        expected: 4 * waits,
      },
    ]),
  ],
};
const prefetch: Experiment = {
  name: 'prefetch without cache',
  machine,
  timing: on({ ...flash, prefetch: true }),
  pieces: straight,
  observations: [
    {
      rule: '32 instructions of 32 bits: 4 of 6 cycles of a word are hidden',
      source: 'F4',
      of: second32('wide', 'cold'),
      expected: 32 + 8 * (1 + waits - 4),
    },
    { rule: '32 of 16 bits: all are', source: 'F4', of: second32('narrow', 'cold'), expected: 32 },
  ],
};

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
const misses = (source: string, names: readonly string[], expected: readonly number[]): readonly Observation[] =>
  names.map((name, i) => ({
    rule: `${name}: misses`,
    source,
    of: (m) => m(name).cold.dataMisses,
    expected: expected[i] ?? Number.NaN,
  }));
const dataNames = data.map((p) => p.name);
const f4Cache: Experiment = {
  name: 'prefetch and caches of an STM32F4',
  machine,
  timing: f4,
  pieces: [...straight, ...data.slice(0, 4)],
  observations: [
    {
      rule: '32 instructions of 32 bits, cold',
      source: 'F4',
      of: second32('wide', 'cold'),
      expected: 32 + 8 * (1 + waits - 4),
    },
    { rule: 'warm: the cache has what came late', source: 'F4', of: second32('wide', 'warm'), expected: 32 },
    { rule: 'warm: misses', source: 'F4', of: (m) => m('wide 64').warm.fetchMisses, expected: 0 },
    { rule: '32 of 16 bits, warm', source: 'F4', of: second32('narrow', 'warm'), expected: 32 },
    ...misses('F4', dataNames.slice(0, 4), [1, 1, 1, 2]),
    { rule: 'one, warm: waiting', source: 'F4', of: (m) => m('one').warm.causes.data, expected: 0 },
  ],
};
const l4Cache: Experiment = {
  name: 'data cache of an STM32L4R5: parts of 64 bits, eight lines',
  machine,
  timing: l4,
  pieces: data,
  observations: [
    ...misses('L4', dataNames, [1, 1, 2, 2, 8, 18]),
    ...dataNames.slice(0, 5).map((name) => ({
      rule: `${name}: misses the second time`,
      source: 'L4',
      of: (m: Found) => m(name).warm.dataMisses,
      expected: 0,
    })),
  ],
};

const threeTurns = (lines: number): Piece => ({
  name: `${lines} lines`,
  text: `movs r5, #3\n.balign 16\n1:\n${wide(4 * lines - 2)}subs r5, #1\nbne.w 1b`,
});
/** Of a loop alone: what stands before and behind it is in at most three lines more. */
const linesPerTurn =
  (lines: number): Observation['of'] =>
  (m) =>
    Math.floor(m(`${lines} lines`).cold.fetchMisses / lines);
const capacity: Experiment = {
  name: 'instruction cache of an STM32F4 without prefetch: 64 lines',
  machine,
  timing: on({ ...flash, ...cached }, f4Caches),
  pieces: [threeTurns(60), threeTurns(70)],
  observations: [
    { rule: 'three turns of a loop of 60 lines: misses of each line', source: 'F4', of: linesPerTurn(60), expected: 1 },
    { rule: 'three turns of a loop of 70 lines: misses of each line', source: 'F4', of: linesPerTurn(70), expected: 3 },
  ],
};

/** r1 points into the lower half of the flash, r9 into the upper one. */
const bankPieces: readonly Piece[] = [
  ['same', 'r1'],
  ['other', 'r9'],
].map(([name = '', base = '']) => ({
  name,
  text: `movw r9, #0\nmovt r9, #0x30\n.balign 16\nldr.w r4, [${base}]\nadd.w r5, r5, #1`,
}));
const oneBank: Experiment = {
  name: 'one bank',
  machine,
  timing: f4,
  pieces: bankPieces,
  // The prefetch begins as its line's predecessor comes, and the load with it; then 1 + 5 cycles to wait, and its own 5.
  observations: ['same', 'other'].map((name) => ({
    rule: `a read of flash waits for the prefetch that has begun, ${name} half`,
    source: 'L4',
    of: (m) => m(name).cold.causes.data,
    expected: 1 + waits + waits,
  })),
};
const twoBanks: Experiment = {
  name: 'two banks',
  machine,
  timing: on({ ...flash, banks: 2, prefetch: true, ...cached }, f4Caches),
  pieces: bankPieces,
  observations: [
    {
      rule: 'in the bank that the code is in',
      source: 'L4',
      of: (m) => m('same').cold.causes.data,
      expected: 1 + waits + waits,
    },
    { rule: 'in the other', source: 'L4', of: (m) => m('other').cold.causes.data, expected: waits },
  ],
};

const stalls = (source: string, expected: Readonly<Record<string, number>>): readonly Observation[] =>
  Object.entries(expected).map(([name, cycles]) => ({
    rule: `${name}: waiting`,
    source,
    of: (m) => m(name).cold.causes.data,
    expected: cycles,
  }));
const slowRam: TimingRegion = { name: 'slow', base: '0x20000000', bytes: 0x400000, readWait: 2, writeWait: 3 };
const slow = (caches: Timing['caches'], region: TimingRegion): Timing => ({
  core: 'cortex-m4',
  caches,
  regions: [code, region, { name: 'shared', base: '0x21000000', bytes: 0x1000000 }],
});
const writeBuffer: Experiment = {
  name: 'a store leaves through a buffer: RAM that is read with 2 and written with 3 wait states',
  machine,
  timing: slow([], slowRam),
  pieces: [
    { name: 'one store', text: `str r4, [r0]\n${narrow(4)}` },
    { name: 'two stores', text: 'str r4, [r0]\nstr r4, [r0, #4]' },
    { name: 'two stores, work between', text: `str r4, [r0]\n${narrow(3)}\nstr r4, [r0, #4]` },
    { name: 'a load after a store', text: `str r4, [r0]\n${narrow(1)}\nldr r5, [r0, #4]` },
  ],
  // Second store at 1 with the buffer busy up to 4; load at 2, waits for the buffer and then for itself.
  observations: stalls('T', {
    'one store': 0,
    'two stores': 3,
    'two stores, work between': 0,
    'a load after a store': 2 + 2,
  }),
};

const writePieces: readonly Piece[] = [
  { name: 'a store that misses', text: `str r4, [r0]\n${narrow(8)}` },
  {
    name: 'a load that misses, four stores that hit',
    text: `ldr r4, [r0]\n${narrow(8)}${times(4, 'str r4, [r0, #4]')}`,
  },
  { name: 'two stores that miss', text: 'str r4, [r0]\nstr r4, [r0, #32]' },
  { name: 'loads over a clean line', text: `ldr r4, [r0]\n${narrow(8)}ldr r4, [r0, #32]\nldr r4, [r0, #64]` },
  { name: 'loads over a written line', text: `str r4, [r0]\n${narrow(8)}ldr r4, [r0, #32]\nldr r4, [r0, #64]` },
];
const writeCache = (writes: 'back' | 'through', waiting: readonly number[], missed: readonly number[]): Experiment => ({
  name: `a cache of one line, written ${writes}`,
  machine,
  timing: slow([{ name: 'd', lines: 1, lineBytes: 32, writes }], { ...slowRam, data: 'd' }),
  pieces: writePieces,
  observations: [
    ...stalls('M7', Object.fromEntries(waiting.map((cycles, i) => [writePieces[i]?.name ?? '', cycles]))),
    ...misses(
      'M7',
      writePieces.map((p) => p.name),
      missed,
    ),
  ],
});
// Two misses: the buffer is full up to cycle 3, the second store comes at 1, and waits. Over a written line: the loads come
// at 9 and 13; the line of the first comes at 11, the written one is gone at 15; 2 cycles of the first, 2 + 2 of the second.
const writeBack = writeCache('back', [0, 2, 2, 2 + 2 + 2, 2 + 4], [1, 1, 2, 3, 3]);
// A store that misses fills nothing; each takes 1 + 3 in the buffer.
const writeThrough = writeCache('through', [0, 2 + 3 * 3, 3], [0, 1, 0, 3, 2]);

const loads = (n: number): string => times(n, 'ldr r4, [r0]');
const divisions = (n: number): string => times(n, 'vdiv.f32 s0, s8, s9\nvadd.f32 s1, s8, s9');
const busPieces = (name: string, text: (n: number) => string, from: 'ram' | 'shared'): readonly Piece[] =>
  bothLengths(name, text).map((p) => ({ ...p, from }));
const systemBus: Experiment = {
  name: 'code in SRAM over the system bus, and in the same memory at an alias on the code bus',
  machine,
  timing: {
    core: 'cortex-m4',
    caches: [],
    regions: [
      code,
      { name: 'system', base: '0x20000000', bytes: 0x400000, fetchWait: 1, bus: 1 },
      { name: 'alias', base: '0x21000000', bytes: 0x1000000 },
    ],
  },
  pieces: [
    ...busPieces('wide system', wide, 'ram'),
    ...busPieces('wide alias', wide, 'shared'),
    ...busPieces('narrow system', narrow, 'ram'),
    ...busPieces('narrow alias', narrow, 'shared'),
    ...busPieces('loads system', loads, 'ram'),
    ...busPieces('loads alias', loads, 'shared'),
    ...busPieces('divisions', divisions, 'ram'),
  ],
  observations: [
    {
      rule: '32 instructions of 32 bits: a word every second cycle',
      source: 'T',
      of: second32('wide system', 'cold'),
      expected: 64,
    },
    { rule: 'at the alias every cycle', source: 'T', of: second32('wide alias', 'cold'), expected: 32 },
    {
      rule: '32 of 16 bits: two come with each word',
      source: 'T',
      of: second32('narrow system', 'cold'),
      expected: 32,
    },
    { rule: 'at the alias the same', source: 'T', of: second32('narrow alias', 'cold'), expected: 32 },
    {
      rule: '32 loads from that memory take turns with the code',
      source: 'T',
      of: second32('loads system', 'cold'),
      expected: 64,
    },
    { rule: 'at the alias they do not', source: 'T', of: second32('loads alias', 'cold'), expected: 32 },
    {
      rule: 'fetching ahead hides behind 32 divisions of 14 + 1',
      source: 'A',
      of: second32('divisions', 'cold'),
      expected: 32 * 15,
    },
  ],
};

export const memoryExperiments: readonly Experiment[] = [
  flashWords,
  prefetch,
  f4Cache,
  capacity,
  l4Cache,
  oneBank,
  twoBanks,
  writeBuffer,
  writeBack,
  writeThrough,
  systemBus,
];
