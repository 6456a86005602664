/** Instructions of the Armv7E-M DSP extension (Cortex-M4, M7, M33): SMLAD and the widening pair SXTB16. The file to copy. */
import { buffer, iter, load, loop, mul, program, refuse, store } from '../program/build.ts';
import type { Params, Recipe } from './instruction.ts';

/** acc += a[0]*b[0] + a[1]*b[1], two int16 products in one cycle. */
export const smlad: Recipe = {
  name: 'smlad',
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
    operands: { a: { dtype: 'i16', align: 4 }, b: { dtype: 'i16', align: 4 }, acc: { dtype: 'i32' } },
    c: (at) => `*(${at.acc}) = mt_smlad(mt_pair(${at.a}), mt_pair(${at.b}), *(${at.acc}));`,
    prelude: '',
    asm: '',
    portable: '',
  }),
};

/** dst[a, b] = src[a, b] from int8 to int16, R rows of K, four at a time: SXTB16 twice and two PKH to keep the order. */
export const widen: Recipe = {
  name: 'widen',
  infer: (nest) => {
    const [inner] = nest.body;
    return { R: nest.extent, K: inner?.kind === 'loop' ? inner.extent : 0 };
  },
  make: ({ R = 0, K = 0 }: Params) => {
    if (R < 1 || K < 1 || (R * K) % 4 !== 0) refuse('widen works on four bytes at a time');
    const at = [iter('a'), iter('b')];
    return {
      symbol: 'mt_widen',
      features: ['dsp'],
      stackBytes: 0,
      meaning: program(
        'widen',
        [buffer('src', 'i8', [R, K], 'in'), buffer('dst', 'i16', [R, K], 'out')],
        loop('a', R, loop('b', K, store('dst', at, load('src', ...at)))),
      ),
      operands: { src: { dtype: 'i8', align: 4 }, dst: { dtype: 'i16', align: 4 } },
      c: (where) => `mt_widen(${where.src}, ${where.dst}, ${(R * K) / 4});`,
      prelude: '',
      asm: '',
      portable: '',
    };
  },
};
