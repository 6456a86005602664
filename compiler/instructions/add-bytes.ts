/**
 * add_bytes: a residual ADD as one linear form (rewrites/linear-sum.ts, form 'half'), four elements at a time. A byte lies in the
 * upper half of a half word, so that SMLAWB and SMLAWT multiply it by a 24-bit fraction and add; the results are the upper halves
 * of two sums, saturated together by USAT16. Must stay true: a word of x0 and x1 is read before the word of y at the same place is
 * written, so y may lie where x0 or x1 lies.
 */
import { buffer, iter, load, loop, program, refuse, store } from '../program/build.ts';
import type { Loop } from '../program/program.ts';
import { type HalfSum, halfSum } from '../program/rewrites/linear-sum.ts';
import {
  checkLimits,
  constant,
  inferHalf,
  limitArguments,
  limitLines,
  limitParams,
  limitTag,
  saturatedPair,
  sides,
  storeFour,
} from './half-words.ts';
import type { AsmFunction, Params, Recipe } from './instruction.ts';
import { straightCycles } from './static-cycles.ts';

/** Elements that the large loop takes at a time, where a schedule does not say. */
const defaultBlock = 32;
/** 0xFF00FF00: the bytes that lie in the upper halves of half words. */
const mask = 'r6';
/** Registers that nothing is kept in. */
const free = ['r7', 'r8', 'r9', 'r10', 'r11', 'r12', 'lr'] as const;

/** The stack: where the two loops end, the saved registers, and then the arguments from the fifth on. */
const frame = { bytes: 20, blocksEnd: 0, end: 4, arguments: 20 + 36 } as const;

function infer(nest: Loop): Params {
  const [only] = nest.body;
  if (only?.kind !== 'store') return refuse('add_bytes: one store an element');
  const { sum, ...numbers } = inferHalf(only.value);
  const [m0 = 0, m1 = 0] = sides(sum, '+').map((part) => constant(sides(part, 'mulhi')[1]));
  return { N: nest.extent, m0, m1, ...numbers };
}

/** Two elements, the even or the odd ones of a word, as halves of `first`: unsigned bytes. */
function pair(
  parity: 'even' | 'odd',
  first: string,
  second: string,
  sum: string,
  [w0, w1]: readonly string[],
): string[] {
  const up = parity === 'even' ? ', lsl #8' : '';
  return [
    // The second word first: `first` and `second` may be the words themselves.
    `and ${second}, ${mask}, ${w1}${up}`,
    `and ${first}, ${mask}, ${w0}${up}`,
    `smlawb ${sum}, r3, ${first}, r5`,
    `smlawt ${first}, r3, ${first}, r5`,
    `smlawb ${sum}, r4, ${second}, ${sum}`,
    `smlawt ${first}, r4, ${second}, ${first}`,
    ...saturatedPair(first, sum, first),
  ];
}

/** Results of one word of each input, `offset` bytes from the pointers: w0 and w1 are lost. */
function word(w0: string, w1: string, offset: number, limits: readonly string[]): readonly string[] {
  const [even, second, sum] = free.slice(4) as [string, string, string];
  return [
    ...pair('even', even, second, sum, [w0, w1]),
    ...pair('odd', w0, w1, sum, [w0, w1]),
    ...storeFour(even, w0, limits, `[r2, #${offset}]`),
  ];
}

/** `elements` a round: words of both inputs two at a time, side by side so that their loads overlap. */
function round(elements: number, limits: readonly string[]): readonly string[] {
  const words = Array.from({ length: elements / 4 }, (_, i) => i);
  const loads = (group: readonly number[]): readonly string[] =>
    ['r0', 'r1'].flatMap((base, input) => group.map((w, i) => `ldr ${free[2 * i + input]}, [${base}, #${4 * w}]`));
  const groups = words.filter((w) => w % 2 === 0).map((w) => words.slice(w, w + 2));
  return [
    ...groups.flatMap((group) => [
      ...loads(group),
      ...group.flatMap((w, i) => word(free[2 * i] ?? '', free[2 * i + 1] ?? '', 4 * w, limits)),
    ]),
    ...['r0', 'r1', 'r2'].map((r) => `adds ${r}, #${elements}`),
  ];
}

function assembly(block: number, limits: readonly string[]): readonly string[] {
  const again = (label: string, end: number): readonly string[] => [
    `ldr ${free[0]}, [sp, #${end}]`,
    `cmp r0, ${free[0]}`,
    `bne ${label}`,
  ];
  return [
    'push {r4-r11, lr}',
    `sub sp, sp, #${frame.bytes}`,
    `add ${free[0]}, r0, r3`,
    `str ${free[0]}, [sp, #${frame.end}]`,
    `bic ${free[1]}, r3, #${block - 1}`,
    `add ${free[1]}, r0, ${free[1]}`,
    `str ${free[1]}, [sp, #${frame.blocksEnd}]`,
    `mov ${mask}, #0xFF00FF00`,
    ...['r3', 'r4', 'r5'].map((r, i) => `ldr ${r}, [sp, #${frame.arguments + 4 * i}]`),
    `cmp r0, ${free[1]}`,
    'beq 2f',
    '1:',
    ...round(block, limits),
    ...again('1b', frame.blocksEnd),
    '2:',
    `ldr ${free[0]}, [sp, #${frame.end}]`,
    `cmp r0, ${free[0]}`,
    'beq 4f',
    '3:',
    ...round(4, limits),
    ...again('3b', frame.end),
    '4:',
    `add sp, sp, #${frame.bytes}`,
    'pop {r4-r11, pc}',
  ];
}

const plain = ({ low, high }: HalfSum): string => `  int32_t i;
  (void)least;
  (void)room;
  for (i = 0; i < n; i++) {
    const int32_t sum = mt_add(mt_add(mt_mulhi(mt_shl(x0[i], 24), m0), mt_mulhi(mt_shl(x1[i], 24), m1)), add);
    y[i] = (int8_t)(mt_clamp(sum >> 16, ${low}, ${high}) - 128);
  }
`;

const functionOf = (block: number, limits: readonly string[], form: HalfSum): AsmFunction => ({
  params: [
    ...['x0', 'x1'].map((x) => `const int8_t *${x}`),
    'int8_t *y',
    ...['n', 'm0', 'm1', 'add'].map((name) => `int32_t ${name}`),
    ...limitParams,
  ],
  lines: assembly(block, limits),
  plain: plain(form),
});

/** y[i] = clamp(((x0[i]*m0 >> 8) + (x1[i]*m1 >> 8) + add) >> 16) - 128 for N elements. */
export const addBytes: Recipe = {
  name: 'add_bytes',
  examples: [
    { N: 52, m0: 12972916, m1: 34313055, add: 5983089, low: 0, high: 255 },
    { N: 16, m0: -2000000000, m1: 2 ** 31 - 1, add: -5, low: 0, high: 255, block: 8 },
    { N: 40, m0: 9000000, m1: 8000000, add: 8000000, low: 100, high: 200, block: 32 },
    { N: 4, m0: 9000000, m1: -8000000, add: 8000000, low: 20, high: 255 },
  ],
  infer,
  make({ N = 0, m0 = 0, m1 = 0, add = 0, low = 0, high = 255, block = defaultBlock }: Params) {
    if (N < 4 || N % 4 !== 0) refuse('add_bytes: words of four elements');
    if (![8, 16, 32].includes(block)) refuse(`add_bytes: no block of ${block}`);
    const form: HalfSum = { m0, m1, add, low, high };
    checkLimits(form);
    // Between two words, the registers of the last one are free.
    const limits = limitLines(free[4], free[5], form, frame.arguments + 12);
    const rounds = (elements: number): number => straightCycles(round(elements, limits)) + 5;
    const byte = { dtype: 'i8', align: 4 } as const;
    return {
      symbol: `mt_add_bytes_${block}${limitTag(form)}`,
      features: ['dsp'],
      stackBytes: 36 + frame.bytes + 20,
      inPlace: true,
      get cycles() {
        return 60 + Math.floor(N / block) * rounds(block) + ((N % block) / 4) * rounds(4);
      },
      meaning: program(
        'add_bytes',
        [buffer('x0', 'i8', [N], 'in'), buffer('x1', 'i8', [N], 'in'), buffer('y', 'i8', [N], 'out')],
        loop('i', N, store('y', [iter('i')], halfSum(load('x0', iter('i')), load('x1', iter('i')), form))),
      ),
      operands: { x0: byte, x1: byte, y: byte },
      c: (at) => `${at.function}(${at.x0}, ${at.x1}, ${at.y}, ${N}, ${m0}, ${m1}, ${add}, ${limitArguments(form)});`,
      get function() {
        return functionOf(block, limits, form);
      },
      prelude: '',
      portable: '',
    };
  },
};
