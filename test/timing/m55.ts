/** The rules of Cortex-M55, each by a sequence of instructions whose count follows from the source that is named. */
import type { Timing, TimingRegion } from '../../boards/board.ts';
import { an547, times } from './machine.ts';
import { type CoreRules, type Experiment, type Found, type Rule, withoutWaiting } from './rules.ts';

const integer: readonly Rule[] = [
  { rule: 'ADD of a constant beside an ALU instruction', source: 'L', body: 'adds r4, #1\nadds r5, r5, r6', cycles: 1 },
  { rule: 'the same the other way round', source: 'L', body: 'eors r5, r6\nadds r4, #1', cycles: 1 },
  { rule: 'MOV beside a load', source: 'L', body: 'movs r4, #1\nldr r5, [r0]', cycles: 1 },
  { rule: 'UXTB beside a store', source: 'L', body: 'uxtb r4, r5\nstr r6, [r0]', cycles: 1 },
  { rule: 'two that do not go along', source: 'L', body: 'adds r4, r4, r5\neors r6, r7', cycles: 2 },
  { rule: 'a dependent pair', source: 'L', body: 'adds r4, #1\neors r4, r5', cycles: 2 },
  { rule: 'a 32-bit instruction has no partner', source: 'L', body: 'adds r4, #1\nadd.w r5, r5, r6', cycles: 2 },
  { rule: 'NOP', source: 'L', body: 'eors r4, r5\nnop', cycles: 1 },
  { rule: 'a branch that is not taken', source: 'L', body: 'cmp r3, #4\nbne .+4', cycles: 1 },
  { rule: 'a chain of inline shifts', source: 'L, S', body: 'add.w r4, r4, r4, lsl #1', cycles: 2 },
  { rule: 'a chain of additions', source: 'L, S', body: 'add.w r4, r4, r5', cycles: 1 },
  { rule: 'a chain of products', source: 'L, S', body: 'mul r4, r4, r5', cycles: 2 },
  { rule: 'a chain of MACs: no forwarding', source: 'L', body: 'smlad r4, r5, r6, r4', cycles: 2 },
  { rule: 'independent MACs', source: 'L', body: 'smlad r4, r5, r6, r4\nsmlad r7, r5, r6, r7', cycles: 2 },
  { rule: 'a loaded word', source: 'L', body: 'ldr.w r4, [r0]\nadd.w r5, r4, #1', cycles: 3 },
  { rule: 'LDRD', source: 'S', body: 'ldrd r4, r5, [r0]', cycles: 1 },
  { rule: 'division', source: 'M', body: 'sdiv r4, r5, r3', cycles: 7 },
];

const vectors: readonly Rule[] = [
  {
    rule: 'four instructions in three pipes overlap',
    source: 'L 1st diagram',
    body: 'vldrw.32 q0, [r0]\nvadd.i32 q1, q0, q2\nvmul.i32 q3, q1, q4\nvstrw.32 q3, [r0]',
    cycles: 5,
  },
  {
    rule: 'two loads do not',
    source: 'L 2nd diagram',
    body: 'vldrw.32 q0, [r0]\nvldrb.8 q1, [r0]\nvadd.i8 q2, q1, q0\nvstrw.32 q2, [r0]',
    cycles: 6,
  },
  { rule: '16 products of bytes in two beats', source: 'L', body: 'vmladava.s8 r4, q0, q1', cycles: 2 },
  { rule: 'a load goes along with them', source: 'L', body: 'vldrb.8 q2, [r0]\nvmladava.s8 r4, q2, q1', cycles: 2 },
  {
    rule: 'a load with post-increment, too',
    source: 'L',
    body: 'vldrb.8 q2, [r0], #16\nvmladava.s8 r4, q2, q1',
    cycles: 2,
  },
  { rule: 'two integer operations', source: 'L', body: 'vadd.i8 q0, q1, q2\nveor q3, q4, q5', cycles: 4 },
  { rule: 'an integer one and a product', source: 'L', body: 'vadd.i8 q0, q1, q2\nvmul.i8 q3, q4, q5', cycles: 2 },
  {
    rule: 'a scalar instruction in the second beat',
    source: 'L',
    body: 'vadd.i8 q0, q1, q2\nadd.w r4, r4, #1',
    cycles: 2,
  },
  { rule: 'a product is there after 2', source: 'L, S', body: 'vmul.i32 q0, q0, q1\nvadd.i32 q0, q0, q2', cycles: 3 },
  { rule: 'a sum is there after 1', source: 'L, S', body: 'vadd.i32 q0, q0, q1\nvmul.i32 q3, q0, q2', cycles: 2 },
  {
    rule: 'a product is stored a cycle sooner',
    source: 'L, S',
    body: 'vmul.i32 q0, q1, q2\nvstrw.32 q0, [r0]',
    cycles: 2,
  },
  {
    rule: 'a narrowed vector is there after 3',
    source: 'L',
    body: 'vmovnb.i16 q0, q1\nvadd.i16 q2, q0, q3',
    cycles: 5,
  },
  {
    rule: 'a narrowed vector is not stored sooner',
    source: 'L',
    body: 'vmovnb.i16 q0, q1\nvstrw.32 q0, [r0]',
    cycles: 4,
  },
  { rule: 'rounding shifts take 2', source: 'L', body: 'vrshr.s32 q0, q1, #3\nvmul.i32 q2, q0, q3', cycles: 3 },
  {
    rule: 'a sum across, in a core register',
    source: 'L',
    body: 'vmladava.s8 r4, q0, q1\nadd.w r5, r4, #1',
    cycles: 3,
  },
  { rule: 'a gathering load of words', source: 'H', body: 'vldrw.u32 q0, [r0, q1]', cycles: 2 },
  { rule: 'of bytes: two a cycle', source: 'H', body: 'vldrb.u8 q0, [r0, q1]', cycles: 8 },
  {
    rule: 'its addresses are read 4 sooner',
    source: 'L',
    body: 'vadd.i32 q1, q1, q2\nvldrw.u32 q0, [r0, q1]',
    cycles: 6,
  },
  { rule: 'VCTP and VPST take one cycle each', source: 'L', body: 'vctp.8 r3\nvpst\nvaddt.i8 q0, q1, q2', cycles: 3 },
];

const floating: readonly Rule[] = [
  { rule: 'a chain of VFMA', source: 'L', body: 'vfma.f32 s0, s1, s2', cycles: 2 },
  { rule: 'a chain of VMLA', source: 'L', body: 'vmla.f32 s0, s1, s2', cycles: 4 },
  { rule: 'independent VADD and VMUL', source: 'L', body: 'vadd.f32 s0, s1, s2\nvmul.f32 s3, s4, s5', cycles: 2 },
  { rule: 'a chain of VADD', source: 'L', body: 'vadd.f32 s0, s0, s2', cycles: 2 },
  { rule: 'VLDR', source: 'L', body: 'vldr s0, [r0]\nvadd.f32 s1, s0, s2', cycles: 3 },
  { rule: 'VDIV', source: 'L', body: 'vdiv.f32 s0, s1, s2', cycles: 16 },
  { rule: 'vector VFMA', source: 'L', body: 'vfma.f32 q0, q1, q2', cycles: 2 },
];

const plain = withoutWaiting('cortex-m55', an547);
const lowOverhead = (n: number): string =>
  `mov r12, lr\nmov r4, #${n}\ndls lr, r4\n1: add.w r5, r5, #1\nadd.w r6, r6, #1\nle lr, 1b\nmov lr, r12`;
const counted = (n: number, body: string): string => `movs r4, #${n}\n1: ${body}`;
const round = (m: Found, name: string): number => (m(`${name} 20`).warm.cycles - m(`${name} 10`).warm.cycles) / 10;
const loops: Experiment = {
  name: 'loops',
  machine: an547,
  timing: plain,
  pieces: [10, 20].flatMap((n) => [
    { name: `le ${n}`, text: lowOverhead(n) },
    { name: `bne.w ${n}`, text: counted(n, 'subs.w r4, r4, #1\nbne.w 1b') },
    { name: `bne ${n}`, text: counted(n, 'subs r4, #1\nbne 1b') },
  ]),
  observations: [
    {
      rule: 'two additions and LE: after the first round the end costs nothing, cycles',
      source: 'D',
      of: (m) => round(m, 'le'),
      expected: 2,
    },
    {
      rule: 'the first end of such a loop, cycles',
      source: 'D',
      of: (m) => m('le 10').warm.causes.branch,
      expected: 3,
    },
    { rule: 'SUBS and a taken branch of 32 bits: 1 + 3', source: 'L', of: (m) => round(m, 'bne.w'), expected: 4 },
    { rule: 'of 16 bits it goes beside SUBS: 3', source: 'L', of: (m) => round(m, 'bne'), expected: 3 },
  ],
};

/** RAM that is slow, with and without a data cache before it. */
const slow = (cached: Partial<TimingRegion>): Timing['regions'] =>
  plain.regions.map((r) => (r.name === 'ram' ? { ...r, readWait: 9, ...cached } : r));
const read = (e: string): string => times(8, `${e} q0, [r0], #16`);
const cache: Experiment = {
  name: 'a data cache with lines of 32 bytes, a line 9 cycles away',
  machine: an547,
  timing: {
    core: 'cortex-m55',
    caches: [{ name: 'd', lines: 1024, ways: 4, lineBytes: 32, writes: 'back' }],
    regions: slow({ data: 'd' }),
  },
  pieces: [
    { name: 'words', text: read('vldrw.32') },
    { name: 'bytes', text: read('vldrb.8') },
    { name: 'gathered', text: 'vmov.i8 q1, #0\nvldrw.u32 q0, [r0, q1]' },
  ],
  observations: [
    ...['words', 'bytes'].flatMap((name) => [
      {
        rule: `eight vectors of ${name} wait for four lines`,
        source: 'H',
        of: (m: Found) => m(name).cold.causes.data,
        expected: 36,
      },
      {
        rule: `eight vectors of ${name}, the second time`,
        source: 'H',
        of: (m: Found) => m(name).warm.causes.data,
        expected: 0,
      },
    ]),
    { rule: 'gathered from one line', source: 'H', of: (m) => m('gathered').cold.causes.data, expected: 9 },
    { rule: 'gathered, the second time', source: 'H', of: (m) => m('gathered').warm.causes.data, expected: 0 },
    {
      rule: 'bytes beyond words, cycles',
      source: 'H',
      of: (m) => m('bytes').warm.cycles - m('words').warm.cycles,
      expected: 0,
    },
  ],
};

const transferred: readonly (readonly [string, string, number])[] = [
  ['bytes', 'vldrb.8 q0, [r0]', 2],
  ['words', 'vldrw.32 q0, [r0]', 2],
  ['widened bytes', 'vldrb.u16 q0, [r0]', 1],
  ['words at half a transfer', 'vldrw.32 q0, [r0, #4]', 3],
  ['LDRD', 'ldrd r4, r5, [r0]', 1],
  ['LDM of four', 'ldm r0, {r4-r7}', 2],
];
const transfers: Experiment = {
  name: 'transfers of 64 bits, whatever their elements; each waits where there is no cache',
  machine: an547,
  timing: { ...plain, regions: slow({}) },
  pieces: transferred.map(([name, text]) => ({ name, text })),
  observations: transferred.map(([name, , expected]) => ({
    rule: `${name}, transfers`,
    source: 'H',
    of: (m) => m(name).warm.causes.data / 9,
    expected,
  })),
};

export const cortexM55: CoreRules = {
  core: 'cortex-m55',
  machine: an547,
  counted: 'in the long run',
  sources: {
    L: 'LLVM, ARMScheduleM55.td, written by Arm',
    S: 'SLOTHY, cortex_m55r1.py',
    H: 'ARM-software, "Helium optimization topics #3 – processor specific details"',
    D: 'Arm DDI 0553 (Armv8-M ARM), low-overhead loops',
    M: 'Arm DDI 0439 (Cortex-M4 TRM), where nothing is known of the M55',
  },
  groups: { integer, vectors, 'floating point': floating },
  experiments: [loops, cache, transfers],
};
