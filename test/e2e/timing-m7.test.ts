/**
 * Rules of the Cortex-M7 model, each by a sequence of instructions whose count follows from the source in its line:
 *   J  github.com/jnk0le/random, "pipeline cycle test", cortex_m7.md (measured on STM32H743)
 *   L  LLVM, ARMScheduleM7.td (written by Arm)
 *   Q  quinapalus.com/cm7cycles.html (measured on STM32H730)
 */
import { describe, expect, it } from 'vitest';
import { an500, measure, times } from '../timing/machine.ts';
import { expectRules, type Rule, withoutWaiting } from '../timing/rules.ts';

const timing = withoutWaiting('cortex-m7', an500);

const pairs: readonly Rule[] = [
  { rule: 'two independent ALU instructions', source: 'J, Q', body: 'add.w r4, r4, #1\neor.w r5, r5, r6', cycles: 1 },
  { rule: 'an addition and one that needs it', source: 'J', body: 'eor.w r4, r4, r5\neor.w r4, r4, r6', cycles: 2 },
  {
    rule: 'an addition goes to the early ALU and serves a shifting partner',
    source: 'J, 1st example',
    body: 'add.w r7, r5, r6\neor.w r4, r7, r4, ror #22\nadd.w r8, r5, r6\nnop.w',
    cycles: 2,
  },
  { rule: 'MOVW and MOVT of one register', source: 'J', body: 'movw r4, #1\nmovt r4, #2', cycles: 1 },
  { rule: 'two additions with carry', source: 'Q', body: 'adcs.w r4, r4, r5\nadcs.w r6, r6, r5', cycles: 2 },
  {
    rule: 'two inline shifts: one early shifter',
    source: 'J, operand2 matrix',
    body: 'add.w r4, r5, r6, lsl #2\nadd.w r7, r5, r6, lsl #3',
    cycles: 2,
  },
  {
    rule: 'an inline shift and a shift: two shifters',
    source: 'J, operand2 matrix',
    body: 'add.w r4, r5, r6, lsl #2\nlsl.w r7, r5, #3',
    cycles: 1,
  },
  {
    rule: 'a constant made by shifting uses the shifter',
    source: 'J, operand2 matrix',
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

async function expectBranches(): Promise<void> {
  const found = await measure(an500, timing, [
    { name: 'short', text: loop(10, twoAdditions, '') },
    { name: 'long', text: loop(20, twoAdditions, '') },
    { name: 'early flags', text: loop(10, '', times(6, 'nop.w')) },
    { name: 'late flags', text: loop(10, '', times(4, 'nop.w')) },
    { name: 'never taken', text: `cmp.w r3, #4\n${times(8, 'bne.w 2f\nadd.w r5, r5, #1')}\n2:` },
    { name: 'forward', text: `cmp.w r3, #4\nbeq.w 2f\n${times(4, 'nop.w')}\n2:` },
  ]);
  // J: a predicted branch takes its slot: two pairs a round. L and T leave it open; see core-m7.c.
  expect((found('long').warm.cycles - found('short').warm.cycles) / 10).toBe(2);
  // J: one misprediction at the end of a loop: 8 cycles, 6 where the flags are 3 cycles old.
  expect(found('short').warm.causes.branch).toBe(8);
  expect(found('late flags').warm.causes.branch).toBe(8);
  expect(found('early flags').warm.causes.branch).toBe(6);
  // J: "not-taken branch can dual issue with following instruction".
  expect(found('never taken').warm.cycles).toBeLessThanOrEqual(9);
  expect(found('never taken').cold.causes.branch).toBe(0);
  // T: static prediction at first, then the branch target address cache.
  expect(found('forward').cold.causes.branch).toBe(8);
  expect(found('forward').warm.causes.branch).toBe(0);
}

/**
 * The caches of an STM32H743 (RM0433 2.1: 16 KiB each, lines of 32 bytes, 2 and 4 ways) before flash that is 5 AXI cycles of two
 * CPU cycles away. A line that is not there costs 10, in whatever order; a store to one that is there nothing.
 */
async function expectCaches(): Promise<void> {
  const waiting = {
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
  const found = await measure(an500, waiting, [
    { name: 'eight lines of code', text: times(64, 'nop.w') },
    { name: 'eight lines of constants', text: every(8, 32, 'ldr.w r4, [r1, #@]') },
    { name: 'one line, word by word', text: every(8, 4, 'ldr.w r4, [r1, #@]') },
    {
      name: 'stores to lines that were read',
      text: `${every(8, 32, 'ldr.w r4, [r2, #@]')}\n${every(8, 32, 'str.w r4, [r2, #@]')}`,
    },
    // Five lines of one set of four ways: 128 sets of 32 bytes are 4 KiB apart.
    { name: 'five lines in one set', text: `mov r6, r1\n${times(5, 'ldr.w r4, [r6]\nadd.w r6, r6, #4096')}` },
    { name: 'four lines in one set', text: `mov r6, r1\n${times(4, 'ldr.w r4, [r6]\nadd.w r6, r6, #4096')}` },
    { name: 'in tightly coupled memory', text: every(8, 32, 'ldr.w r4, [r0, #@]') },
  ]);
  const waits = (name: string) => ({ cold: found(name).cold.causes.data, warm: found(name).warm.causes.data });
  expect(found('eight lines of code').cold.causes.fetch).toBe(80);
  expect(found('eight lines of code').warm.causes.fetch).toBe(0);
  expect(waits('eight lines of constants')).toEqual({ cold: 80, warm: 0 });
  expect(waits('one line, word by word')).toEqual({ cold: 10, warm: 0 });
  expect(waits('stores to lines that were read')).toEqual({ cold: 80, warm: 0 });
  expect(waits('five lines in one set')).toEqual({ cold: 50, warm: 50 });
  expect(waits('four lines in one set')).toEqual({ cold: 40, warm: 0 });
  expect(waits('in tightly coupled memory')).toEqual({ cold: 0, warm: 0 });
}

describe('Cortex-M7', () => {
  it('caches', expectCaches);
  it('branches', expectBranches);
  it('pairs', async () => expectRules(an500, timing, pairs));
  it('products', async () => expectRules(an500, timing, products));
  it('loads and stores', async () => expectRules(an500, timing, loads));
  it('floating point', async () => expectRules(an500, timing, floating));
});
