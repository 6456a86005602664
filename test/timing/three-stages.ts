/**
 * The rules of Cortex-M4 and M3, each by a short piece of assembly whose cycles follow from the source that is named. All
 * memories answer without waiting.
 */
import { an385, an386, times } from './machine.ts';
import { type CoreRules, type Rule, rule } from './rules.ts';

const sources = {
  T: 'Arm DDI 0439 (Cortex-M4 TRM) and DDI 0337I (Cortex-M3 TRM), 3.3',
  P: 'github.com/jnk0le/random, "pipeline cycle test", cortex_m3m4.md: measured on STM32F103 and STM32F407',
  G: 'Arm DDI 0337G, 1.4, and J. Yiu on speculative branching, community.arm.com, thread 8414',
  B: 'Arm DDI 0337, "bus mapper unaligned accesses"',
} as const;

/** Both cores. */
const common: readonly Rule[] = [
  rule('T', 'arithmetic, 1', times(10, 'adds r4, #1'), 10),
  rule('T', 'a shifted operand costs nothing', times(10, 'add r4, r5, r6, lsl #3'), 10),
  rule('T', 'MUL, 1', times(10, 'mul r4, r5, r6'), 10),
  rule('T', 'NOP, 1', times(10, 'nop'), 10),
  rule('T', 'SDIV, 2 to 12: 7 is taken', 'movs r5, #1\nsdiv r4, r4, r5', 8),
  rule('T', 'UDIV, 2 to 12: 7 is taken', 'movs r5, #1\nudiv r4, r4, r5', 8),
  rule('T', 'IT, 1', 'cmp r4, r4\nit eq\nmoveq r5, #1', 3),
  rule('T', 'one load, 2', 'ldr r4, [r0]\nadds r5, #1', 3),
  rule('T', '8 pipelined loads, 8 + 1', times(8, 'ldr r4, [r0]'), 9),
  rule('T', 'bytes and halfwords pipeline as well', 'ldrb r4, [r0]\nldrsh r5, [r0, r3]\nldrh r6, [r0]', 4),
  rule('T', 'a literal is a load', 'ldr r4, =0x12345678\nadds r5, #1', 3),
  rule('P', 'loads from alternating memories do not pipeline', times(4, 'ldr r4, [r0]\nldr r5, [r2]'), 16),
  rule('T', 'an address computed just before, +1', 'adds r4, r0, #4\nldr r5, [r4]', 4),
  rule('T', 'an offset computed just before, +1', 'movs r4, #4\nldr r5, [r0, r4]', 4),
  rule('T', 'an address computed two before costs nothing', 'adds r4, r0, #4\nadds r6, #1\nldr r5, [r4]', 4),
  rule('T', 'stored data may be computed just before', 'adds r4, #1\nstr r4, [r0]', 2),
  rule('T', 'a store on an address computed just before, +1', 'adds r4, r0, #4\nstr r5, [r4]', 3),
  rule(
    'T',
    'a load whose address was loaded does not pipeline',
    `str r0, [r0]\n${times(2, 'adds r7, #1')}ldr r4, [r0]\nldr r5, [r4]`,
    7,
  ),
  rule('P', 'a NOP hides behind a load', 'ldr r4, [r0]\nnop', 2),
  rule('P', '32-bit loads at odd halfwords do not pipeline', `adds r7, #1\n${times(4, 'ldr.w r4, [r0]')}`, 9),
  rule('P', '32-bit loads at words do', `adds.w r7, r7, #1\n${times(4, 'ldr.w r4, [r0]')}`, 6),
  rule('T', 'STR with an immediate, 1', times(4, 'str r4, [r0, #8]'), 4),
  rule('T', 'STR with a register, 2', times(4, 'str r4, [r0, r3]'), 8),
  rule('T', 'LDR; STR with an immediate, 3', 'ldr r4, [r0]\nstr r4, [r0, #8]', 3),
  rule('T', 'LDR; STR with a register, 3', 'ldr r4, [r0]\nstr r4, [r0, r3]', 3),
  rule('P', 'a load right after a store, +1', 'str r4, [r0]\nldr r5, [r0, #8]', 4),
  rule('P', 'indexed stores on one base, +1 each', times(4, 'str r4, [r0], #4'), 7),
  rule('T', 'LDM, 1 + N', 'ldmia r0, {r4-r7}', 5),
  rule('T', 'STM, 1 + N', 'stmia r0, {r4-r7}', 5),
  rule('T', 'PUSH and POP, 1 + N', 'push {r4-r7}\npop {r4-r7}', 10),
  rule('T', 'LDRD, 1 + 2, pipelined with nothing', 'ldr r6, [r0]\nldrd r4, r5, [r0]\nldr r6, [r0]', 7),
  rule('T', 'STRD, 1 + 2', 'strd r4, r5, [r0]', 3),
  rule('B', 'a word at 2 is two halfwords, +1', 'ldr r4, [r0, #2]', 3),
  rule('B', 'a word at 1 is byte, halfword, byte, +2', 'ldr r4, [r0, #1]', 4),
  rule('B', 'a halfword at 3 is two bytes, +1', 'ldrh r4, [r0, #3]', 3),
  rule('B', 'stores are cut as loads are', 'str r4, [r0, #2]\nstr r4, [r0, #5]', 5),
  rule('T', 'a branch not taken, 1', 'cmp r4, r4\nbne 1f\n1:', 2),
  rule('G', 'a branch relative to PC, 1 + 1', 'b 1f\nnop\n1:', 2),
  rule('G', 'taken or not is known in time', 'cmp r4, r4\nbeq 1f\nnop\n1:', 3),
  rule('G', 'CBZ, 1 + 1', 'cbz r4, 1f\nnop\n1:', 2),
  rule('T', 'a target of 32 bits at a word', 'b 1f\nnop\n1: add.w r4, r4, #1', 3),
  rule('T', 'a target of 32 bits at an odd halfword, +1', 'b 1f\nnop\nnop\n1: add.w r4, r4, #1', 4),
  rule('T', 'a loop of 10: 10 × (1 + 1 + P) − P', 'movs r4, #10\n1: subs r4, #1\nbne 1b', 30),
  rule('G', 'BL and BX LR, 1 + 1 each', 'mov r8, lr\nbl 1f\nb 2f\n1: bx lr\n2: mov lr, r8', 8),
  rule('T', 'BX of another register, 1 + 3', 'adr r4, 1f\nadds r4, #1\nbx r4\n.balign 4\n1:', 6),
  rule('T', 'LDR PC, at least five', 'ldr pc, 2f\n.balign 4\n2: .word 1f + 1\n1:', 5),
  rule('T', 'POP PC, 1 + N + 3', 'adr r4, 1f\nadds r4, #1\npush {r4}\npop {pc}\n.balign 4\n1:', 9),
  rule('T', 'TBB, at least six', 'movs r4, #0\nadds r7, #1\ntbb [pc, r4]\n1: .byte (2f - 1b) / 2, 0\n2:', 8),
];

const onM4: readonly Rule[] = [
  rule(
    'T',
    'every multiplication, 1',
    'mla r4, r5, r6, r4\nmls r4, r5, r6, r4\nsmull r4, r5, r6, r7\numlal r4, r5, r6, r7\nsmlalbb r4, r5, r6, r7\n' +
      'smlad r4, r5, r6, r4\nsmuad r4, r5, r6\nsmlabb r4, r5, r6, r4\nsmmla r4, r5, r6, r4\nusad8 r4, r5, r6\nsmlsld r4, r5, r6, r7',
    11,
  ),
  rule(
    'T',
    'extends, packing, saturation, 1',
    'sxtb16 r4, r5, ror #8\nsxtab r4, r5, r6\npkhbt r4, r5, r6\nssat r4, #8, r5\nqadd8 r4, r5, r6',
    5,
  ),
  rule('P', 'indexed loads on one base do not chain', times(4, 'ldr r4, [r0], #4'), 8),
  rule(
    'P',
    'indexed loads on two bases do',
    `mov r5, r0\nadds r7, #1\n${times(2, 'ldr r4, [r0], #4\nldr r6, [r5], #4')}`,
    7,
  ),
  rule('P', 'pre-indexed as post-indexed', times(4, 'ldr r4, [r0, #4]!'), 8),
  rule('P', 'an indexed store after a load', 'mov r5, r0\nadds r7, #1\nldr r4, [r0]\nstr r4, [r5], #4', 5),
  rule(
    'T7',
    'VADD, VSUB, VMUL, VCVT, VCMP, VMOV, VABS, 1',
    'vadd.f32 s0, s8, s9\nvsub.f32 s1, s8, s9\nvmul.f32 s2, s8, s9\nvcvt.f32.s32 s3, s8\nvcmp.f32 s8, s9\nvmov.f32 s4, #1.0\nvabs.f32 s5, s8',
    7,
  ),
  rule('T7', 'a result that the next instruction uses, +1', times(4, 'vadd.f32 s0, s0, s1'), 7),
  rule('T7', 'VFMA, 3', 'vfma.f32 s0, s8, s9\nvfma.f32 s1, s8, s9', 6),
  rule('T7', 'VMLA, 3', 'vmla.f32 s0, s8, s9\nvmla.f32 s1, s8, s9', 6),
  rule('T7', 'VFMA on the sum before, 3 + 1', times(4, 'vfma.f32 s0, s8, s9'), 15),
  rule('T7', 'VDIV, 14', 'vdiv.f32 s0, s8, s9\nvadd.f32 s1, s8, s9', 15),
  rule('T7', 'VSQRT, 14', 'vsqrt.f32 s0, s8\nvadd.f32 s1, s8, s9', 15),
  rule('T7', 'integer work beside VDIV', `vdiv.f32 s0, s8, s9\n${times(13, 'adds r4, #1')}\nvadd.f32 s1, s8, s9`, 15),
  rule('T7', 'VMOV of one register, 1', 'vmov r4, s0\nvmov s1, r5', 2),
  rule('T7', 'VMOV of two, 2', 'vmov r4, r5, s0, s1', 2),
  rule('T7', 'VLDR, 2; of a double, 3', 'vldr s0, [r0]\nvldr d1, [r0]', 5),
  rule('T7', 'VSTR, 2', 'vstr s0, [r0]', 2),
  rule('T7', 'VLDM and VSTM, 1 + N', 'vldmia r0, {s0-s3}\nvstmia r0, {s0-s3}', 10),
];

const onM3: readonly Rule[] = [
  rule('T', 'MLA and MLS, 2', 'mla r4, r5, r6, r4\nmls r4, r5, r6, r4', 4),
  rule('T', 'SMULL, 3 to 5: 5 is taken', 'smull r4, r5, r6, r7', 5),
  rule('T', 'SMLAL, 4 to 7: 7 is taken', 'smlal r4, r5, r6, r7', 7),
  rule('P', 'an indexed load chains on nothing', 'mov r5, r0\nadds r7, #1\nldr r4, [r0]\nldr r6, [r5], #4', 6),
  rule('P', 'but may begin a chain', 'mov r5, r0\nadds r7, #1\nldr r6, [r5], #4\nldr r4, [r0]', 5),
  rule('P', 'an indexed store after a load, 2', 'mov r5, r0\nadds r7, #1\nldr r4, [r0]\nstr r4, [r5], #4', 6),
  rule('P', 'an indexed store after anything else, 1', 'mov r5, r0\nadds r7, #1\nstr r4, [r5], #4', 3),
];

export const cortexM4: CoreRules = {
  core: 'cortex-m4',
  machine: an386,
  counted: 'once',
  sources: { ...sources, T7: 'Arm DDI 0439, Table 7-1 and 7.2.3 (floating point)' },
  groups: { 'as on Cortex-M3': common, 'of its own': onM4 },
};
export const cortexM3: CoreRules = {
  core: 'cortex-m3',
  machine: an385,
  counted: 'once',
  sources,
  groups: { 'as on Cortex-M4': common, 'of its own': onM3 },
};
