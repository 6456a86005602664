/** Lines that block kernels write again and again. */

/** The list of an LDM or STM. */
export const list = (registers: readonly string[]): string => registers.join(', ');
/** A value waits in a floating-point register: a cycle there and a cycle back, and no address. */
export const park = (single: string, register: string): string => `vmov ${single}, ${register}`;
export const unpark = (register: string, single: string): string => `vmov ${register}, ${single}`;

/** Largest constant of one ADDW or SUBW. */
const step = 4095;
/** register += bytes; no line for 0. Flags stay as they are. */
export function advance(register: string, bytes: number): readonly string[] {
  const name = bytes < 0 ? 'subw' : 'addw';
  const out: string[] = [];
  for (let left = Math.abs(bytes); left > 0; left -= step)
    out.push(`${name} ${register}, ${register}, #${Math.min(left, step)}`);
  return out;
}

/** The registers that PUSH and POP of Thumb-1 do not reach. */
const high = ['r8', 'r9', 'r10', 'r11'] as const;
/** A Thumb-1 function keeps its caller's r4-r7 and the first `count` registers from r8 on. */
export const enterThumb = (count: number): readonly string[] => [
  'push {r4-r7, lr}',
  ...high.slice(0, count).map((r, i) => `mov r${4 + i}, ${r}`),
  `push {r4-r${3 + count}}`,
];
/** The end of it: they are as they were, and it returns. */
export const leaveThumb = (count: number): readonly string[] => [
  `pop {r4-r${3 + count}}`,
  ...high.slice(0, count).map((r, i) => `mov ${r}, r${4 + i}`),
  'pop {r4-r7, pc}',
];
/** A stretch of words from where one register points to where another does; both move on. */
export const moveWords = (from: string, to: string, through: readonly string[]): readonly string[] => [
  `ldmia ${from}!, {${list(through)}}`,
  `stmia ${to}!, {${list(through)}}`,
];
/** `n` of something, by number. */
export const each = <T>(n: number, f: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => f(i));
/** A number in a high register of Thumb-1, by way of r4. */
export const highNumber = (register: string, value: number): readonly string[] => [
  `ldr r4, =${value}`,
  `mov ${register}, r4`,
];
/** A loop of Thumb-1 that counts down on the stack, by way of r4. Its body may be longer than a branch with a condition reaches. */
export const countFrom = (slot: string, times: number): readonly string[] => [`movs r4, #${times}`, `str r4, ${slot}`];
export const countAgain = (slot: string, label: string): readonly string[] => [
  `ldr r4, ${slot}`,
  'subs r4, #1',
  `str r4, ${slot}`,
  'beq 4f',
  `bl ${label}`,
  '4:',
];
