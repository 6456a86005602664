/**
 * Bytes made two at a time in the halves of a word: what instructions share whose results lie in the upper halves of two sums.
 * The form is `clamp((sum + add) >> 16, low, high) - 128`, with the limits of an unsigned byte.
 */
import { refuse } from '../program/build.ts';
import type { Expr } from '../program/program.ts';

/** The two operands of that operation; refuses another one. */
export function sides(e: Expr, op: string): readonly [Expr, Expr] {
  return e.kind === 'binary' && e.op === op ? [e.a, e.b] : refuse(`no ${op} where the form has one`);
}
export const constant = (e: Expr): number =>
  e.kind === 'const' ? e.value : refuse('no number where the form has one');

/** The numbers of the form, and its sum. */
export function inferHalf(value: Expr): {
  readonly sum: Expr;
  readonly add: number;
  readonly low: number;
  readonly high: number;
} {
  const [limited] = sides(value, '-');
  const [capped, low] = sides(limited, 'max');
  const [shifted, high] = sides(capped, 'min');
  const [total] = sides(shifted, '>>');
  const [sum, offset] = sides(total, '+');
  return { sum, add: constant(offset), low: constant(low), high: constant(high) };
}

export interface ByteLimits {
  readonly low: number;
  readonly high: number;
}
export function checkLimits({ low, high }: ByteLimits): void {
  if (low < 0 || high > 255 || low > high) refuse(`no limits of unsigned bytes: ${low}..${high}`);
}
/** For names of functions: limits that need no lines need no name. */
export const limitTag = ({ low, high }: ByteLimits): string =>
  `${low > 0 ? `_l${low}` : ''}${high < 255 ? `_h${high}` : ''}`;
/** C parameters of the limits, and their arguments: each byte four times, the second as its distance from 255. */
export const limitParams: readonly string[] = ['uint32_t least', 'uint32_t room'];
export const limitArguments = ({ low, high }: ByteLimits): string => [low, 255 - high].map(fourBytes).join(', ');
export const fourBytes = (byte: number): string => `0x${(byte & 255).toString(16).padStart(2, '0').repeat(4)}u`;

/**
 * Four unsigned bytes within limits, by differences and sums that saturate: (v - low) + low, (v + room) - room. `from`: where the
 * arguments `least` and `room` lie on the stack.
 */
export function limitLines(value: string, scratch: string, { low, high }: ByteLimits, from: number): readonly string[] {
  const limit = (at: number, first: string, second: string): readonly string[] => [
    `ldr ${scratch}, [sp, #${at}]`,
    `${first} ${value}, ${value}, ${scratch}`,
    `${second} ${value}, ${value}, ${scratch}`,
  ];
  return [
    ...(low > 0 ? limit(from, 'uqsub8', 'uqadd8') : []),
    ...(high < 255 ? limit(from + 4, 'uqadd8', 'uqsub8') : []),
  ];
}

/** Two sums to the halves of one word, saturated to unsigned bytes: the upper half of `second` above that of `first`. */
export const saturatedPair = (word: string, first: string, second: string): readonly string[] => [
  `pkhtb ${word}, ${second}, ${first}, asr #16`,
  `usat16 ${word}, #8, ${word}`,
];

/** Even and odd unsigned bytes in halves of words to four signed ones at an address. */
export const storeFour = (even: string, odd: string, limits: readonly string[], address: string): readonly string[] => [
  `orr ${even}, ${even}, ${odd}, lsl #8`,
  ...limits,
  `eor ${even}, ${even}, #0x80808080`,
  `str ${even}, ${address}`,
];
