/**
 * lane_block: a few output channels of a convolution or matrix product over all pixels of a plane, several sums in each word
 * (sum-lanes.ts): the block kernel of CPUs whose multiplication keeps 32 bits. x holds bytes of 0..255; windows of taps lie in
 * it as they are, runs of neighbours a row. Must stay true: no sum leaves its lane (packings/sum-lanes.ts), and every sum starts
 * where its packed words do.
 */
import { add, buffer, iter, load, loop, mul, num, program, refuse, register, store } from '../program/build.ts';
import type { Expr, Loop, Program, Stmt } from '../program/program.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import { laneBlockAsm } from './lane-block-asm.ts';
import { type LaneBlock, type Stretch, stretchesOf } from './lane-taps.ts';
import { coefficient, loopsOf } from './nest.ts';
import { startsOf } from './packings/sum-lanes.ts';
import { inferParts, partsFormOf, partsMeaning, partsPlain, partsTag, rowWords } from './requantize-parts.ts';
import { lanesOf, unpackPlain } from './sum-lanes.ts';

const not = (why: string): never => refuse(`lane_block: ${why}`);

/** Loops over pixels (D=1) or rows and columns (D=3), channels of the block; inside a sum over taps, or over rows, columns, inputs. */
function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const outer = loopsOf(nest);
  const body: readonly Stmt[] = outer.at(-1)?.body ?? [];
  const inner = body.flatMap(loopsOf);
  const [sum] = inner.at(-1)?.body ?? [];
  if (sum?.kind !== 'store' || sum.value.kind !== 'binary') return not('what is summed are no products');
  const x = [sum.value.a, sum.value.b].find((e) => e.kind === 'load' && e.buf !== 'w' && e.index.length !== 0);
  if (x?.kind !== 'load') return not('what is summed are no products');
  const names = { outer: outer.map((l) => l.iter), inner: inner.map((l) => l.iter) };
  const common = { rows: outer.at(-1)?.extent ?? 1, N: shape('y').at(-1) ?? 1, ...inferParts(body.at(-1)) };
  if (outer.length === 2 && inner.length === 1)
    return { D: 1, OW: outer[0]?.extent ?? 1, C: inner[0]?.extent ?? 1, ...common };
  if (outer.length !== 3 || inner.length !== 3) return not(`${outer.length} loops around ${inner.length}`);
  const [row, column] = [x.index.at(-3), x.index.at(-2)];
  return {
    D: 3,
    OH: outer[0]?.extent ?? 1,
    OW: outer[1]?.extent ?? 1,
    KH: inner[0]?.extent ?? 1,
    KW: inner[1]?.extent ?? 1,
    C: inner[2]?.extent ?? 1,
    XW: shape('x').at(-2) ?? 1,
    SY: coefficient(row, names.outer[0]),
    DY: coefficient(row, names.inner[0]),
    SX: coefficient(column, names.outer[1]),
    DX: coefficient(column, names.inner[1]),
    ...common,
  };
}

function blockOf(q: Params): LaneBlock {
  const { rows = 8, OH = 1, OW = 1, KH = 1, KW = 1, C = 1, XW = 1, SY = 1, SX = 1, DY = 1, DX = 1, N = rows } = q;
  const { D = 1, chunk = KH * KW * C, unroll = 32, copy = 0 } = q;
  const lanes = lanesOf(rows);
  const copied = (['nothing', 'all', 'chunk'] as const)[copy] ?? not('no such copy');
  if (chunk < 1 || chunk > KH * KW * C || unroll < 1 || N < rows) return not('no such chunks');
  const rest = { lanes, chunk, unroll, copied, channels: N, form: partsFormOf(q), pixels: OW };
  if (D === 1) return { ...rest, rows: 1, rowStep: 0, pixelStep: C, runs: [0], run: C };
  const steps = { rows: OH, rowStep: SY * XW * C, pixelStep: SX * C };
  const all = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);
  // Neighbouring columns are one run.
  if (DX === 1) return { ...rest, ...steps, runs: all(KH).map((ky) => DY * ky * XW * C), run: KW * C };
  return {
    ...rest,
    ...steps,
    runs: all(KH).flatMap((ky) => all(KW).map((kx) => (DY * ky * XW + DX * kx) * C)),
    run: C,
  };
}

function meaningOf(q: Params, b: LaneBlock): Program {
  const { D = 1, OH = 1, OW = 1, KH = 1, KW = 1, C = 1, XW = 1, SY = 1, SX = 1, DY = 1, DX = 1, N = 1 } = q;
  const [oy, ox, o, ky, kx, i] = ['oy', 'ox', 'o', 'ky', 'kx', 'i'].map(iter) as [Expr, Expr, Expr, Expr, Expr, Expr];
  const flat = D === 1;
  const at = (stride: number, outer: Expr, dilation: number, inner: Expr): Expr =>
    add(mul(num(stride), outer), mul(num(dilation), inner));
  const x = flat ? load('x', ox, i) : load('x', at(SY, oy, DY, ky), at(SX, ox, DX, kx), i);
  const sum = store('acc', [], mul(x, flat ? load('w', o, i) : load('w', o, ky, kx, i)), '+');
  const channels = loop(
    'o',
    b.lanes.sums,
    register('acc'),
    store('acc', [], load('start', o)),
    flat ? loop('i', C, sum) : loop('ky', KH, loop('kx', KW, loop('i', C, sum))),
    store('y', flat ? [ox, o] : [oy, ox, o], partsMeaning(b.form, load('acc'), 'table', [o])),
  );
  return program(
    'lane_block',
    [
      buffer('x', 'u8', flat ? [OW, C] : [SY * (OH - 1) + DY * (KH - 1) + 1, XW, C], 'in'),
      buffer('w', 'i8', flat ? [b.lanes.sums, C] : [b.lanes.sums, KH, KW, C], 'in'),
      buffer('start', 'i32', [b.lanes.sums], 'in'),
      buffer('table', 'i32', [b.lanes.sums, rowWords(b.form)], 'in'),
      buffer('y', 'i8', flat ? [OW, N] : [OH, OW, N], 'out'),
    ],
    flat ? loop('ox', OW, channels) : loop('oy', OH, loop('ox', OW, channels)),
  );
}

/** The same in plain C: as much as a compiler can keep in registers, words and all. */
function plainOf(b: LaneBlock): string {
  const { lanes, form } = b;
  const words = Array.from({ length: lanes.words }, (_, i) => `a${i}`);
  const chunks = stretchesOf(b);
  const several = chunks.length > 1;
  const sums = words.map((a, i) => `${a} += t * pw[${i}];`).join(' ');
  // A tap a round: with more, GCC loads ahead what no register holds.
  const stretch = ({ at, length }: Stretch): string =>
    `      for (i = 0; i < ${length}; i++) { const uint32_t t = px[${at} + i]; ${sums} pw += ${lanes.words}; }\n`;
  const text = chunks.map((stretches, n) => {
    const last = n === chunks.length - 1;
    const begin = words.map((a, i) => `${a} = pw[${i}];`).join(' ');
    const before = (o: number): string => (several && n > 0 ? ` + part[${o}]` : '');
    const each = (value: string, o: number): string =>
      last
        ? `u = ${value}${before(o)}; ${partsPlain(form, 'u', 'pq', `y[${o}]`)}`
        : `part[${o}] = ${value}${before(o)};`;
    return `      ${begin} pw += ${lanes.words};\n${stretches.map(stretch).join('')}${unpackPlain(lanes, each)}`;
  });
  const known = ['', ' k0,', ' k0, k1,'][Math.min(2, lanes.sums - lanes.words)] ?? '';
  return `  int32_t i, row, pixel;
  for (row = 0; row < ${b.rows}; row++) {
    for (pixel = 0; pixel < ${b.pixels}; pixel++) {
      const uint8_t *px = x + ${b.rowStep} * row + ${b.pixelStep} * pixel;
      const mt_word *pw = (const mt_word *)w;
      const int32_t *pq = table;
      uint32_t ${words.join(', ')},${known} work, u${several ? `, part[${lanes.sums}]` : ''};
${text.join('')}      y += ${b.channels};
    }
  }
`;
}

/** Unique per text: everything that the text depends on. */
const symbolOf = (b: LaneBlock): string =>
  [
    `mt_lanes${b.lanes.sums}`,
    `${b.rows}x${b.pixels}_${b.rowStep}_${b.pixelStep}_${b.channels}`,
    `k${b.runs.length}x${b.run}${b.runs.length > 1 ? `_${b.runs.slice(1, 2)}_${b.runs.at(-1)}` : ''}`,
    `c${b.chunk}u${b.unroll}${{ nothing: '', all: 's', chunk: 't' }[b.copied]}`,
    partsTag(b.form),
  ].join('_');

/** y[oy, ox, o] = requantised(start[o] + sum of x[...] * w[o, ...]), for `rows` channels o. */
export const laneBlock: Recipe = {
  name: 'lane_block',
  examples: [
    { D: 1, rows: 8, OW: 3, C: 50, N: 9, unroll: 16, copy: 1 },
    { D: 1, rows: 6, OW: 2, C: 9, N: 6, chunk: 4, signed: 1, max: 90 },
    { D: 1, rows: 3, OW: 2, C: 5, N: 3, parts: 3, bits: 9, min: -100, copy: 1 },
    { D: 3, rows: 8, OH: 2, OW: 2, KH: 3, KW: 3, C: 4, XW: 5, SY: 2, SX: 1, N: 16, chunk: 20, copy: 1 },
    {
      D: 3,
      rows: 5,
      OH: 2,
      OW: 3,
      KH: 2,
      KW: 2,
      C: 3,
      XW: 300,
      SX: 2,
      DX: 3,
      DY: 2,
      N: 300,
      chunk: 5,
      parts: 3,
      bits: 8,
    },
    {
      D: 3,
      rows: 7,
      OH: 1,
      OW: 2,
      KH: 2,
      KW: 9,
      C: 4,
      XW: 11,
      N: 7,
      unroll: 8,
      chunk: 50,
      signed: 1,
      parts: 3,
      bits: 8,
    },
    { D: 1, rows: 8, OW: 5, C: 50, N: 8, unroll: 8, copy: 2, chunk: 20 },
    {
      D: 3,
      rows: 6,
      OH: 3,
      OW: 2,
      KH: 2,
      KW: 2,
      C: 3,
      XW: 4,
      SY: 2,
      SX: 2,
      N: 7,
      copy: 2,
      signed: 1,
      parts: 3,
      bits: 8,
    },
    ...[1, 2, 4].map((rows) => ({ D: 1, rows, OW: 2, C: 6, N: 4, signed: rows & 1, unsigned: 0 })),
  ],
  infer,
  make: (params): Instruction => {
    const b = blockOf(params);
    return {
      symbol: symbolOf(b),
      features: ['thumb'],
      get stackBytes() {
        return laneBlockAsm(b).stackBytes;
      },
      get cycles() {
        return laneBlockAsm(b).cycles;
      },
      meaning: meaningOf(params, b),
      operands: {
        x: { dtype: 'u8' },
        w: {
          dtype: 'i8',
          layout: { kind: 'packed', packing: 'sum_lanes', params: { rows: b.lanes.sums, chunk: b.chunk } },
          align: 4,
        },
        start: { dtype: 'i32', derived: (values) => startsOf(values('w'), values('start').length) },
        table: { dtype: 'i32' },
        y: { dtype: 'i8' },
      },
      c: (at) => `${at.function}(${at.x}, ${at.w}, ${at.table}, ${at.y});`,
      get function() {
        return {
          params: ['const uint8_t *x', 'const void *w', 'const int32_t *table', 'int8_t *y'],
          lines: laneBlockAsm(b).lines,
          plain: plainOf(b),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};
