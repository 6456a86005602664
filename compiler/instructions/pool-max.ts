/** pool_max: the largest byte of a window, each channel for itself. SSUB8 compares four bytes with four, SEL takes the larger ones. */
import { buffer, clamp, iter, load, loop, num, program, refuse, register, store } from '../program/build.ts';
import { constant, fourBytes, sides } from './half-words.ts';
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

/** The largest so far of word `k`. */
const most = (k: number): string => `r${5 + k}`;
const scratch = 'r12';

/** The larger, or the smaller, bytes of two words. */
const larger = (to: string, other: string): readonly string[] => [
  `ssub8 ${scratch}, ${to}, ${other}`,
  `sel ${to}, ${to}, ${other}`,
];
const smaller = (to: string, other: string): readonly string[] => [
  `ssub8 ${scratch}, ${to}, ${other}`,
  `sel ${to}, ${other}, ${to}`,
];

function gathering(min: number, max: number): Gathering {
  // Limits that a byte keeps anyway need no lines.
  const limits = (k: number): readonly string[] => [
    ...(max < 127 ? smaller(most(k), 'r3') : []),
    ...(min > -128 ? larger(most(k), 'r2') : []),
  ];
  return {
    begin: (words) => upTo(words).map((k) => `mov ${most(k)}, #0x80808080`),
    take: (k, word) => larger(most(k), word),
    finish: (words) => [
      ...(min > -128 || max < 127 ? [`ldrd r2, r3, [sp, #${windowFrame.third}]`] : []),
      ...upTo(words).flatMap((k) => [...limits(k), `str ${most(k)}, [r1, #${4 * k}]`]),
    ],
  };
}

const plain = ({ C, KH, KW, W }: Window, min: number, max: number): string => `  int32_t c, ky, kx;
  (void)least;
  (void)largest;
  for (c = 0; c < ${C}; c++) {
    int32_t most = -128;
    for (ky = 0; ky < ${KH}; ky++)
      for (kx = 0; kx < ${KW}; kx++) most = mt_max(most, x[${W * C} * ky + ${C} * kx + c]);
    y[c] = (int8_t)mt_clamp(most, ${min}, ${max});
  }
`;

/** y[c] = clamp(max of x[ky, kx, c], min, max). */
export const poolMax: Recipe = {
  name: 'pool_max',
  examples: [
    { D: 2, C: 36, KH: 3, KW: 2, W: 5, min: -128, max: 127, unroll: 1 },
    { D: 2, C: 64, KH: 2, KW: 2, W: 8, min: -7, max: 60 },
    { D: 1, C: 8, KW: 7, min: -128, max: 100, unroll: 2 },
    { D: 2, C: 12, KH: 1, KW: 1, W: 3, min: 3, max: 127 },
  ],
  infer(nest, shape) {
    const [capped, min] = sides(storedBy(nest), 'max');
    return { ...inferWindow(nest, shape), min: constant(min), max: constant(sides(capped, 'min')[1]) };
  },
  make(params) {
    const w = windowOf(params);
    const { min = -128, max = 127 } = params;
    if (min < -128 || max > 127 || min > max) refuse('pool_max: limits of signed bytes');
    const g = gathering(min, max);
    const c = iter('c');
    return {
      symbol: `mt_pool_max_${windowTag(w)}${min > -128 ? `_from${min + 128}` : ''}${max < 127 ? `_to${max + 128}` : ''}`,
      features: ['dsp'],
      stackBytes: windowStack,
      get cycles() {
        return windowCycles(g, w);
      },
      meaning: program(
        'pool_max',
        [buffer('x', 'i8', windowShape(w), 'in'), buffer('y', 'i8', [w.C], 'out')],
        loop(
          'c',
          w.C,
          register('acc'),
          store('acc', [], num(-128)),
          overWindow(w, (index) => store('acc', [], load('x', ...index), 'max')),
          store('y', [c], clamp(load('acc'), min, max)),
        ),
      ),
      operands: { x: { dtype: 'i8', align: 4 }, y: { dtype: 'i8', align: 4 } },
      c: (at) => `${at.function}(${at.x}, ${at.y}, ${fourBytes(min)}, ${fourBytes(max)});`,
      get function() {
        return {
          params: ['const int8_t *x', 'int8_t *y', 'uint32_t least', 'uint32_t largest'],
          lines: windowLines(g, w),
          plain: plain(w, min, max),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};
