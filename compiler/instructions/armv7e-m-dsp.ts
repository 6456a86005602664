/** The Armv7E-M DSP extension's SMLAD (Cortex-M4, M7, M33). The file to copy for a single machine instruction. */
import { buffer, iter, load, loop, mul, program, store } from '../program/build.ts';
import type { Recipe } from './instruction.ts';

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
