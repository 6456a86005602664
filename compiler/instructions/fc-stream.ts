/**
 * fc_stream: a fully connected layer for P input rows: bias, sum, requantise and store of all N outputs. Weights are read once, from
 * front to back, R rows side by side (packing lane_groups). Two rows share the lanes of a word: SMLAD with the word sums
 * even + 256 * odd, SXTB16 leaves the even row alone, and the difference is 256 * odd, as the short requantise forms want it.
 * Must stay true: x holds bytes, and |sum| < 2^23 where a form needs the sum itself.
 */
import { buffer, iter, load, loop, mul, program, refuse, register, store } from '../program/build.ts';
import type { Loop, Program } from '../program/program.ts';
import { type FcStream, fcStreamCycles, fcStreamLines, maxSums, saved } from './fc-stream-asm.ts';
import type { AsmFunction, Instruction, Operand, Params, Recipe } from './instruction.ts';
import { quad as quads } from './mac-block.ts';
import {
  inferRequantize,
  requantizeMeaning,
  requantizeOf,
  requantizeOperands,
  requantizePlain,
  requantizeTag,
} from './requantize-lines.ts';
import { fittingBias, sumsFit } from './sums-fit.ts';

function shapeOf(params: Params): FcStream {
  const { P = 1, K = 1, N = 1, R = 8, unroll = 4, quad = 0 } = params;
  const need = (holds: boolean, why: string): void => {
    if (!holds) refuse(`fc_stream: ${why}`);
  };
  need(
    R >= 2 && R % 2 === 0 && P <= 3 && P * R <= maxSums,
    `${P} rows of x by ${R} of weights do not fit the registers`,
  );
  need(P === 1 || K % 2 === 0, 'rows of x begin at words');
  need(quad === 0 || K % 4 === 0, 'quads of elements');
  need(P === 1 || 2 * K * P < 4096, 'x is too far for an immediate offset');
  need(unroll >= 1, 'at least one step');
  return { P, K, N, R, unroll, quad, q: requantizeOf(params) };
}

/** x and w are read in the order in which they are stored. */
function plain(s: FcStream): string {
  const pairs = Math.ceil(s.K / 2);
  return `  const int16_t *const lanes = (const int16_t *)(const void *)w;
  int32_t p, o, k;
  for (p = 0; p < ${s.P}; p++) {
    for (o = 0; o < ${s.N}; o++) {
      const int32_t first = o - o % ${s.R};
      const int32_t words = (mt_min(${s.R}, ${s.N} - first) + 1) / 2;
      const int16_t *const own = lanes + first * ${pairs} + o % ${s.R} / 2 * 2;
      int32_t acc = bias[o];
      for (k = 0; k < ${s.K}; k++) {
        const int32_t both = own[k / 2 * words * 2 + k % 2];
        const int32_t even = (int8_t)both;
        acc = mt_add(acc, x[p * ${s.K} + k] * (o % 2 == 0 ? even : (both - even) >> 8));
      }
      y[p * ${s.N} + o] = (int8_t)${requantizePlain(s.q, 'acc', 'o')};
    }
  }
`;
}

function functionOf(s: FcStream): AsmFunction {
  const roles = Object.keys(requantizeOperands(s.q)).map((role) => `const int32_t *${role}`);
  return {
    params: ['const int16_t *x', 'const uint8_t *w', 'const int32_t *bias', 'int8_t *y', ...roles],
    lines: fcStreamLines(s),
    plain: plain(s),
  };
}

function meaning(s: FcStream): Program {
  const [p, o, i] = [iter('p'), iter('o'), iter('i')];
  const constants = Object.keys(requantizeOperands(s.q)).map((role) => buffer(role, 'i32', [s.N], 'const'));
  return program(
    'fc_stream',
    [
      buffer('x', 'i16', [s.P, s.K], 'in'),
      buffer('w', 'i8', [s.N, s.K], 'const'),
      buffer('bias', 'i32', [s.N], 'const'),
      buffer('y', 'i8', [s.P, s.N], 'out'),
      ...constants,
    ],
    loop(
      'p',
      s.P,
      loop(
        'o',
        s.N,
        register('acc'),
        store('acc', [], load('bias', o)),
        loop('i', s.K, store('acc', [], mul(load('x', p, i), load('w', o, i)), '+')),
        store('y', [p, o], requantizeMeaning(s.q, load('acc'), o)),
      ),
    ),
  );
}

const byte = [-128, 127] as const;

function operands(s: FcStream): Readonly<Record<string, Operand>> {
  return {
    x: { dtype: 'i16', align: 4, span: byte, ...(s.quad === 1 && { layout: quads }) },
    w: {
      dtype: 'i8',
      align: 8,
      layout: { kind: 'packed', packing: 'lane_groups', params: { rows: s.R, quad: s.quad } },
      span: [-127, 127],
    },
    bias: { dtype: 'i32', ...(s.q.form !== 'affine' && { span: fittingBias }) },
    y: { dtype: 'i8' },
    ...requantizeOperands(s.q),
  };
}

function infer(nest: Loop): Params {
  const [outputs] = nest.body;
  const inner = outputs?.kind === 'loop' ? outputs.body.filter((x) => x.kind !== 'alloc') : [];
  const [, sum, last] = inner;
  if (outputs?.kind !== 'loop' || sum?.kind !== 'loop' || last?.kind !== 'store')
    return refuse('fc_stream: loops over rows, outputs and inputs');
  return { P: nest.extent, N: outputs.extent, K: sum.extent, ...inferRequantize(last.value) };
}

function make(params: Params): Instruction {
  const s = shapeOf(params);
  const roles = Object.keys(requantizeOperands(s.q));
  const tag = [`${s.P}x${s.K}x${s.N}`, `r${s.R}u${s.unroll}${s.quad === 1 ? 'q' : ''}`, requantizeTag(s.q)];
  return {
    symbol: `mt_fc_${tag.join('_')}`,
    features: ['dsp', 'fpu'],
    stackBytes: saved,
    get cycles() {
      return fcStreamCycles(s);
    },
    meaning: meaning(s),
    operands: operands(s),
    ...(s.q.form !== 'affine' && { requires: (values) => sumsFit(values('w'), values('bias')) }),
    c: (at) => `${at.function}(${['x', 'w', 'bias', 'y', ...roles].map((role) => at[role]).join(', ')});`,
    get function() {
      return functionOf(s);
    },
    prelude: '',
    portable: '',
  };
}

export const fcStream: Recipe = {
  name: 'fc_stream',
  examples: [
    { P: 1, K: 8, N: 8, right: 9, unroll: 1, quad: 1 },
    { P: 1, K: 21, N: 13, right: 7, unroll: 2 },
    { P: 1, K: 36, N: 5, R: 4, right: 8, unroll: 2, quad: 1, form: 1 },
    { P: 2, K: 22, N: 7, R: 4, right: 8, unroll: 1, max: 60 },
    { P: 1, K: 12, N: 7, R: 6, unroll: 2, form: 2, zero: -3 },
    { P: 3, K: 12, N: 3, R: 2, unroll: 2, form: 2, zero: 5, min: 5, quad: 1 },
  ],
  infer,
  make,
};
