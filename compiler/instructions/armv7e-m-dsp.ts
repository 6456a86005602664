/** Instructions of the Armv7E-M DSP extension (Cortex-M4, M7, M33): SMLAD and the widening pair SXTB16. The file to copy. */
import { buffer, iter, load, loop, mul, program, refuse, store } from '../program/build.ts';
import type { Layout } from '../program/layouts.ts';
import type { Params, Recipe } from './instruction.ts';

const smladText = `static inline int32_t mt_smlad(uint32_t a, uint32_t b, int32_t c) {
  int32_t sum;
  __asm__("smlad %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
  return sum;
}
`;
const smladPortable = `static inline int32_t mt_smlad(uint32_t a, uint32_t b, int32_t c) {
  return mt_add(mt_add(c, (int16_t)a * (int16_t)b), (int16_t)(a >> 16) * (int16_t)(b >> 16));
}
`;

/** acc += a[0]*b[0] + a[1]*b[1], two int16 products in one cycle. */
export const smlad: Recipe = {
  name: 'smlad',
  examples: [{}],
  infer: () => ({}),
  make: () => ({
    symbol: 'mt_smlad',
    features: ['dsp'],
    stackBytes: 0,
    meaning: program(
      'smlad',
      [buffer('a', 'i16', [2], 'in'), buffer('b', 'i16', [2], 'in'), buffer('acc', 'i32', [], 'out')],
      loop('k', 2, store('acc', [], mul(load('a', iter('k')), load('b', iter('k'))), '+')),
    ),
    operands: { a: { dtype: 'i16', align: 4 }, b: { dtype: 'i16', align: 4 }, acc: { dtype: 'i32', cells: true } },
    c: (at) => `${at['acc.0']} = mt_smlad(mt_pair(${at.a}), mt_pair(${at.b}), ${at['acc.0']});`,
    prelude: smladText,
    portable: smladPortable,
  }),
};

const widenText = (
  name: string,
  low: string,
  high: string,
): string => `static inline void ${name}(const int8_t *src, int16_t *dst, int32_t words) {
  const mt_word *from = (const mt_word *)(const void *)src;
  mt_word *to = (mt_word *)(void *)dst;
  const mt_word *end = from + words;
  while (from != end) {
    const uint32_t four = *from++;
    uint32_t even, odd;
    __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(four));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(four));
    to[0] = ${low};
    to[1] = ${high};
    to += 2;
  }
}
`;
const widenPortable = (
  name: string,
  order: readonly number[],
): string => `static inline void ${name}(const int8_t *src, int16_t *dst, int32_t words) {
  int32_t i;
  for (i = 0; i < 4 * words; i += 4) {
${order.map((from, to) => `    dst[i + ${to}] = src[i + ${from}];\n`).join('')}  }
}
`;

/**
 * dst[a, b] = src[a, b] from int8 to int16, R rows of K, four at a time. In the layout 0 2 1 3 two SXTB16 do it; `quad` 0 keeps
 * the order with two PKH more.
 */
export const widen: Recipe = {
  name: 'widen',
  examples: [
    { R: 0, K: 8 },
    { R: 3, K: 8 },
    { R: 2, K: 4, quad: 1 },
  ],
  infer: (nest) => {
    const [inner] = nest.body;
    return inner?.kind === 'loop' ? { R: nest.extent, K: inner.extent } : { R: 0, K: nest.extent };
  },
  make: ({ R = 0, K = 0, quad = 0 }: Params) => {
    const total = Math.max(1, R) * K;
    if (total < 4 || total % 4 !== 0) refuse('widen works on four bytes at a time');
    const shape = R === 0 ? [K] : [R, K];
    const at = R === 0 ? [iter('b')] : [iter('a'), iter('b')];
    const inner = loop('b', K, store('dst', at, load('src', ...at)));
    const symbol = quad === 1 ? 'mt_widen_quads' : 'mt_widen';
    const layout: Layout = { kind: 'quad', order: [0, 2, 1, 3] };
    return {
      symbol,
      features: ['dsp'],
      stackBytes: 0,
      meaning: program(
        'widen',
        [buffer('src', 'i8', shape, 'in'), buffer('dst', 'i16', shape, 'out')],
        R === 0 ? inner : loop('a', R, inner),
      ),
      operands: { src: { dtype: 'i8', align: 4 }, dst: { dtype: 'i16', align: 4, ...(quad === 1 && { layout }) } },
      c: (where) => `${symbol}(${where.src}, ${where.dst}, ${total / 4});`,
      prelude:
        quad === 1
          ? widenText(symbol, 'even', 'odd')
          : widenText(symbol, '(even & 0xffffu) | (odd << 16)', '(even >> 16) | (odd & 0xffff0000u)'),
      portable: widenPortable(symbol, quad === 1 ? layout.order : [0, 1, 2, 3]),
    };
  },
};
