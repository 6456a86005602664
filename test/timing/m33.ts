/** The rules of Cortex-M33, each by a sequence of instructions whose count follows from the source that is named. */
import { an505, times } from './machine.ts';
import { type CoreRules, type Experiment, type Found, type Rule, withoutWaiting } from './rules.ts';

const integer: readonly Rule[] = [
  { rule: 'two 16-bit ALU instructions do not go together', source: 'J', body: 'adds r4, r5\nadds r6, r7', cycles: 2 },
  { rule: 'NOP beside an ALU instruction', source: 'J', body: 'adds r4, r5\nnop', cycles: 1 },
  { rule: 'NOP first', source: 'J', body: 'nop\nadds.w r4, r4, r5', cycles: 2 },
  { rule: '32-bit NOP', source: 'J', body: 'adds r4, r5\nnop.w', cycles: 2 },
  { rule: 'NOP beside a load', source: 'J', body: 'ldr r4, [r0]\nnop', cycles: 1 },
  {
    rule: 'a branch that is not taken, beside what sets its flags',
    source: 'J',
    body: 'cmp r3, #4\nbne .+4',
    cycles: 1,
  },
  { rule: 'IT', source: 'J', body: 'mov r8, r8\nit eq\naddeq.w r4, r4, #1', cycles: 2 },
  { rule: 'a chain of additions', source: 'J', body: 'add.w r4, r4, #1', cycles: 1 },
  { rule: 'a chain of inline shifts', source: 'J', body: 'add.w r4, r5, r4, ror #24', cycles: 2 },
  { rule: 'a chain of plain shifts', source: 'J', body: 'lsl.w r4, r4, #1', cycles: 1 },
  { rule: 'a chain of shifted constants', source: 'J', body: 'eor.w r4, r4, #0x1fc0', cycles: 2 },
  { rule: 'a shifted constant that sets flags', source: 'J', body: 'adds.w r4, r5, #0x1fc0', cycles: 2 },
  { rule: 'independent inline shifts', source: 'J', body: 'add.w r4, r5, r6, ror #24', cycles: 1 },
  { rule: 'a chain of DSP instructions', source: 'J', body: 'uadd8 r4, r4, r5', cycles: 2 },
  { rule: 'a chain of bit field insertions', source: 'J', body: 'bfi r4, r5, #2, #3', cycles: 1 },
  { rule: 'a chain of extensions with addition, by the extended', source: 'J', body: 'sxtab r4, r5, r4', cycles: 2 },
  { rule: 'a chain of extensions with addition, by the sum', source: 'J', body: 'sxtab r4, r4, r5', cycles: 1 },
];

const products: readonly Rule[] = [
  { rule: 'a chain of MACs', source: 'J', body: 'smlad r4, r5, r6, r4', cycles: 1 },
  { rule: 'a chain of long MACs', source: 'J', body: 'smlal r4, r5, r6, r7', cycles: 1 },
  { rule: 'a chain of factors', source: 'J', body: 'mul r4, r4, r5', cycles: 2 },
  { rule: 'MULS', source: 'A, J', body: 'muls r4, r5', cycles: 2 },
  { rule: 'MULS in an IT block', source: 'J', body: 'mov r8, r8\nit eq\nmuleq r4, r5', cycles: 2 },
  { rule: 'a product that is added', source: 'J', body: 'mul r4, r5, r6\nmla r7, r5, r6, r4', cycles: 2 },
  {
    rule: 'a DSP result that is added does not chain',
    source: 'J',
    body: 'uadd8 r4, r5, r6\nmla r7, r5, r6, r4',
    cycles: 3,
  },
  { rule: 'a product that is stored', source: 'J', body: 'mul r4, r5, r6\nstr r4, [r0]', cycles: 2 },
  { rule: 'a DSP result that is stored', source: 'J', body: 'uadd8 r4, r5, r6\nstr r4, [r0]', cycles: 3 },
  { rule: 'division', source: 'M', body: 'sdiv r4, r5, r3', cycles: 7 },
];

const memory: readonly Rule[] = [
  { rule: 'loads in a row', source: 'J', body: 'ldr r4, [r0]\nldr r5, [r0, #4]', cycles: 2 },
  { rule: 'a loaded word', source: 'J', body: 'ldr r4, [r0]\nadd.w r5, r4, #1', cycles: 3 },
  {
    rule: 'a loaded word, one instruction between',
    source: 'J',
    body: 'ldr r4, [r0]\nadd.w r6, r7, #1\nadd.w r5, r4, #1',
    cycles: 3,
  },
  { rule: 'a loaded addend', source: 'J', body: 'ldr r4, [r0]\nmla r5, r6, r7, r4', cycles: 2 },
  { rule: 'a loaded word that is extended and added', source: 'J', body: 'ldr r4, [r0]\nsxtab r5, r4, r6', cycles: 3 },
  { rule: 'a loaded word that is stored', source: 'J', body: 'ldr r4, [r0]\nstr r4, [r0, #4]', cycles: 2 },
  { rule: 'a loaded address', source: 'J', before: 'str r0, [r0]', body: 'ldr r0, [r0]', cycles: 2 },
  { rule: 'LDRD', source: 'J', body: 'ldrd r4, r5, [r0]', cycles: 2 },
  { rule: 'LDM of six', source: 'J', body: 'ldm r0, {r4-r9}', cycles: 6 },
  { rule: 'STM of four', source: 'J', body: 'stm r0, {r4-r7}', cycles: 4 },
  { rule: 'stores in a row', source: 'J', body: 'str r4, [r0]\nstrb r5, [r0, #5]', cycles: 2 },
];

const floating: readonly Rule[] = [
  { rule: 'independent VADD and VMUL', source: 'J', body: 'vadd.f32 s0, s1, s2\nvmul.f32 s3, s4, s5', cycles: 2 },
  { rule: 'a chain of VADD', source: 'J', body: 'vadd.f32 s0, s0, s2', cycles: 2 },
  { rule: 'a chain of VFMA', source: 'J', body: 'vfma.f32 s0, s1, s2', cycles: 3 },
  { rule: 'independent VFMA', source: 'J', body: 'vfma.f32 s0, s1, s2\nvfma.f32 s3, s1, s2', cycles: 6 },
  { rule: 'VFMA as a factor', source: 'J', body: 'vfma.f32 s0, s0, s2', cycles: 4 },
  {
    rule: 'integer work behind VFMA',
    source: 'J',
    body: 'vfma.f32 s0, s1, s2\nadd.w r4, r4, #1\nadd.w r4, r4, #1',
    cycles: 3,
  },
  { rule: 'a load behind VFMA', source: 'J', body: 'vfma.f32 s0, s1, s2\nvldr s4, [r0]', cycles: 4 },
  { rule: 'VLDR', source: 'J', body: 'vldr s0, [r0]\nvadd.f32 s1, s0, s2', cycles: 2 },
  { rule: 'VLDM of six', source: 'J', body: 'vldmia r0, {s0-s5}', cycles: 6 },
  { rule: 'to a core register', source: 'J', body: 'vmov r4, s0\nadd.w r5, r4, #1', cycles: 3 },
  { rule: 'to an FP register', source: 'J', body: 'vmov s0, r4\nvadd.f32 s1, s0, s2', cycles: 2 },
  { rule: 'two to core registers', source: 'J', body: 'vmov r4, r5, s0, s1', cycles: 2 },
  { rule: 'VDIV', source: 'M', body: 'vdiv.f32 s0, s1, s2', cycles: 14 },
];

const bodies: readonly (readonly [string, string, number])[] = [
  ['beside what sets the flags', 'subs r4, #1', 3],
  ['beside another', 'subs r4, #1\nadd r8, r8', 3],
  ['beside LDM', 'subs r4, #1\nmov r7, r0\nldmia r7!, {r5, r6}', 5],
  ['by itself', 'subs r4, #1\nadd.w r8, r8, r8', 4],
];
/** "subs 1 cycle; bne 2 cycles taken"; "add 1; bne 1 taken"; "ldmia …; bne 1 taken". By itself: 2. */
const branches: Experiment = {
  name: 'branches',
  machine: an505,
  timing: withoutWaiting('cortex-m33', an505),
  pieces: bodies.flatMap(([name, body]) =>
    [10, 20].map((n) => ({ name: `${name} ${n}`, text: `movs r4, #${n}\n1: ${body}\nbne 1b` })),
  ),
  observations: bodies.map(([name, , expected]) => ({
    rule: `a round of a loop, its branch taken ${name}, cycles`,
    source: 'J',
    of: (m) => (m(`${name} 20`).warm.cycles - m(`${name} 10`).warm.cycles) / 10,
    expected,
  })),
};

const waits = (m: Found, piece: string, run: 'cold' | 'warm'): number =>
  m(piece)[run].causes.fetch + m(piece)[run].causes.data;
const cache: Experiment = {
  name: 'the cache of an STM32U5 for code and constants, 4 wait states',
  machine: an505,
  timing: {
    core: 'cortex-m33',
    caches: [{ name: 'icache', lines: 512, ways: 2, lineBytes: 16 }],
    regions: withoutWaiting('cortex-m33', an505).regions.map((r) =>
      r.name === 'code' ? { ...r, readWait: 4, unit: 16, instructions: 'icache', data: 'icache' } : r,
    ),
  },
  pieces: [
    { name: 'code', text: times(32, 'mov.w r4, r5') },
    { name: 'constants', text: Array.from({ length: 8 }, (_, i) => `ldr.w r4, [r1, #${16 * i}]`).join('\n') },
    { name: 'code read as data', text: 'adr r4, 1f\nldr r5, [r4]\n.balign 4\n1: nop.w' },
  ],
  observations: [
    // The return stands in a ninth line, and an empty piece has one, too.
    { rule: 'eight lines of code, the first time', source: 'U5', of: (m) => waits(m, 'code', 'cold'), expected: 32 },
    { rule: 'eight lines of code, the second time', source: 'U5', of: (m) => waits(m, 'code', 'warm'), expected: 0 },
    {
      rule: 'eight lines of constants, the first time',
      source: 'U5',
      of: (m) => m('constants').cold.causes.data,
      expected: 32,
    },
    {
      rule: 'eight lines of constants, the second time',
      source: 'U5',
      of: (m) => m('constants').warm.causes.data,
      expected: 0,
    },
    {
      rule: 'what was fetched is there as data',
      source: 'U5',
      of: (m) => m('code read as data').cold.causes.data,
      expected: 0,
    },
  ],
};

export const cortexM33: CoreRules = {
  core: 'cortex-m33',
  machine: an505,
  counted: 'in the long run',
  sources: {
    J: 'github.com/jnk0le/random, "pipeline cycle test", cortex_m33.md: measured on RP2350',
    A: 'Arm KA001260 (MULS)',
    M: 'Arm DDI 0439 (Cortex-M4 TRM), where nothing is known of the M33',
    U5: 'ST RM0456, 8: 8 KiB, two ways, lines of 16 bytes',
  },
  groups: { integer, products, 'loads and stores': memory, 'floating point': floating },
  experiments: [branches, cache],
};
