/** flip_bytes: int8 as bytes from 0 on, four at a time: turning the top bit of each is adding 128. What lane_block reads of a matrix. */
import { add, buffer, iter, load, loop, num, program, refuse, store } from '../program/build.ts';
import type { Params, Recipe } from './instruction.ts';

/** C statements, each after `pad`: sixteen bytes from `from` to `to`, which move on. */
export const flipSixteen = (pad: string): string =>
  [
    'const uint32_t a = from[0], b = from[1], c = from[2], d = from[3];',
    ...['a', 'b', 'c', 'd'].map((word, i) => `to[${i}] = ${word} ^ 0x80808080u;`),
    'from += 4;',
    'to += 4;',
  ]
    .map((line) => `${pad}${line}\n`)
    .join('');
const text = `static inline void mt_flip(const int8_t *src, uint8_t *dst, int32_t words) {
  const mt_word *from = (const mt_word *)(const void *)src;
  mt_word *to = (mt_word *)(void *)dst;
  for (; words >= 4; words -= 4) {
${flipSixteen('    ')}  }
  while (words-- > 0) *to++ = *from++ ^ 0x80808080u;
}
`;

/** dst[a, b] = src[a, b] + 128, R rows of K. */
export const flipBytes: Recipe = {
  name: 'flip_bytes',
  examples: [
    { R: 1, K: 4 },
    { R: 3, K: 12 },
    { R: 2, K: 10 },
  ],
  infer: (nest) => ({ R: nest.extent, K: nest.body[0]?.kind === 'loop' ? nest.body[0].extent : 0 }),
  make: ({ R = 0, K = 0 }: Params) => {
    if (R * K < 4 || (R * K) % 4 !== 0) refuse('flip_bytes works on four bytes at a time');
    const at = [iter('a'), iter('b')];
    return {
      symbol: 'mt_flip',
      features: [],
      stackBytes: 0,
      cycles: 20 + 1.6 * R * K,
      meaning: program(
        'flip_bytes',
        [buffer('src', 'i8', [R, K], 'in'), buffer('dst', 'u8', [R, K], 'out')],
        loop('a', R, loop('b', K, store('dst', at, add(load('src', ...at), num(128))))),
      ),
      operands: { src: { dtype: 'i8', align: 4 }, dst: { dtype: 'u8', align: 4 } },
      c: (where) => `mt_flip(${where.src}, ${where.dst}, ${(R * K) / 4});`,
      prelude: text,
      portable: text,
    };
  },
};
