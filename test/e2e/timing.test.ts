/**
 * The rules of Cortex-M4, M3 and M0+, each by a short piece of assembly whose cycles follow from the source that is named:
 *   [T]  Arm DDI 0439 (Cortex-M4 TRM) and DDI 0337I (Cortex-M3 TRM), 3.3
 *   [T7] Arm DDI 0439, Table 7-1 and 7.2.3 (floating point)
 *   [P]  github.com/jnk0le/random, "pipeline cycle test", cortex_m3m4.md (measured on STM32F103 and STM32F407)
 *   [G]  DDI 0337G 1.4, and J. Yiu on speculative branching, community.arm.com, thread 8414
 *   [B]  DDI 0337, "bus mapper unaligned accesses"
 *   [0]  Arm DDI 0484C (Cortex-M0+ TRM), Table 3-1
 * All memories answer without waiting here; timing-memory.test.ts has those that do not.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Timing, TimingCore } from '../../boards/board.ts';
import { an385, an385AsM0plus, an386, type Machine, type Measured, measure, times } from '../timing/machine.ts';

/** Rule with its source, assembly, cycles beyond an empty function. */
type Rule = readonly [rule: string, text: string, cycles: number];

const fast = (core: TimingCore): Timing => ({
  core,
  caches: [],
  regions: [
    { name: 'code', base: '0x0', bytes: 0x400000 },
    { name: 'ram', base: '0x20000000', bytes: 0x400000 },
    { name: 'shared', base: '0x21000000', bytes: 0x1000000 },
  ],
});

/** Both three-stage cores. */
const common: readonly Rule[] = [
  ['[T] arithmetic, 1', times(10, 'adds r4, #1'), 10],
  ['[T] a shifted operand costs nothing', times(10, 'add r4, r5, r6, lsl #3'), 10],
  ['[T] MUL, 1', times(10, 'mul r4, r5, r6'), 10],
  ['[T] NOP, 1', times(10, 'nop'), 10],
  ['[T] SDIV, 2 to 12: 7 is taken', 'movs r5, #1\nsdiv r4, r4, r5', 8],
  ['[T] UDIV, 2 to 12: 7 is taken', 'movs r5, #1\nudiv r4, r4, r5', 8],
  ['[T] IT, 1', 'cmp r4, r4\nit eq\nmoveq r5, #1', 3],
  ['[T] one load, 2', 'ldr r4, [r0]\nadds r5, #1', 3],
  ['[T] 8 pipelined loads, 8 + 1', times(8, 'ldr r4, [r0]'), 9],
  ['[T] bytes and halfwords pipeline as well', 'ldrb r4, [r0]\nldrsh r5, [r0, r3]\nldrh r6, [r0]', 4],
  ['[T] a literal is a load', 'ldr r4, =0x12345678\nadds r5, #1', 3],
  ['[P] loads from alternating memories do not pipeline', times(4, 'ldr r4, [r0]\nldr r5, [r2]'), 16],
  ['[T] an address computed just before, +1', 'adds r4, r0, #4\nldr r5, [r4]', 4],
  ['[T] an offset computed just before, +1', 'movs r4, #4\nldr r5, [r0, r4]', 4],
  ['[T] an address computed two before costs nothing', 'adds r4, r0, #4\nadds r6, #1\nldr r5, [r4]', 4],
  ['[T] stored data may be computed just before', 'adds r4, #1\nstr r4, [r0]', 2],
  ['[T] a store on an address computed just before, +1', 'adds r4, r0, #4\nstr r5, [r4]', 3],
  [
    '[T] a load whose address was loaded does not pipeline',
    `str r0, [r0]\n${times(2, 'adds r7, #1')}ldr r4, [r0]\nldr r5, [r4]`,
    7,
  ],
  ['[P] a NOP hides behind a load', 'ldr r4, [r0]\nnop', 2],
  ['[P] 32-bit loads at odd halfwords do not pipeline', `adds r7, #1\n${times(4, 'ldr.w r4, [r0]')}`, 9],
  ['[P] 32-bit loads at words do', `adds.w r7, r7, #1\n${times(4, 'ldr.w r4, [r0]')}`, 6],
  ['[T] STR with an immediate, 1', times(4, 'str r4, [r0, #8]'), 4],
  ['[T] STR with a register, 2', times(4, 'str r4, [r0, r3]'), 8],
  ['[T] LDR; STR with an immediate, 3', 'ldr r4, [r0]\nstr r4, [r0, #8]', 3],
  ['[T] LDR; STR with a register, 3', 'ldr r4, [r0]\nstr r4, [r0, r3]', 3],
  ['[P] a load right after a store, +1', 'str r4, [r0]\nldr r5, [r0, #8]', 4],
  ['[P] indexed stores on one base, +1 each', times(4, 'str r4, [r0], #4'), 7],
  ['[T] LDM, 1 + N', 'ldmia r0, {r4-r7}', 5],
  ['[T] STM, 1 + N', 'stmia r0, {r4-r7}', 5],
  ['[T] PUSH and POP, 1 + N', 'push {r4-r7}\npop {r4-r7}', 10],
  ['[T] LDRD, 1 + 2, pipelined with nothing', 'ldr r6, [r0]\nldrd r4, r5, [r0]\nldr r6, [r0]', 7],
  ['[T] STRD, 1 + 2', 'strd r4, r5, [r0]', 3],
  ['[B] a word at 2 is two halfwords, +1', 'ldr r4, [r0, #2]', 3],
  ['[B] a word at 1 is byte, halfword, byte, +2', 'ldr r4, [r0, #1]', 4],
  ['[B] a halfword at 3 is two bytes, +1', 'ldrh r4, [r0, #3]', 3],
  ['[B] stores are cut as loads are', 'str r4, [r0, #2]\nstr r4, [r0, #5]', 5],
  ['[T] a branch not taken, 1', 'cmp r4, r4\nbne 1f\n1:', 2],
  ['[G] a branch relative to PC, 1 + 1', 'b 1f\nnop\n1:', 2],
  ['[G] taken or not is known in time', 'cmp r4, r4\nbeq 1f\nnop\n1:', 3],
  ['[G] CBZ, 1 + 1', 'cbz r4, 1f\nnop\n1:', 2],
  ['[T] a target of 32 bits at a word', 'b 1f\nnop\n1: add.w r4, r4, #1', 3],
  ['[T] a target of 32 bits at an odd halfword, +1', 'b 1f\nnop\nnop\n1: add.w r4, r4, #1', 4],
  ['[T] a loop of 10: 10 × (1 + 1 + P) − P', 'movs r4, #10\n1: subs r4, #1\nbne 1b', 30],
  ['[G] BL and BX LR, 1 + 1 each', 'mov r8, lr\nbl 1f\nb 2f\n1: bx lr\n2: mov lr, r8', 8],
  ['[T] BX of another register, 1 + 3', 'adr r4, 1f\nadds r4, #1\nbx r4\n.balign 4\n1:', 6],
  ['[T] LDR PC, at least five', 'ldr pc, 2f\n.balign 4\n2: .word 1f + 1\n1:', 5],
  ['[T] POP PC, 1 + N + 3', 'adr r4, 1f\nadds r4, #1\npush {r4}\npop {pc}\n.balign 4\n1:', 9],
  ['[T] TBB, at least six', 'movs r4, #0\nadds r7, #1\ntbb [pc, r4]\n1: .byte (2f - 1b) / 2, 0\n2:', 8],
];

const cortexM4: readonly Rule[] = [
  ...common,
  [
    '[T] every multiplication, 1',
    'mla r4, r5, r6, r4\nmls r4, r5, r6, r4\nsmull r4, r5, r6, r7\numlal r4, r5, r6, r7\nsmlalbb r4, r5, r6, r7\n' +
      'smlad r4, r5, r6, r4\nsmuad r4, r5, r6\nsmlabb r4, r5, r6, r4\nsmmla r4, r5, r6, r4\nusad8 r4, r5, r6\nsmlsld r4, r5, r6, r7',
    11,
  ],
  [
    '[T] extends, packing, saturation, 1',
    'sxtb16 r4, r5, ror #8\nsxtab r4, r5, r6\npkhbt r4, r5, r6\nssat r4, #8, r5\nqadd8 r4, r5, r6',
    5,
  ],
  ['[P] indexed loads on one base do not chain', times(4, 'ldr r4, [r0], #4'), 8],
  [
    '[P] indexed loads on two bases do',
    `mov r5, r0\nadds r7, #1\n${times(2, 'ldr r4, [r0], #4\nldr r6, [r5], #4')}`,
    7,
  ],
  ['[P] pre-indexed as post-indexed', times(4, 'ldr r4, [r0, #4]!'), 8],
  ['[P] an indexed store after a load', 'mov r5, r0\nadds r7, #1\nldr r4, [r0]\nstr r4, [r5], #4', 5],
  [
    '[T7] VADD, VSUB, VMUL, VCVT, VCMP, VMOV, VABS, 1',
    'vadd.f32 s0, s8, s9\nvsub.f32 s1, s8, s9\nvmul.f32 s2, s8, s9\nvcvt.f32.s32 s3, s8\nvcmp.f32 s8, s9\nvmov.f32 s4, #1.0\nvabs.f32 s5, s8',
    7,
  ],
  ['[T7] a result that the next instruction uses, +1', times(4, 'vadd.f32 s0, s0, s1'), 7],
  ['[T7] VFMA, 3', 'vfma.f32 s0, s8, s9\nvfma.f32 s1, s8, s9', 6],
  ['[T7] VMLA, 3', 'vmla.f32 s0, s8, s9\nvmla.f32 s1, s8, s9', 6],
  ['[T7] VFMA on the sum before, 3 + 1', times(4, 'vfma.f32 s0, s8, s9'), 15],
  ['[T7] VDIV, 14', 'vdiv.f32 s0, s8, s9\nvadd.f32 s1, s8, s9', 15],
  ['[T7] VSQRT, 14', 'vsqrt.f32 s0, s8\nvadd.f32 s1, s8, s9', 15],
  ['[T7] integer work beside VDIV', `vdiv.f32 s0, s8, s9\n${times(13, 'adds r4, #1')}\nvadd.f32 s1, s8, s9`, 15],
  ['[T7] VMOV of one register, 1', 'vmov r4, s0\nvmov s1, r5', 2],
  ['[T7] VMOV of two, 2', 'vmov r4, r5, s0, s1', 2],
  ['[T7] VLDR, 2; of a double, 3', 'vldr s0, [r0]\nvldr d1, [r0]', 5],
  ['[T7] VSTR, 2', 'vstr s0, [r0]', 2],
  ['[T7] VLDM and VSTM, 1 + N', 'vldmia r0, {s0-s3}\nvstmia r0, {s0-s3}', 10],
];

const cortexM3: readonly Rule[] = [
  ...common,
  ['[T] MLA and MLS, 2', 'mla r4, r5, r6, r4\nmls r4, r5, r6, r4', 4],
  ['[T] SMULL, 3 to 5: 5 is taken', 'smull r4, r5, r6, r7', 5],
  ['[T] SMLAL, 4 to 7: 7 is taken', 'smlal r4, r5, r6, r7', 7],
  ['[P] an indexed load chains on nothing', 'mov r5, r0\nadds r7, #1\nldr r4, [r0]\nldr r6, [r5], #4', 6],
  ['[P] but may begin a chain', 'mov r5, r0\nadds r7, #1\nldr r6, [r5], #4\nldr r4, [r0]', 5],
  ['[P] an indexed store after a load, 2', 'mov r5, r0\nadds r7, #1\nldr r4, [r0]\nstr r4, [r5], #4', 6],
  ['[P] an indexed store after anything else, 1', 'mov r5, r0\nadds r7, #1\nstr r4, [r5], #4', 3],
];

const cortexM0plus: readonly Rule[] = [
  ['[0] arithmetic, 1', times(10, 'adds r4, #1'), 10],
  ['[0] MULS, 1 (the fast multiplier)', times(10, 'muls r4, r5'), 10],
  ['[0] loads, 2 each', times(4, 'ldr r4, [r0]\nldrb r5, [r0, r3]\nldrh r6, [r0]'), 24],
  ['[0] stores, 2 each', times(4, 'str r4, [r0]\nstrb r5, [r0, r3]'), 16],
  ['[0] no neighbour matters', 'adds r4, r0, #4\nldr r5, [r4]\nldr r6, [r4]', 5],
  ['[0] LDM, 1 + N', 'ldmia r0!, {r4-r7}', 5],
  ['[0] STM, 1 + N', 'stmia r0!, {r4-r7}', 5],
  ['[0] PUSH and POP, 1 + N', 'push {r4-r6}\npop {r4-r6}', 8],
  ['[0] a branch not taken, 1', 'cmp r4, r4\nbne 1f\n1:', 2],
  ['[0] a branch taken, 2', 'cmp r4, r4\nbeq 1f\nnop\n1:', 3],
  ['[0] B, 2', 'b 1f\nnop\n1:', 2],
  ['[0] BL, 3; BX, 2', 'mov r8, lr\nbl 1f\nb 2f\n1: bx lr\n2: mov lr, r8', 9],
  ['[0] BLX, 2', 'mov r8, lr\nadr r4, 1f\nadds r4, #1\nblx r4\n.balign 4\n1: mov lr, r8', 6],
  ['[0] POP PC, 3 + N', 'adr r4, 1f\nadds r4, #1\npush {r4}\npop {pc}\n.balign 4\n1:', 8],
  ['[0] MRS, 3', 'mrs r4, apsr', 3],
  ['[0] DMB and DSB, 3', 'dmb\ndsb', 6],
];

const cores: readonly (readonly [TimingCore, Machine, readonly Rule[]])[] = [
  ['cortex-m4', an386, cortexM4],
  ['cortex-m3', an385, cortexM3],
  ['cortex-m0plus', an385AsM0plus, cortexM0plus],
];

describe.each(cores)('%s', (core, machine, rules) => {
  let measured: (name: string) => Measured;
  beforeAll(async () => {
    const pieces = rules.map(([name, text]) => ({ name, text }));
    measured = await measure(machine, fast(core), pieces);
  }, 60_000);

  test.each(rules)('%s', (name, _, cycles) => {
    const { cold, warm } = measured(name);
    expect(cold.cycles).toBe(cycles);
    expect(warm).toEqual(cold);
    expect(cold.unknown + cold.unmapped).toBe(0);
    expect(Object.values(cold.causes).reduce((a, b) => a + b)).toBe(cycles);
  });
});

test('each cycle has a cause', async () => {
  const measured = await measure(an386, fast('cortex-m4'), [
    { name: 'all', text: 'adds r4, r0, #4\nldr r5, [r4]\nb 1f\nnop\n1: ldr r6, [r0, #2]' },
    { name: 'apart', text: 'ldr r4, [r0]\nldr r5, [r2]' },
  ]);
  // Five instructions; a load not chained, twice, and one computed address; one refill; one more transfer.
  expect(measured('all').cold.causes).toEqual({ issue: 4, pipeline: 3, branch: 1, fetch: 0, data: 1 });
  // Loads of two memories: neither waits for memory, the second does not pipeline.
  expect(measured('apart').cold.causes).toEqual({ issue: 2, pipeline: 2, branch: 0, fetch: 0, data: 0 });
});

test('what the decoder does not know, and memory that no region names, is counted and said', async () => {
  const m3 = await measure(an386, fast('cortex-m4'), [
    { name: 'coprocessor', text: 'movs r4, #1\ncmp r4, #0\nit eq\ncdpeq p0, #0, c0, c0, c0, #0' },
  ]);
  expect(m3('coprocessor').cold).toMatchObject({ unknown: 1, cycles: 4 });
  const only: Timing = { core: 'cortex-m4', caches: [], regions: [{ name: 'code', base: '0x0', bytes: 0x400000 }] };
  const m4 = await measure(an386, only, [{ name: 'outside', text: 'ldr r4, [r0]\nldr r5, [r2]' }]);
  expect(m4('outside').cold).toMatchObject({ unmapped: 2, unknown: 0 });
  const m0 = await measure(an385AsM0plus, fast('cortex-m0plus'), [{ name: 'v7', text: '.inst.w 0xfb94f4f5' }]);
  expect(m0('v7').cold).toMatchObject({ unknown: 1, cycles: 1 });
});
