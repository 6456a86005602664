/** The rules of Cortex-M7, each by a sequence of instructions whose count follows from the source that is named. */
import { an500, times } from './machine.ts';
import { type CoreRules, type Experiment, type Found, type Rule, withoutWaiting } from './rules.ts';

const pairs: readonly Rule[] = [
  { rule: 'two independent ALU instructions', source: 'J, Q', body: 'add.w r4, r4, #1\neor.w r5, r5, r6', cycles: 1 },
  { rule: 'an addition and one that needs it', source: 'J', body: 'eor.w r4, r4, r5\neor.w r4, r4, r6', cycles: 2 },
  {
    rule: 'an addition goes to the early ALU and serves a shifting partner',
    source: 'J 1st example',
    body: 'add.w r7, r5, r6\neor.w r4, r7, r4, ror #22\nadd.w r8, r5, r6\nnop.w',
    cycles: 2,
  },
  { rule: 'MOVW and MOVT of one register', source: 'J', body: 'movw r4, #1\nmovt r4, #2', cycles: 1 },
  { rule: 'two additions with carry', source: 'Q', body: 'adcs.w r4, r4, r5\nadcs.w r6, r6, r5', cycles: 2 },
  {
    rule: 'two inline shifts: one early shifter',
    source: 'J operand2 matrix',
    body: 'add.w r4, r5, r6, lsl #2\nadd.w r7, r5, r6, lsl #3',
    cycles: 2,
  },
  {
    rule: 'an inline shift and a shift: two shifters',
    source: 'J operand2 matrix',
    body: 'add.w r4, r5, r6, lsl #2\nlsl.w r7, r5, #3',
    cycles: 1,
  },
  {
    rule: 'a constant made by shifting uses the shifter',
    source: 'J operand2 matrix',
    body: 'eor.w r4, r5, #0x1fc0\nadd.w r7, r5, r6, lsl #3',
    cycles: 2,
  },
  {
    rule: 'a repeated constant does not',
    source: 'J',
    body: 'eor.w r4, r5, #0x1b1b1b1b\nadd.w r7, r5, r6, lsl #3',
    cycles: 1,
  },
  { rule: 'two DSP instructions: one SIMD ALU', source: 'J', body: 'uadd8 r4, r5, r6\nuxtb16 r7, r8', cycles: 2 },
  { rule: 'a DSP instruction, then an ALU one', source: 'J', body: 'uxtb16 r7, r8\nadd.w r4, r5, r6', cycles: 1 },
  { rule: 'NOP takes a slot', source: 'J', body: 'nop.w', cycles: 0.5 },
];

const products: readonly Rule[] = [
  { rule: 'two multiplications', source: 'J, Q', body: 'mul r4, r5, r6\nmul r7, r5, r6', cycles: 2 },
  { rule: 'a chain of MACs', source: 'J, Q', body: 'smlad r4, r5, r6, r4', cycles: 1 },
  { rule: 'a chain of long MACs', source: 'J, Q', body: 'smlal r4, r5, r6, r7', cycles: 1 },
  { rule: 'a MAC and an ALU instruction', source: 'J, Q', body: 'smlad r4, r5, r6, r4\nadd.w r7, r7, #1', cycles: 1 },
  { rule: 'a MAC and a load', source: 'J, Q', body: 'smlad r4, r5, r6, r4\nldr.w r7, [r0]', cycles: 1 },
  { rule: 'a MAC and a store', source: 'J', body: 'smlad r4, r5, r6, r4\nstr.w r7, [r0]', cycles: 2 },
  { rule: 'a MAC and a DSP instruction', source: 'J', body: 'uxtb16 r7, r8\nsmlad r4, r5, r6, r4', cycles: 1 },
  { rule: 'a product is there a cycle later', source: 'J', body: 'mul r4, r4, r6', cycles: 2 },
  { rule: 'a saturated value, too', source: 'L', body: 'ssat r4, #8, r5\nadd.w r6, r4, #1\nnop.w', cycles: 3 },
];

const loads: readonly Rule[] = [
  { rule: 'loads of even and odd words', source: 'J', body: 'ldr.w r4, [r0]\nldr.w r5, [r0, #4]', cycles: 1 },
  { rule: 'loads of one bank', source: 'J, Q', body: 'ldr.w r4, [r0]\nldr.w r5, [r0, #8]', cycles: 2 },
  {
    rule: 'loads of one bank, by different registers',
    source: 'J',
    before: 'add.w r7, r0, #8',
    body: 'ldr.w r4, [r0]\nldr.w r5, [r7]',
    cycles: 2,
  },
  {
    rule: 'loads of different banks, by different registers',
    source: 'J',
    before: 'add.w r7, r0, #12',
    body: 'ldr.w r4, [r0]\nldr.w r5, [r7]',
    cycles: 1,
  },
  { rule: 'FP loads of one bank', source: 'J', body: 'vldr s0, [r0]\nvldr s1, [r0, #8]', cycles: 2 },
  { rule: 'FP loads of different banks', source: 'J', body: 'vldr s0, [r0]\nvldr s1, [r0, #4]', cycles: 1 },
  { rule: 'a load and a store', source: 'J', body: 'ldr.w r4, [r0]\nstr.w r5, [r0, #8]', cycles: 1 },
  {
    rule: 'a loaded word is stored in the same cycle',
    source: 'J',
    body: 'ldr.w r4, [r0]\nstr.w r4, [r0, #8]',
    cycles: 1,
  },
  { rule: 'two stores', source: 'J', body: 'str.w r4, [r0]\nstr.w r5, [r0, #4]', cycles: 2 },
  { rule: 'a loaded address', source: 'Q', before: 'str.w r0, [r0]', body: 'ldr.w r0, [r0]', cycles: 3 },
  { rule: 'a loaded word at the ALU', source: 'J', body: 'ldr.w r4, [r0]\neor.w r5, r4, r5\nnop.w\nnop.w', cycles: 2 },
  { rule: 'a loaded byte', source: 'J', body: 'ldrb.w r4, [r0]\neor.w r5, r4, r5\nnop.w\nnop.w', cycles: 3 },
  {
    rule: 'a loaded word beside an early operand',
    source: 'J, L',
    body: 'ldr.w r4, [r0]\nadd.w r5, r4, r6, lsl #2\nnop.w\nnop.w',
    cycles: 3,
  },
  { rule: 'a loaded factor', source: 'J', body: 'ldr.w r4, [r0]\nsmlad r5, r4, r6, r5\nnop.w\nnop.w', cycles: 3 },
  { rule: 'a loaded addend', source: 'J', body: 'ldrb.w r4, [r0]\nsmlad r5, r6, r6, r4\nnop.w\nnop.w', cycles: 2 },
  {
    rule: 'an address from the early ALU',
    source: 'J',
    body: 'add.w r7, r0, #4\nnop.w\nldr.w r5, [r7]\nnop.w',
    cycles: 2,
  },
  {
    rule: 'an address from the late ALU',
    source: 'J',
    body: 'orr.w r7, r0, #4\nnop.w\nldr.w r5, [r7]\nnop.w',
    cycles: 3,
  },
  {
    rule: 'an address from the SIMD ALU',
    source: 'J',
    body: 'uxtb.w r7, r5\nnop.w\nldr.w r6, [r0, r7]\nnop.w',
    cycles: 3,
  },
  { rule: 'post-indexed loads', source: 'J', body: 'ldr.w r4, [r0], #4', cycles: 1 },
  { rule: 'LDRD alone', source: 'J', body: 'ldrd r4, r5, [r0]\nnop.w', cycles: 2 },
  { rule: 'LDM of six registers', source: 'J', body: 'ldm.w r0, {r4-r9}', cycles: 3 },
  { rule: 'LDM of five registers', source: 'J', body: 'ldm.w r0, {r4-r8}', cycles: 3 },
  { rule: 'an unaligned load', source: 'J', body: 'ldr.w r4, [r0, #2]\nnop.w', cycles: 4 },
];

const floating: readonly Rule[] = [
  { rule: 'two independent additions', source: 'J', body: 'vadd.f32 s0, s1, s2\nvadd.f32 s3, s4, s5', cycles: 2 },
  {
    rule: 'an addition and an integer instruction',
    source: 'J',
    body: 'vadd.f32 s0, s1, s2\nadd.w r4, r4, #1',
    cycles: 1,
  },
  { rule: 'a chain of additions', source: 'J, L', body: 'vadd.f32 s0, s0, s2', cycles: 3 },
  { rule: 'a chain of VFMA', source: 'J, Q', body: 'vfma.f32 s0, s1, s2', cycles: 3 },
  {
    rule: 'three chains of VFMA',
    source: 'J',
    body: 'vfma.f32 s0, s1, s2\nvfma.f32 s3, s1, s2\nvfma.f32 s4, s1, s2',
    cycles: 3,
  },
  { rule: 'VFMA as a factor', source: 'J', body: 'vfma.f32 s0, s0, s2', cycles: 5 },
  { rule: 'VMLA as a factor', source: 'J', body: 'vmla.f32 s0, s0, s2', cycles: 6 },
  {
    rule: 'VADD waits for 3 cycles after VFMA',
    source: 'J',
    body: 'vfma.f32 s0, s1, s2\nvadd.f32 s3, s4, s5',
    cycles: 5,
  },
  {
    rule: 'VFMA and a load',
    source: 'J',
    body: 'vldr s4, [r0]\nvfma.f32 s0, s1, s2\nnop.w\nnop.w\nnop.w\nnop.w',
    cycles: 4,
  },
  { rule: 'VDIV', source: 'J', body: 'vdiv.f32 s0, s1, s2', cycles: 16 },
  { rule: 'VSQRT', source: 'J', body: 'vsqrt.f32 s0, s1', cycles: 14 },
  { rule: 'to an FP register', source: 'J', body: 'vmov s0, r4\nvadd.f32 s0, s0, s1', cycles: 3 },
  { rule: 'two registers at once: alone', source: 'J', body: 'vmov s0, s1, r4, r5\nnop.w', cycles: 2 },
];

/** A loop that runs `n` times, and what becomes of its branch. */
const loop = (n: number, body: string, tail: string): string =>
  `mov.w r4, #${n}\n1: ${body}\nsubs.w r4, r4, #1\n${tail}\nbne.w 1b`;
const twoAdditions = 'add.w r5, r5, #1\nadd.w r6, r6, #1';

const branches: Experiment = {
  name: 'branches',
  machine: an500,
  timing: withoutWaiting('cortex-m7', an500),
  pieces: [
    { name: 'short', text: loop(10, twoAdditions, '') },
    { name: 'long', text: loop(20, twoAdditions, '') },
    { name: 'early flags', text: loop(10, '', times(6, 'nop.w')) },
    { name: 'late flags', text: loop(10, '', times(4, 'nop.w')) },
    ...[8, 16].map((n) => ({
      name: `never taken ${n}`,
      text: `cmp.w r3, #4\n${times(n, 'bne.w 2f\nadd.w r5, r5, #1')}\n2:`,
    })),
    { name: 'forward', text: `cmp.w r3, #4\nbeq.w 2f\n${times(4, 'nop.w')}\n2:` },
  ],
  observations: [
    {
      rule: 'a predicted branch takes its slot: two pairs a round, cycles',
      source: 'J',
      of: (m) => (m('long').warm.cycles - m('short').warm.cycles) / 10,
      expected: 2,
    },
    {
      rule: 'one misprediction at the end of a loop, cycles',
      source: 'J',
      of: (m) => m('short').warm.causes.branch,
      expected: 8,
    },
    {
      rule: 'the same with four NOPs behind the flags',
      source: 'J',
      of: (m) => m('late flags').warm.causes.branch,
      expected: 8,
    },
    {
      rule: 'where the flags are 3 cycles old',
      source: 'J',
      of: (m) => m('early flags').warm.causes.branch,
      expected: 6,
    },
    {
      rule: 'eight branches that are not taken, beside an addition each, cycles',
      source: 'J',
      of: (m) => m('never taken 16').warm.cycles - m('never taken 8').warm.cycles,
      expected: 8,
    },
    {
      rule: 'and mispredicted never',
      source: 'T',
      of: (m) => m('never taken 8').cold.causes.branch,
      expected: 0,
    },
    {
      rule: 'forward and taken: mispredicted the first time',
      source: 'T',
      of: (m) => m('forward').cold.causes.branch,
      expected: 8,
    },
    {
      rule: 'forward and taken: not the second time',
      source: 'T',
      of: (m) => m('forward').warm.causes.branch,
      expected: 0,
    },
  ],
};

/** Behind both caches: flash that is 5 AXI cycles of two CPU cycles away. */
const cached = {
  core: 'cortex-m7',
  caches: [
    { name: 'i', lines: 512, ways: 2, lineBytes: 32 },
    { name: 'd', lines: 512, ways: 4, lineBytes: 32, writes: 'back' },
  ],
  regions: withoutWaiting('cortex-m7', an500).regions.map((r) =>
    r.name === 'ram' ? r : { ...r, readWait: 10, unit: 32, instructions: 'i', data: 'd' },
  ),
} as const;
const every = (n: number, step: number, text: string): string =>
  Array.from({ length: n }, (_, i) => text.replace('@', String(i * step))).join('\n');
const walk = (n: number): string => `mov r6, r1\n${times(n, 'ldr.w r4, [r6]\nadd.w r6, r6, #4096')}`;
const reads: readonly (readonly [string, string, number, number])[] = [
  ['eight lines of constants', every(8, 32, 'ldr.w r4, [r1, #@]'), 80, 0],
  ['one line, word by word', every(8, 4, 'ldr.w r4, [r1, #@]'), 10, 0],
  [
    'stores to lines that were read',
    `${every(8, 32, 'ldr.w r4, [r2, #@]')}\n${every(8, 32, 'str.w r4, [r2, #@]')}`,
    80,
    0,
  ],
  // 128 sets of 32 bytes are 4 KiB apart.
  ['five lines of one set of four ways', walk(5), 50, 50],
  ['four lines of one set of four ways', walk(4), 40, 0],
  ['in tightly coupled memory', every(8, 32, 'ldr.w r4, [r0, #@]'), 0, 0],
];
const caches: Experiment = {
  name: 'caches of an STM32H743, a line 10 cycles away',
  machine: an500,
  timing: cached,
  pieces: [{ name: 'code', text: times(64, 'nop.w') }, ...reads.map(([name, text]) => ({ name, text }))],
  observations: [
    { rule: 'eight lines of code, the first time', source: 'H7', of: (m) => m('code').cold.causes.fetch, expected: 80 },
    { rule: 'eight lines of code, the second time', source: 'H7', of: (m) => m('code').warm.causes.fetch, expected: 0 },
    ...reads.flatMap(([name, , cold, warm]) => [
      { rule: `${name}, the first time`, source: 'H7', of: (m: Found) => m(name).cold.causes.data, expected: cold },
      { rule: `${name}, the second time`, source: 'H7', of: (m: Found) => m(name).warm.causes.data, expected: warm },
    ]),
  ],
};

export const cortexM7: CoreRules = {
  core: 'cortex-m7',
  machine: an500,
  counted: 'in the long run',
  sources: {
    J: 'github.com/jnk0le/random, "pipeline cycle test", cortex_m7.md: measured on STM32H743',
    L: 'LLVM, ARMScheduleM7.td, written by Arm',
    Q: 'quinapalus.com/cm7cycles.html: measured on STM32H730',
    T: 'Arm DDI 0489 (Cortex-M7 TRM): branch target address cache, static prediction for what is not in it',
    H7: 'ST RM0433, 2.1 (16 KiB each, lines of 32 bytes, 2 and 4 ways), and 4.3 for flash; Arm DDI 0489, 5',
  },
  groups: { pairs, products, 'loads and stores': loads, 'floating point': floating },
  experiments: [branches, caches],
};
