/**
 * Rules of the Cortex-M55 model, each by a sequence of instructions whose count follows from the source in its line:
 *   L  LLVM, ARMScheduleM55.td (written by Arm)
 *   S  SLOTHY, cortex_m55r1.py
 *   H  ARM-software, "Helium optimization topics #3 – processor specific details"
 *   D  Arm DDI 0553 (Armv8-M ARM), low-overhead loops
 *   M  Arm DDI 0439 (Cortex-M4 TRM), where nothing is known of the M55
 */
import { describe, expect, it } from 'vitest';
import type { Timing } from '../../boards/board.ts';
import { an547, measure, times } from '../timing/machine.ts';
import { expectRules, type Rule, withoutWaiting } from '../timing/rules.ts';

const timing = withoutWaiting('cortex-m55', an547);

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
    source: 'L, 1st diagram',
    body: 'vldrw.32 q0, [r0]\nvadd.i32 q1, q0, q2\nvmul.i32 q3, q1, q4\nvstrw.32 q3, [r0]',
    cycles: 5,
  },
  {
    rule: 'two loads do not',
    source: 'L, 2nd diagram',
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

const lowOverhead = (n: number): string =>
  `mov r12, lr\nmov r4, #${n}\ndls lr, r4\n1: add.w r5, r5, #1\nadd.w r6, r6, #1\nle lr, 1b\nmov lr, r12`;
const counted = (n: number, body: string): string => `movs r4, #${n}\n1: ${body}`;

async function expectLoops(): Promise<void> {
  const found = await measure(an547, timing, [
    ...[10, 20].map((n) => ({ name: `le ${n}`, text: lowOverhead(n) })),
    ...[10, 20].map((n) => ({ name: `bne.w ${n}`, text: counted(n, 'subs.w r4, r4, #1\nbne.w 1b') })),
    ...[10, 20].map((n) => ({ name: `bne ${n}`, text: counted(n, 'subs r4, #1\nbne 1b') })),
  ]);
  const round = (name: string): number => (found(`${name} 20`).warm.cycles - found(`${name} 10`).warm.cycles) / 10;
  // D: after the first round the loop's end costs nothing.
  expect(round('le')).toBe(2);
  expect(found('le 10').warm.causes.branch).toBe(3);
  // L: a taken branch takes 3; beside SUBS it has no cycle of its own.
  expect(round('bne.w')).toBe(4);
  expect(round('bne')).toBe(3);
}

/** Each line of a data cache is brought in once, however many elements of vectors come from it. */
async function expectCache(): Promise<void> {
  const cached: Timing = {
    core: 'cortex-m55',
    caches: [{ name: 'd', lines: 1024, ways: 4, lineBytes: 32, writes: 'back' }],
    regions: timing.regions.map((r) => (r.name === 'ram' ? { ...r, readWait: 9, data: 'd' } : r)),
  };
  const read = (e: string): string => times(8, `${e} q0, [r0], #16`);
  const found = await measure(an547, cached, [
    { name: 'words', text: read('vldrw.32') },
    { name: 'bytes', text: read('vldrb.8') },
    { name: 'gathered', text: 'vmov.i8 q1, #0\nvldrw.u32 q0, [r0, q1]' },
  ]);
  const waits = (name: string) => [found(name).cold.causes.data, found(name).warm.causes.data];
  expect([waits('words'), waits('bytes'), waits('gathered')]).toEqual([
    [36, 0],
    [36, 0],
    [9, 0],
  ]);
  expect(found('bytes').warm.cycles).toBe(found('words').warm.cycles);
}

/** H: data go by 64 bits, whatever their elements. Without a cache each such transfer waits. */
async function expectTransfers(): Promise<void> {
  const slow: Timing = {
    ...timing,
    regions: timing.regions.map((r) => (r.name === 'ram' ? { ...r, readWait: 9 } : r)),
  };
  const found = await measure(an547, slow, [
    { name: 'bytes', text: 'vldrb.8 q0, [r0]' },
    { name: 'words', text: 'vldrw.32 q0, [r0]' },
    { name: 'widened bytes', text: 'vldrb.u16 q0, [r0]' },
    { name: 'words at half a transfer', text: 'vldrw.32 q0, [r0, #4]' },
    { name: 'LDRD', text: 'ldrd r4, r5, [r0]' },
    { name: 'LDM of four', text: 'ldm r0, {r4-r7}' },
  ]);
  const waits = (name: string): number => found(name).warm.causes.data / 9;
  expect(['bytes', 'words', 'widened bytes', 'words at half a transfer', 'LDRD', 'LDM of four'].map(waits)).toEqual([
    2, 2, 1, 3, 1, 2,
  ]);
}

describe('Cortex-M55', () => {
  it('transfers', expectTransfers);
  it('data cache', expectCache);
  it('loops', expectLoops);
  it('integer', async () => expectRules(an547, timing, integer));
  it('vectors', async () => expectRules(an547, timing, vectors));
  it('floating point', async () => expectRules(an547, timing, floating));
});
