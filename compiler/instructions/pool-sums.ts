/**
 * pool_sums: the mean of a window, each channel for itself. SXTAB16 adds two bytes of a word to two sums of 16 bits; a
 * multiplication whose result lies in the upper half of a word (rewrites/requantize-half.ts) makes the bytes.
 */
import { buffer, iter, load, loop, num, program, register, store } from '../program/build.ts';
import { type HalfScale, halfScaled } from '../program/rewrites/requantize-half.ts';
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
import type { Recipe } from './instruction.ts';
import {
  type Gathering,
  inferWindow,
  overWindow,
  storedBy,
  upTo,
  type Window,
  windowCycles,
  windowFrame,
  windowLines,
  windowOf,
  windowShape,
  windowStack,
  windowTag,
} from './pool-window.ts';

/** Sums of channels 0 and 2, and of 1 and 3, of word `k`. */
const even = (k: number): string => `r${5 + 2 * k}`;
const odd = (k: number): string => `r${6 + 2 * k}`;

function gathering(form: HalfScale): Gathering {
  const scaled = (sum: string): readonly string[] => [
    `smlawb r4, r2, ${sum}, r3`,
    `smlawt ${sum}, r2, ${sum}, r3`,
    ...saturatedPair(sum, 'r4', sum),
  ];
  return {
    begin: (words) => upTo(words).flatMap((k) => [`mov ${even(k)}, #0`, `mov ${odd(k)}, #0`]),
    take: (k, word) => [`sxtab16 ${even(k)}, ${even(k)}, ${word}`, `sxtab16 ${odd(k)}, ${odd(k)}, ${word}, ror #8`],
    finish: (words) => [
      `ldrd r2, r3, [sp, #${windowFrame.third}]`,
      ...upTo(words).flatMap((k) => [
        ...scaled(even(k)),
        ...scaled(odd(k)),
        ...storeFour(even(k), odd(k), limitLines(even(k), 'r4', form, windowFrame.arguments), `[r1, #${4 * k}]`),
      ]),
    ],
  };
}

const plain = ({ C, KH, KW, W }: Window, { low, high }: HalfScale): string => `  int32_t c, ky, kx;
  (void)least;
  (void)room;
  for (c = 0; c < ${C}; c++) {
    int32_t sum = 0;
    for (ky = 0; ky < ${KH}; ky++)
      for (kx = 0; kx < ${KW}; kx++) sum += x[${W * C} * ky + ${C} * kx + c];
    y[c] = (int8_t)(mt_clamp(mt_add(mt_mulhi(mt_shl(sum, 16), m), add) >> 16, ${low}, ${high}) - 128);
  }
`;

/** y[c] = clamp(((m * sum of x[ky, kx, c] >> 16) + add) >> 16) - 128. */
export const poolSums: Recipe = {
  name: 'pool_sums',
  examples: [
    { D: 2, C: 36, KH: 3, KW: 2, W: 5, m: 715827883, add: 8421378, low: 0, high: 255, unroll: 1 },
    { D: 2, C: 64, KH: 5, KW: 5, W: 5, m: 171798692, add: 8421378, low: 90, high: 140 },
    { D: 1, C: 8, KW: 7, m: 613566757, add: 8000000, low: 0, high: 200, unroll: 2 },
    { D: 2, C: 16, KH: 9, KW: 3, W: 4, m: 2 ** 31 - 1, add: -3, low: 5, high: 255, unroll: 3 },
  ],
  infer(nest, shape) {
    const { sum, ...numbers } = inferHalf(storedBy(nest));
    return { ...inferWindow(nest, shape), m: constant(sides(sum, 'mulhi')[1]), ...numbers };
  },
  make(params) {
    const w = windowOf(params);
    const { m = 0, add = 0, low = 0, high = 255 } = params;
    const form: HalfScale = { m, add, low, high };
    checkLimits(form);
    const g = gathering(form);
    const c = iter('c');
    return {
      symbol: `mt_pool_sums_${windowTag(w)}${limitTag(form)}`,
      features: ['dsp'],
      stackBytes: windowStack,
      get cycles() {
        return windowCycles(g, w);
      },
      meaning: program(
        'pool_sums',
        [buffer('x', 'i8', windowShape(w), 'in'), buffer('y', 'i8', [w.C], 'out')],
        loop(
          'c',
          w.C,
          register('acc'),
          store('acc', [], num(0)),
          overWindow(w, (index) => store('acc', [], load('x', ...index), '+')),
          store('y', [c], halfScaled(load('acc'), form)),
        ),
      ),
      operands: { x: { dtype: 'i8', align: 4 }, y: { dtype: 'i8', align: 4 } },
      c: (at) => `${at.function}(${at.x}, ${at.y}, ${m}, ${add}, ${limitArguments(form)});`,
      get function() {
        return {
          params: ['const int8_t *x', 'int8_t *y', 'int32_t m', 'int32_t add', ...limitParams],
          lines: windowLines(g, w),
          plain: plain(w, form),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};
