/**
 * first_conv: a convolution of few input channels, all outputs of some rows from bias to byte. x is widened to int16 rows with their
 * border made real, so that a window's row is KW*C neighbours: whole words, the last one filled with a weight of 0. Pixels that
 * begin in the middle of a word (an odd stride * C) are a phase of their own with weights moved by one element. Nothing is
 * copied but weights. Must stay true: x holds bytes, and |sum| < 2^23 where a form needs the sum itself.
 */
import { add, buffer, iter, load, loop, mul, num, program, refuse, register, store } from '../program/build.ts';
import type { Expr, Loop, Program, Stmt, Store } from '../program/program.ts';
import {
  type FirstConv,
  firstConvCycles,
  firstConvLines,
  mostLanes,
  reachOf,
  type Sweep,
  stackOf,
} from './first-conv-asm.ts';
import type { Instruction, Operand, Params, Recipe } from './instruction.ts';
import { chainOf, planesOfY, stepOf } from './nest.ts';
import { rowWords } from './packings/window-lanes.ts';
import {
  inferRequantize,
  type Requantize,
  requantizeMeaning,
  requantizeOf,
  requantizeOperands,
  requantizePlain,
  requantizeTag,
} from './requantize-lines.ts';
import { fittingBias, sumsFit } from './sums-fit.ts';

interface Shape {
  /** Rows and columns of outputs, and channels. */
  readonly R: number;
  readonly P: number;
  readonly N: number;
  readonly KH: number;
  readonly KW: number;
  readonly C: number;
  readonly SY: number;
  readonly SX: number;
  /** 1: y lies in rows of channel planes, `YW` bytes from one to the next. */
  readonly planes: number;
  readonly YW: number;
  /** Columns of x. */
  readonly XW: number;
  /** Pixels of a block; 1: they lie below one another, not side by side. */
  readonly lanes: number;
  readonly down: number;
  /** Rows of the window in a pass. */
  readonly pass: number;
}
function shapeOf(q: Params): Shape {
  const { R = 1, P = 1, N = 2, KH = 1, KW = 1, C = 1, SY = 1, SX = 1, XW = KW, lanes = mostLanes, down = 0 } = q;
  const { planes = 0 } = q;
  // Bytes in order have no pitch of their own.
  const YW = planes === 1 ? (q.YW ?? P) : P;
  return { R, P, N, KH, KW, C, SY, SX, planes, YW, XW, lanes, down, pass: q.pass ?? KH };
}

/** 2 where every other pixel begins in the middle of a word. */
const phasesOf = ({ SX, C }: Pick<Shape, 'SX' | 'C'>): number => ((SX * C) % 2 === 0 ? 1 : 2);
const wordsOf = (s: Pick<Shape, 'KW' | 'C' | 'SX'>): number => rowWords(s.KW * s.C, phasesOf(s));

/** Elements of a row of x that windows read, the zero weights' included. */
const readOf = (s: Pick<Shape, 'P' | 'KW' | 'C' | 'SX'>): number => {
  const starts = [s.P - 1, s.P - 2].filter((p) => p >= 0).map((p) => p * s.SX * s.C - (phasesOf(s) === 2 ? p % 2 : 0));
  return Math.max(...starts) + 2 * wordsOf(s);
};

/** Columns that x must have for `P` windows side by side: whole words, and enough of them. */
export function columnsOf(s: Pick<Shape, 'P' | 'KW' | 'C' | 'SX'>): number {
  const least = Math.max((s.P - 1) * s.SX + s.KW, Math.ceil(readOf(s) / s.C));
  return least + ((least * s.C) % 2);
}
/** Words of weights in one row of a window. */
export const windowWords = wordsOf;

function check(s: Shape): void {
  const need = (holds: boolean, why: string): void => {
    if (!holds) refuse(`first_conv: ${why}`);
  };
  need(Math.min(s.R, s.P, s.KH, s.KW, s.C, s.SY, s.SX) >= 1, 'a pixel, a window and a distance');
  need(s.N >= 2, 'channels go in pairs');
  need(s.lanes >= 1 && s.lanes <= mostLanes, `${s.lanes} pixels at a time do not fit the registers`);
  need(s.pass >= 1 && s.KH % s.pass === 0, `${s.KH} rows are not whole passes of ${s.pass}`);
  need((s.XW * s.C) % 2 === 0, 'rows begin at words');
  need(readOf(s) <= s.XW * s.C, 'the last window reads beyond its row');
}

/** The phase's pixels in blocks; what is left over in smaller ones. */
function sweepsOf(s: Shape, phase: number): readonly Sweep[] {
  const phases = phasesOf(s);
  const count = Math.ceil((s.P - phase) / phases);
  const [xPixel, xRow] = [2 * phases * s.SX * s.C, 2 * s.SY * s.XW * s.C];
  const [yPixel, yRow] = [phases * pixelOfY(s), s.YW * s.N];
  const along = s.down === 1 ? s.R : count;
  const [xLane, yLane] = s.down === 1 ? [xRow, yRow] : [xPixel, yPixel];
  const sweep = (lanes: number, from: number, blocks: number): Sweep => {
    const way = (lane: number, pixel: number, row: number): Sweep['x'] =>
      s.down === 1
        ? { start: from * lane, lane, inner: pixel, outer: lanes * row }
        : { start: from * lane, lane, inner: lanes * pixel, outer: row };
    const [inner, outer] = s.down === 1 ? [count, blocks] : [blocks, s.R];
    return { lanes, inner, outer, x: way(xLane, xPixel, xRow), y: way(yLane, yPixel, yRow) };
  };
  const whole = Math.floor(along / s.lanes);
  const left = along % s.lanes;
  return [sweep(s.lanes, 0, whole), sweep(left, whole * s.lanes, 1)].filter(
    ({ lanes, inner, outer }) => lanes > 0 && inner > 0 && outer > 0,
  );
}

/** Bytes from one pixel to the next. */
const pixelOfY = ({ planes, N }: Shape): number => (planes === 1 ? 1 : N);

function planOf(s: Shape, q: Requantize): FirstConv {
  const phases = phasesOf(s);
  return {
    N: s.N,
    KH: s.KH,
    words: wordsOf(s),
    pitch: 2 * s.XW * s.C,
    pass: s.pass,
    phases: Array.from({ length: phases }, (_, phase) => sweepsOf(s, phase)),
    xPhase: 2 * (s.SX * s.C - 1),
    yPhase: pixelOfY(s),
    yChannel: s.planes === 1 ? s.YW : 1,
    q,
    constants: Object.keys(requantizeOperands(q)).length,
  };
}

function meaningOf(s: Shape, q: Requantize): Program {
  const [y, p, o, ky, kx, c] = ['y', 'p', 'o', 'ky', 'kx', 'c'].map(iter) as [Expr, Expr, Expr, Expr, Expr, Expr];
  const x = load('x', add(mul(num(s.SY), y), ky), add(mul(num(s.SX), p), kx), c);
  const sum = store('acc', [], mul(x, load('w', o, ky, kx, c)), '+');
  const channel = [
    register('acc'),
    store('acc', [], load('bias', o)),
    loop('ky', s.KH, loop('kx', s.KW, loop('c', s.C, sum))),
    store('y', s.planes === 1 ? [y, o, p] : [y, p, o], requantizeMeaning(q, load('acc'), o)),
  ];
  return program(
    'first_conv',
    [
      buffer('x', 'i16', [(s.R - 1) * s.SY + s.KH, s.XW, s.C], 'in'),
      buffer('y', 'i8', s.planes === 1 ? [s.R, s.N, s.YW] : [s.R, s.P, s.N], 'out'),
      buffer('w', 'i8', [s.N, s.KH, s.KW, s.C], 'const'),
      buffer('bias', 'i32', [s.N], 'const'),
      ...Object.keys(requantizeOperands(q)).map((role) => buffer(role, 'i32', [s.N], 'const')),
    ],
    loop('y', s.R, loop('p', s.P, loop('o', s.N, ...channel))),
  );
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const { loops, body } = chainOf(nest);
  const [, sums, last] = body;
  const [y, p, o] = loops;
  if (y === undefined || p === undefined || o === undefined || sums?.kind !== 'loop' || last?.kind !== 'store')
    return refuse('first_conv: loops over rows, pixels and channels around a sum');
  const window = chainOf(sums);
  const [ky, kx, c] = window.loops;
  const x = readIndex(window.body[0]);
  return {
    R: y.extent,
    P: p.extent,
    N: o.extent,
    KH: ky?.extent ?? 1,
    KW: kx?.extent ?? 1,
    C: c?.extent ?? 1,
    SY: stepOf(x.at(-3), y),
    SX: stepOf(x.at(-2), p),
    XW: shape('x').at(-2) ?? 1,
    ...planesOfY(last, p, shape('y')),
    ...inferRequantize(last.value),
  };
}
const readIndex = (s: Stmt | undefined): Store['index'] =>
  s?.kind === 'store' && s.value.kind === 'binary' && s.value.a.kind === 'load'
    ? s.value.a.index
    : refuse('first_conv: the sum is not of products');

/** x is read element by element, weights where the packing puts them. */
function plain(s: Shape, q: Requantize): string {
  const [phases, words] = [phasesOf(s), wordsOf(s)];
  return `  int32_t r, p, o, ky, k;
  for (r = 0; r < ${s.R}; r++) for (p = 0; p < ${s.P}; p++) for (o = 0; o < ${s.N}; o++) {
    const int32_t phase = p % ${phases};
    const int32_t second = o % 2${s.N % 2 === 1 ? ` + (o == ${s.N - 1} ? 1 : 0)` : ''};
    int32_t acc = bias[o];
    for (ky = 0; ky < ${s.KH}; ky++) {
      const int32_t row = (${s.KH / s.pass - 1} - ky / ${s.pass}) * ${s.pass} + ky % ${s.pass};
      const int16_t *const lane = (const int16_t *)(const void *)w
        + 2 * ${words} * ((o / 2 * ${phases} + phase) * ${s.KH} + row) + phase;
      for (k = 0; k < ${s.KW * s.C}; k++) {
        const int32_t even = (int8_t)lane[k];
        const int32_t weight = second == 0 ? even : (lane[k] - even) >> 8;
        acc = mt_add(acc, x[${s.XW * s.C} * (${s.SY} * r + ky) + ${s.SX * s.C} * p + k] * weight);
      }
    }
    y[${s.YW * s.N} * r + ${pixelOfY(s)} * p + ${s.planes === 1 ? s.YW : 1} * o] = (int8_t)${requantizePlain(q, 'acc', 'o')};
  }
`;
}

function operandsOf(s: Shape, q: Requantize): Readonly<Record<string, Operand>> {
  const layout = { kind: 'packed', packing: 'window_lanes', params: { phases: phasesOf(s), pass: s.pass } } as const;
  return {
    x: { dtype: 'i16', align: 4, span: [-128, 127] },
    y: { dtype: 'i8' },
    w: { dtype: 'i8', align: 4, span: [-127, 127], layout },
    bias: { dtype: 'i32', ...(q.form !== 'affine' && { span: fittingBias }) },
    ...requantizeOperands(q),
  };
}

function symbolOf(s: Shape, q: Requantize): string {
  const window = `${s.KH}x${s.KW}x${s.C}_s${s.SY}x${s.SX}_w${s.XW}`;
  return `mt_first_${s.R}x${s.P}x${s.N}_${window}_${s.lanes}${s.down === 1 ? 'd' : ''}p${s.pass}_${requantizeTag(q)}${s.planes === 1 ? `_y${s.YW}` : ''}`;
}

/** y[y, p, o] = requantised(bias[o] + sum of x[SY*y + ky, SX*p + kx, c] * w[o, ky, kx, c]). */
export const firstConv: Recipe = {
  name: 'first_conv',
  examples: [
    { R: 3, P: 9, N: 4, KH: 3, KW: 3, C: 3, XW: 12, right: 9 },
    { R: 2, P: 6, N: 3, KH: 3, KW: 3, C: 3, SY: 2, SX: 2, XW: 14, form: 1, right: 9 },
    { R: 5, P: 3, N: 2, KH: 4, KW: 4, C: 1, SY: 2, SX: 2, XW: 8, down: 1, pass: 2, form: 2, zero: -3 },
    { R: 2, P: 7, N: 5, KH: 2, KW: 5, C: 1, XW: 12, lanes: 3, pass: 1, right: 8, max: 60 },
    { R: 1, P: 1, N: 2, KH: 3, KW: 3, C: 1, XW: 4, down: 1, lanes: 2, right: 6 },
    { R: 2, P: 5, N: 2, KH: 1, KW: 2, C: 1, SX: 2, XW: 10, right: 6 },
    { R: 3, P: 6, N: 4, KH: 2, KW: 3, C: 1, XW: 10, right: 6, planes: 1, YW: 12 },
    { R: 5, P: 3, N: 3, KH: 3, KW: 3, C: 3, XW: 6, down: 1, form: 2, planes: 1, YW: 8 },
  ],
  infer,
  make(params): Instruction {
    const s = shapeOf(params);
    const q = requantizeOf(params);
    check(s);
    const plan = planOf(s, q);
    if (reachOf(plan) > 4095) refuse('first_conv: the window is too far for an immediate offset');
    const meaning = meaningOf(s, q);
    const constants = Object.keys(requantizeOperands(q)).map((role) => `const int32_t *${role}`);
    return {
      symbol: symbolOf(s, q),
      features: ['dsp', 'fpu'],
      stackBytes: stackOf(plan),
      get cycles() {
        return firstConvCycles(plan);
      },
      meaning,
      operands: operandsOf(s, q),
      ...(q.form !== 'affine' && { requires: (values) => sumsFit(values('w'), values('bias')) }),
      c: (at) => `${at.function}(${meaning.buffers.map((b) => at[b.name]).join(', ')});`,
      get function() {
        return {
          params: ['const int16_t *x', 'int8_t *y', 'const uint8_t *w', 'const int32_t *bias', ...constants],
          lines: firstConvLines(plan),
          plain: plain(s, q),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};
