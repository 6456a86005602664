/** The rules of Cortex-M0+, as in three-stages.ts. */
import { an385AsM0plus, times } from './machine.ts';
import { type CoreRules, type Rule, rule } from './rules.ts';

const rules: readonly Rule[] = [
  rule('T0', 'arithmetic, 1', times(10, 'adds r4, #1'), 10),
  rule('T0', 'MULS, 1 (the fast multiplier)', times(10, 'muls r4, r5'), 10),
  rule('T0', 'loads, 2 each', times(4, 'ldr r4, [r0]\nldrb r5, [r0, r3]\nldrh r6, [r0]'), 24),
  rule('T0', 'stores, 2 each', times(4, 'str r4, [r0]\nstrb r5, [r0, r3]'), 16),
  rule('T0', 'no neighbour matters', 'adds r4, r0, #4\nldr r5, [r4]\nldr r6, [r4]', 5),
  rule('T0', 'LDM, 1 + N', 'ldmia r0!, {r4-r7}', 5),
  rule('T0', 'STM, 1 + N', 'stmia r0!, {r4-r7}', 5),
  rule('T0', 'PUSH and POP, 1 + N', 'push {r4-r6}\npop {r4-r6}', 8),
  rule('T0', 'a branch not taken, 1', 'cmp r4, r4\nbne 1f\n1:', 2),
  rule('T0', 'a branch taken, 2', 'cmp r4, r4\nbeq 1f\nnop\n1:', 3),
  rule('T0', 'B, 2', 'b 1f\nnop\n1:', 2),
  rule('T0', 'BL, 3; BX, 2', 'mov r8, lr\nbl 1f\nb 2f\n1: bx lr\n2: mov lr, r8', 9),
  rule('T0', 'BLX, 2', 'mov r8, lr\nadr r4, 1f\nadds r4, #1\nblx r4\n.balign 4\n1: mov lr, r8', 6),
  rule('T0', 'POP PC, 3 + N', 'adr r4, 1f\nadds r4, #1\npush {r4}\npop {pc}\n.balign 4\n1:', 8),
  rule('T0', 'MRS, 3', 'mrs r4, apsr', 3),
  rule('T0', 'DMB and DSB, 3', 'dmb\ndsb', 6),
];

export const cortexM0plus: CoreRules = {
  core: 'cortex-m0plus',
  machine: an385AsM0plus,
  counted: 'once',
  sources: { T0: 'Arm DDI 0484C (Cortex-M0+ TRM), Table 3-1' },
  groups: { all: rules },
};
