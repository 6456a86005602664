/**
 * add_bytes: a residual ADD as one linear form (rewrites/linear-sum.ts, form 'half'), four elements at a time. A byte lies in the
 * upper half of a half word, so that SMLAWB and SMLAWT multiply it by a 24-bit fraction and add; the results are the upper halves
 * of two sums, saturated together by USAT16. Must stay true: a word of x0 and x1 is read before the word of y at the same place is
 * written, so y may lie where x0 or x1 lies.
 */
import { buffer, iter, load, loop, program, refuse, store } from '../program/build.ts';
import type { Expr, Loop } from '../program/program.ts';
import { type HalfSum, halfSum } from '../program/rewrites/linear-sum.ts';
import type { AsmFunction, Params, Recipe } from './instruction.ts';
import { straightCycles } from './static-cycles.ts';

/** Elements that the large loop takes at a time, where a schedule does not say. */
const defaultBlock = 32;
/** 0xFF00FF00: the bytes that lie in the upper halves of half words. */
const mask = 'r6';
/** Registers that nothing is kept in. */
const free = ['r7', 'r8', 'r9', 'r10', 'r11', 'r12', 'lr'] as const;

/** What the loops need of memory: saved registers above, then where they end, and limits as four equal bytes. */
const frame = { bytes: 20, blocksEnd: 0, end: 4, arguments: 20 + 36 } as const;

/** Numbers in the nest's value, outermost first: 128, low, high, 16, add, the two multipliers. */
function infer(nest: Loop): Params {
  const [only] = nest.body;
  if (only?.kind !== 'store') return refuse('add_bytes: one store an element');
  const [limited] = sides(only.value, '-');
  const [capped, low] = sides(limited, 'max');
  const [shifted, high] = sides(capped, 'min');
  const [sum] = sides(shifted, '>>');
  const [parts, offset] = sides(sum, '+');
  if (parts.kind !== 'binary') return refuse('add_bytes: a sum of two parts');
  const [m0, m1] = [parts.a, parts.b].map((part) => constant(sides(part, 'mulhi')[1]));
  return { N: nest.extent, m0: m0 ?? 0, m1: m1 ?? 0, add: constant(offset), low: constant(low), high: constant(high) };
}
function sides(e: Expr, op: string): readonly [Expr, Expr] {
  return e.kind === 'binary' && e.op === op ? [e.a, e.b] : refuse(`add_bytes: no ${op} where the form has one`);
}
const constant = (e: Expr): number => (e.kind === 'const' ? e.value : refuse('add_bytes: a number is wanted'));

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
    `pkhtb ${first}, ${first}, ${sum}, asr #16`,
    `usat16 ${first}, #8, ${first}`,
  ];
}

/** Results of one word of each input, `offset` bytes from the pointers: w0 and w1 are lost. */
function word(w0: string, w1: string, offset: number, limits: readonly string[]): readonly string[] {
  const [even, second, sum] = free.slice(4) as [string, string, string];
  return [
    ...pair('even', even, second, sum, [w0, w1]),
    ...pair('odd', w0, w1, sum, [w0, w1]),
    `orr ${even}, ${even}, ${w0}, lsl #8`,
    ...limits,
    // Unsigned bytes become signed ones.
    `eor ${even}, ${even}, #0x80808080`,
    `str ${even}, [r2, #${offset}]`,
  ];
}

/** Saturating differences and sums of bytes limit four of them: (v -low) + low, (v + (255 - high)) - (255 - high). */
function limiting({ low, high }: Pick<HalfSum, 'low' | 'high'>): readonly string[] {
  const [value, limit] = [free[4], free[5]];
  const from = (argument: number): string => `ldr ${limit}, [sp, #${frame.arguments + 12 + 4 * argument}]`;
  return [
    ...(low > 0 ? [from(0), `uqsub8 ${value}, ${value}, ${limit}`, `uqadd8 ${value}, ${value}, ${limit}`] : []),
    ...(high < 255 ? [from(1), `uqadd8 ${value}, ${value}, ${limit}`, `uqsub8 ${value}, ${value}, ${limit}`] : []),
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
/** A byte four times. */
const four = (byte: number): string => `0x${byte.toString(16).padStart(2, '0').repeat(4)}u`;

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
    if (low < 0 || high > 255 || low > high) refuse('add_bytes: limits of unsigned bytes');
    const form: HalfSum = { m0, m1, add, low, high };
    const limits = limiting(form);
    const symbol = `mt_add_bytes_${block}${low > 0 ? `_l${low}` : ''}${high < 255 ? `_h${high}` : ''}`;
    const f: AsmFunction = {
      params: [
        ...['x0', 'x1'].map((x) => `const int8_t *${x}`),
        'int8_t *y',
        ...['n', 'm0', 'm1', 'add'].map((name) => `int32_t ${name}`),
        ...['least', 'room'].map((name) => `uint32_t ${name}`),
      ],
      lines: assembly(block, limits),
      plain: plain(form),
    };
    const rounds = (elements: number): number => straightCycles(round(elements, limits)) + 5;
    const byte = { dtype: 'i8', align: 4 } as const;
    return {
      symbol,
      features: ['dsp'],
      stackBytes: 36 + frame.bytes + 20,
      inPlace: true,
      cycles: 60 + Math.floor(N / block) * rounds(block) + ((N % block) / 4) * rounds(4),
      meaning: program(
        'add_bytes',
        [buffer('x0', 'i8', [N], 'in'), buffer('x1', 'i8', [N], 'in'), buffer('y', 'i8', [N], 'out')],
        loop('i', N, store('y', [iter('i')], halfSum(load('x0', iter('i')), load('x1', iter('i')), form))),
      ),
      operands: { x0: byte, x1: byte, y: byte },
      c: (at) =>
        `${at.function}(${at.x0}, ${at.x1}, ${at.y}, ${N}, ${m0}, ${m1}, ${add}, ${four(low)}, ${four(255 - high)});`,
      function: f,
      prelude: '',
      portable: '',
    };
  },
};
