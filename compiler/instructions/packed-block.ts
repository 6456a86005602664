/**
 * packed_block: a pair of output channels (or one) of a convolution or matrix product, from bias to byte, over all pixels of some
 * rows. x lies widened to int16 with its border made real, so that taps are stretches of neighbours and nothing is copied;
 * weights are in the packing 'lane_pairs'. Must stay true: its sums are exact modulo 2^32 for any x, and where the requantise form
 * needs the sum itself, `requires` shows that it has 24 bits.
 */
import { add, buffer, iter, load, loop, mul, num, program, refuse, register, store } from '../program/build.ts';
import type { Expr, Loop, Program, Stmt, Store } from '../program/program.ts';
import type { AsmFunction, Instruction, Operand, Params, Recipe } from './instruction.ts';
import { quad } from './mac-block.ts';
import { chainOf, planesOfY, stepOf } from './nest.ts';
import { type Blocks, packedBlockCycles, packedBlockLines, reach, stackBytes } from './packed-block-asm.ts';
import { lapsOf, type Walk } from './packings/lane-pairs.ts';
import {
  inferRequantize,
  type Requantize,
  requantizeMeaning,
  requantizeOf,
  requantizeOperands,
  requantizePlain,
  requantizeTag,
  takesOffset,
} from './requantize-lines.ts';
import { fittingBias, sumsFit } from './sums-fit.ts';

const need = (holds: boolean, why: string): void => {
  if (!holds) refuse(`packed_block: ${why}`);
};

/** The nest in numbers. A matrix product is a window of one tap over one row: KH = KW = R = 1. */
interface Shape {
  /** 2: loops over pixels and channels; 3: rows before them, and a window inside. */
  readonly D: number;
  readonly R: number;
  readonly P: number;
  readonly OB: number;
  readonly C: number;
  readonly KH: number;
  readonly KW: number;
  readonly SY: number;
  readonly SX: number;
  readonly DY: number;
  readonly DX: number;
  /** Pixels of a row of x and of y, channels of y. */
  readonly XW: number;
  readonly YW: number;
  readonly N: number;
  /** 1: y lies in rows of channel planes, YW bytes from one to the next. */
  readonly planes: number;
  /** Most pixels of a block, words of a stretch in a lap, and whether x lies in quads: what a schedule chooses. */
  readonly PB: number;
  readonly pairs: number;
  readonly quad: number;
}
function shapeOf(q: Params): Shape {
  const { D = 2, R = 1, P = 1, OB = 1, C = 2, KH = 1, KW = 1, SY = 1, SX = 1, DY = 1, DX = 1 } = q;
  const { XW = P, YW = P, N = OB, planes = 0, PB = 4, pairs = 1, quad: quads = 0 } = q;
  return { D, R, P, OB, C, KH, KW, SY, SX, DY, DX, XW, YW, N, planes, PB, pairs, quad: quads };
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const { loops, body } = chainOf(nest);
  const [, sums, last] = body;
  if ((loops.length !== 2 && loops.length !== 3) || sums?.kind !== 'loop' || last?.kind !== 'store')
    return refuse('packed_block: rows, pixels and channels around a sum');
  const [o, p, y] = loops.toReversed();
  const window = chainOf(sums);
  const [c, kx, ky] = window.loops.toReversed();
  const x = readOf(window.body[0]);
  const [row, column] = [x.at(-3), x.at(-2)];
  return {
    D: loops.length,
    R: y?.extent ?? 1,
    P: p?.extent ?? 1,
    OB: o?.extent ?? 1,
    C: c?.extent ?? 1,
    KH: ky?.extent ?? 1,
    KW: kx?.extent ?? 1,
    SY: stepOf(row, y),
    SX: stepOf(column, p),
    DY: stepOf(row, ky),
    DX: stepOf(column, kx),
    XW: shape('x').at(-2) ?? 1,
    YW: shape('y').at(-2) ?? 1,
    N: shape('y').at(-1) ?? 1,
    ...planesOfY(last, p, shape('y')),
    ...inferRequantize(last.value),
  };
}
const readOf = (s: Stmt | undefined): readonly Expr[] =>
  s?.kind === 'store' && s.value.kind === 'binary' && s.value.a.kind === 'load'
    ? s.value.a.index
    : refuse('packed_block: the sum is not of products');

/** Stretches of x that lie side by side in memory, and in the same order in the weights: taps joined as far as they touch. */
export function stretchesOf(s: Pick<Shape, 'C' | 'KH' | 'KW' | 'DY' | 'DX' | 'XW'>): {
  readonly run: number;
  readonly offsets: readonly number[];
  readonly perRow: number;
} {
  const pitch = s.DY * s.XW * s.C;
  const columns = s.DX === 1 || s.KW === 1 ? 1 : s.KW;
  const run = s.C * (columns === 1 ? s.KW : 1);
  if (columns === 1 && pitch === run) return { run: run * s.KH, offsets: [0], perRow: 1 };
  const offsets = Array.from(
    { length: s.KH * columns },
    (_, i) => 2 * (Math.floor(i / columns) * pitch + (i % columns) * s.DX * s.C),
  );
  return { run, offsets, perRow: columns };
}

/** The same as distances: rows and pixels that follow one another in both x and y are one row. */
function blocksOf(s: Shape, q: Requantize): Blocks {
  const { run, offsets, perRow } = stretchesOf(s);
  const [pixel, row] = [2 * s.SX * s.C, 2 * s.SY * s.XW * s.C];
  const planes = s.planes === 1;
  const joined = s.R === 1 || (s.P * pixel === row && s.P === s.YW && !planes);
  const [yPixel, yRow] = [planes ? 1 : s.N, s.YW * s.N];
  const column = s.P === 1 && s.R > 1;
  const pixels = joined || column ? s.R * s.P : s.P;
  const walk = { groups: 1, stretches: offsets.length, run, pairs: s.pairs, quad: s.quad };
  const all: Blocks = {
    PB: Math.min(s.PB, pixels),
    OB: s.OB,
    rows: joined || column ? 1 : s.R,
    pixels,
    xPixel: column ? row : pixel,
    xRow: row,
    yPixel: column ? yRow : yPixel,
    yRow,
    yChannel: planes ? s.YW : 1,
    walk,
    offsets,
    xGroup: 0,
    requantize: q,
    constants: Object.keys(requantizeOperands(q)).length,
  };
  if (s.KH === 1 || reach(all) <= farthest) return all;
  // Rows too far apart for an offset: one after another.
  const apart = { ...walk, groups: s.KH, stretches: perRow };
  return { ...all, walk: apart, offsets: offsets.slice(0, perRow), xGroup: 2 * s.DY * s.XW * s.C };
}
const farthest = 4095;
/** Words of a stretch in one of several laps: a load moves x's pointer by them, and has 8 bits to say how far. */
export const mostPairs = 63;

function check(s: Shape, b: Blocks): void {
  need(
    Object.values(s).every((n) => n >= 0),
    'sizes and distances are not negative',
  );
  need(
    s.D !== 2 || (s.R === 1 && s.KH === 1 && s.KW === 1 && s.SX === 1),
    'a matrix product has no rows and no window',
  );
  need(s.OB === 1 || s.OB === 2, 'one or two channels');
  need(b.PB >= 1 && b.PB <= 4, 'one to four pixels');
  need(b.walk.run % 2 === 0 && b.xPixel % 4 === 0 && b.offsets.every((n) => n % 4 === 0), 'words begin at pairs');
  need(b.rows === 1 || b.xRow % 4 === 0, 'rows begin at words');
  need(s.quad === 0 || (s.quad === 1 && s.C % 4 === 0), 'quads of channels');
  const laps = lapsOf(b.walk);
  need(b.walk.pairs >= 1 && Number.isInteger(laps), `${b.walk.run / 2} words are not in laps of ${b.walk.pairs}`);
  need(b.walk.groups * laps === 1 || b.walk.pairs <= mostPairs, 'a lap is too long for an immediate increment');
  need(reach(b) <= farthest, 'the window is too far for an immediate offset');
}

/** The parameters of the packing: how the kernel walks over a row of weights. */
const walkParams = ({ groups, stretches, run, pairs, quad: quads }: Walk): Params => ({
  groups,
  stretches,
  run,
  pairs,
  quad: quads,
});

function meaningOf(s: Shape, q: Requantize): Program {
  const [y, p, o, ky, kx, c] = ['y', 'p', 'o', 'ky', 'kx', 'c'].map(iter) as [Expr, Expr, Expr, Expr, Expr, Expr];
  const at = (stride: number, i: Expr, dilation: number, k: Expr): Expr =>
    add(mul(num(stride), i), mul(num(dilation), k));
  const matrix = s.D === 2;
  const x = matrix ? load('x', p, c) : load('x', at(s.SY, y, s.DY, ky), at(s.SX, p, s.DX, kx), c);
  const w = matrix ? load('w', o, c) : load('w', o, ky, kx, c);
  const sum = loop('c', s.C, store('acc', [], mul(x, w), '+'));
  const out: Store = store(
    'y',
    matrix ? [p, o] : s.planes === 1 ? [y, o, p] : [y, p, o],
    requantizeMeaning(q, load('acc'), o),
  );
  const channel = [
    register('acc'),
    store('acc', [], load('bias', o)),
    matrix ? sum : loop('ky', s.KH, loop('kx', s.KW, sum)),
    out,
  ];
  const pixels = loop('p', s.P, loop('o', s.OB, ...channel));
  const rows = (s.R - 1) * s.SY + (s.KH - 1) * s.DY + 1;
  return program(
    'packed_block',
    [
      buffer('x', 'i16', matrix ? [s.P, s.C] : [rows, s.XW, s.C], 'in'),
      buffer('y', 'i8', matrix ? [s.P, s.N] : s.planes === 1 ? [s.R, s.N, s.YW] : [s.R, s.YW, s.N], 'out'),
      buffer('w', 'i8', matrix ? [s.OB, s.C] : [s.OB, s.KH, s.KW, s.C], 'const'),
      buffer('bias', 'i32', [s.OB], 'const'),
      ...Object.keys(requantizeOperands(q)).map((role) => buffer(role, 'i32', [s.OB], 'const')),
    ],
    matrix ? pixels : loop('y', s.R, pixels),
  );
}

/** In C: the packed words as the assembly reads them, lap by lap from the end. */
function plain(b: Blocks, q: Requantize): string {
  const { walk } = b;
  const laps = lapsOf(walk);
  const many = walk.groups * laps > 1 ? 1 : 0;
  const inLap = walk.stretches * walk.pairs;
  return `  static const int32_t from[] = {${b.offsets.map((n) => n / 2).join(', ')}};
  int32_t r, p, o, lap, n;
  for (r = 0; r < ${b.rows}; r++) for (p = 0; p < ${b.pixels}; p++) for (o = 0; o < ${b.OB}; o++) {
    const int16_t *px = x + ${b.xRow / 2} * r + ${b.xPixel / 2} * p;
    int32_t acc = bias[o];
    for (lap = 0; lap < ${walk.groups * laps}; lap++) for (n = 0; n < ${inLap}; n++) {
      const int32_t word = (n + ${many}) % ${inLap};
      const int16_t *at = px + ${b.xGroup / 2} * (lap / ${laps}) + from[word / ${walk.pairs}]
        + 2 * (${walk.pairs} * (lap % ${laps}) + word % ${walk.pairs});
      const uint8_t *lane = w + 4 * (${inLap} * (${walk.groups * laps - 1} - lap) + n);
      for (int32_t i = 0; i < 2; i++) {
        const int32_t even = (int8_t)lane[2 * i];
        const int32_t odd = ((int16_t)(lane[2 * i] | lane[2 * i + 1] << 8) - even) >> 8;
        acc = mt_add(acc, at[i] * (o == 0 ? even : odd));
      }
    }
    y[${b.yRow} * r + ${b.yPixel} * p + ${b.yChannel} * o] = (int8_t)${requantizePlain(q, 'acc', 'o')};
  }
`;
}

function functionOf(b: Blocks, q: Requantize): AsmFunction {
  const constants = Object.keys(requantizeOperands(q)).map((role) => `const int32_t *${role}`);
  return {
    params: ['const int16_t *x', 'int8_t *y', 'const uint8_t *w', 'const int32_t *bias', ...constants],
    lines: packedBlockLines(b),
    plain: plain(b, q),
  };
}

const symbolOf = (b: Blocks): string => {
  const { walk } = b;
  const distances = [
    b.rows,
    b.pixels,
    b.xPixel,
    b.xRow,
    b.yPixel,
    b.yRow,
    b.xGroup,
    ...(b.yChannel > 1 ? [b.yChannel] : []),
  ];
  const walked = [walk.groups, walk.run, walk.pairs, ...b.offsets];
  return `mt_packed_${b.PB}x${b.OB}_${distances.join('_')}_k${walked.join('_')}_${requantizeTag(b.requantize)}`;
};

/** y[y, p, o] = requantised(bias[o] + sum of x[SY*y + DY*ky, SX*p + DX*kx, c] * w[o, ky, kx, c]). */
export const packedBlock: Recipe = {
  name: 'packed_block',
  examples: [
    { P: 2, OB: 1, C: 2, N: 1, form: 0, right: 5 },
    { P: 9, OB: 2, C: 8, N: 3, pairs: 2, quad: 1, form: 0, right: 9 },
    { P: 3, OB: 1, C: 6, N: 2, pairs: 3, form: 1, right: 8, max: 100 },
    { P: 4, OB: 2, C: 12, N: 2, pairs: 6, quad: 1, form: 2, zero: -7, min: -7 },
    { D: 3, R: 2, P: 5, OB: 2, C: 4, KH: 3, KW: 3, XW: 7, YW: 6, N: 4, pairs: 2, quad: 1, form: 1, right: 10 },
    { D: 3, R: 2, P: 2, OB: 2, C: 2, KH: 2, KW: 2, SY: 2, SX: 2, XW: 5, YW: 2, N: 2, pairs: 1, form: 2, zero: 3 },
    { D: 3, R: 2, P: 4, OB: 1, C: 2, KH: 2, KW: 2, DY: 2, DX: 2, XW: 6, YW: 4, N: 1, pairs: 1, form: 0, right: 0 },
    { D: 3, R: 5, P: 1, OB: 2, C: 4, KH: 3, KW: 1, XW: 1, YW: 1, N: 2, pairs: 3, quad: 1, form: 1, right: 7 },
    { D: 3, R: 3, P: 6, OB: 2, C: 4, XW: 6, YW: 12, N: 3, planes: 1, pairs: 2, quad: 1, form: 0, right: 9 },
    { D: 3, R: 5, P: 1, OB: 1, C: 2, XW: 1, YW: 4, N: 3, planes: 1, form: 2 },
    { D: 3, R: 1, P: 4, OB: 2, C: 64, KH: 2, KW: 1, XW: 34, YW: 4, N: 2, pairs: 16, quad: 1, form: 2 },
  ],
  infer,
  make(params): Instruction {
    const s = shapeOf(params);
    const q = requantizeOf(params);
    const b = blocksOf(s, q);
    need(!takesOffset(q), 'its sums begin with the bias alone');
    check(s, b);
    const exact = q.form === 'affine';
    const meaning = meaningOf(s, q);
    const x: Operand = { dtype: 'i16', align: 4, ...(s.quad === 1 && { layout: quad }) };
    const layout = { kind: 'packed', packing: 'lane_pairs', params: walkParams(b.walk) } as const;
    return {
      symbol: symbolOf(b),
      meaning,
      operands: {
        x: exact ? x : { ...x, span: [-128, 127] },
        y: { dtype: 'i8' },
        w: { dtype: 'i8', align: 4, layout },
        bias: exact ? { dtype: 'i32' } : { dtype: 'i32', span: fittingBias },
        ...requantizeOperands(q),
      },
      ...(!exact && { requires: (values) => sumsFit(values('w'), values('bias')) }),
      features: ['dsp', 'fpu'],
      stackBytes: stackBytes(b),
      get cycles() {
        return packedBlockCycles(b);
      },
      c: (at) => `${at.function}(${meaning.buffers.map((o) => at[o.name]).join(', ')});`,
      get function() {
        return functionOf(b, q);
      },
      prelude: '',
      portable: '',
    };
  },
};
