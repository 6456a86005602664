/**
 * column_sweep: a depthwise convolution of one channel, from a plane of words, a column at a time from top to bottom. A row of the
 * plane is loaded once and multiplied into all the sums that it belongs to, which take turns in three registers. Thumb-1.
 *   r0 x, r1-r3 sums, r4-r6 a row's words, r7 a weight; r8-r11 the first weights, r12 a row of y in bytes, lr y.
 * Must stay true: no more than three sums are open at a time, and all words of a row fit three registers.
 */
import { add, buffer, iter, load, loop, mul, num, program, refuse, register, store } from '../program/build.ts';
import type { Expr, Loop, Program } from '../program/program.ts';
import { enterThumb, leaveThumb } from './asm-lines.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import { loopsOf, stepOf } from './nest.ts';
import {
  inferParts,
  type PartsForm,
  partsCycles,
  partsFormOf,
  partsLines,
  partsMeaning,
  partsPlain,
  partsTag,
  rowWords,
} from './requantize-parts.ts';

interface Sweep {
  readonly OH: number;
  readonly OW: number;
  readonly KH: number;
  readonly KW: number;
  readonly SY: number;
  readonly SX: number;
  readonly DY: number;
  /** Of a window of one column it only stands in the nest. */
  readonly DX: number;
  /** Words of a row of the plane. */
  readonly pitch: number;
  /** Channels of y: the distance between its pixels. */
  readonly channels: number;
  readonly form: PartsForm;
}
const not = (why: string): never => refuse(`column_sweep: ${why}`);

/** Rows of the plane that windows touch. */
const rowsOf = ({ OH, KH, SY, DY }: Sweep): number => (OH - 1) * SY + (KH - 1) * DY + 1;
/** Longest column that is written out. */
const mostRows = 100;

function sweepOf(q: Params): Sweep {
  const { OH = 1, OW = 1, KH = 1, KW = 1, SY = 1, SX = 1, DY = 1, DX = 1, pitch = 1, channels = 1 } = q;
  const s: Sweep = { OH, OW, KH, KW, SY, SX, DY, DX, pitch, channels, form: partsFormOf(q) };
  if (Math.min(OH, OW, KH, KW, SY, SX, DY, DX, pitch, channels) < 1) not('sizes');
  if (Math.floor(((KH - 1) * DY) / SY) > 2 || KW > 3 || (DX !== 1 && KW > 1)) not('the window is too large');
  if (rowsOf(s) > mostRows || pitch > 190 || SX > 60) not('the plane is too large');
  return s;
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const outer = loopsOf(nest);
  const body = outer.at(-1)?.body ?? [];
  const inner = body.flatMap(loopsOf);
  const [sum] = inner.at(-1)?.body ?? [];
  if (outer.length !== 2 || inner.length !== 2 || sum?.kind !== 'store' || sum.value.kind !== 'binary')
    return not('rows and columns around rows and columns of a window');
  const x = sum.value.a;
  if (x.kind !== 'load') return not('what is summed are no products');
  const [row, column] = [x.index.at(-3), x.index.at(-2)];
  return {
    OH: outer[0]?.extent ?? 1,
    OW: outer[1]?.extent ?? 1,
    KH: inner[0]?.extent ?? 1,
    KW: inner[1]?.extent ?? 1,
    SY: stepOf(row, outer[0]),
    DY: stepOf(row, inner[0]),
    SX: stepOf(column, outer[1]),
    DX: stepOf(column, inner[1]),
    pitch: shape('x').at(-2) ?? 1,
    channels: shape('y').at(-1) ?? 1,
    ...inferParts(body.at(-1)),
  };
}

function meaningOf(s: Sweep): Program {
  const [oy, ox, ky, kx] = ['oy', 'ox', 'ky', 'kx'].map(iter) as [Expr, Expr, Expr, Expr];
  const x = load('x', add(mul(num(s.SY), oy), mul(num(s.DY), ky)), add(mul(num(s.SX), ox), mul(num(s.DX), kx)), num(0));
  const taps = loop('ky', s.KH, loop('kx', s.KW, store('acc', [], mul(x, load('w', ky, kx, num(0))), '+')));
  const byte = partsMeaning(s.form, load('acc'), 'table', [num(0)]);
  const pixel = [register('acc'), store('acc', [], num(0)), taps, store('y', [oy, ox, num(0)], byte)];
  return program(
    'column_sweep',
    [
      buffer('x', 'i32', [rowsOf(s), s.pitch, 1], 'in'),
      buffer('w', 'i32', [s.KH, s.KW, 1], 'in'),
      buffer('table', 'i32', [1, rowWords(s.form)], 'in'),
      buffer('y', 'i8', [s.OH, s.OW, s.channels], 'out'),
    ],
    loop('oy', s.OH, loop('ox', s.OW, ...pixel)),
  );
}

const highWeights = ['r8', 'r9', 'r10', 'r11'] as const;
const words = ['r4', 'r5', 'r6'] as const;
/** The frame: the table's row first, since SP is how the lines reach it; then weights beyond four, then these. */
interface Frame {
  weight(n: number): string;
  readonly x: string;
  readonly xEnd: string;
  readonly y: string;
  readonly bytes: number;
}
function frameOf(s: Sweep): Frame {
  const table = rowWords(s.form);
  const spilled = Math.max(0, s.KH * s.KW - highWeights.length);
  const slot = (n: number): string => `[sp, #${4 * n}]`;
  const rest = table + spilled;
  return {
    weight: (n) => slot(table + n - highWeights.length),
    x: slot(rest),
    xEnd: slot(rest + 1),
    y: slot(rest + 2),
    bytes: 8 * Math.ceil((rest + 3) / 2),
  };
}
const advance = (register: string, bytes: number): readonly string[] =>
  Array.from({ length: Math.ceil(bytes / 255) }, (_, i) => `adds ${register}, #${Math.min(255, bytes - 255 * i)}`);

/** Weight number n in a register that may be destroyed. */
const weightTo = (frame: Frame, register: string, n: number): string =>
  n < highWeights.length ? `mov ${register}, ${highWeights[n]}` : `ldr ${register}, ${frame.weight(n)}`;

/** The products of a row with the weights of row ky, into the sum of output row `out`. */
function products(s: Sweep, frame: Frame, ky: number, sum: string): readonly string[] {
  return words.slice(0, s.KW).flatMap((x, kx) => {
    const n = ky * s.KW + kx;
    // The first product of a sum is the sum.
    if (n === 0) return [weightTo(frame, sum, 0), `muls ${sum}, ${x}, ${sum}`];
    return [weightTo(frame, 'r7', n), `muls r7, ${x}, r7`, `adds ${sum}, ${sum}, r7`];
  });
}

/** One column, from r0 and lr. */
function column(s: Sweep, frame: Frame): readonly string[] {
  const out: string[] = [];
  const sumOf = (row: number): string => `r${1 + (row % 3)}`;
  for (let row = 0; row < rowsOf(s); row++) {
    const open = Array.from({ length: s.KH }, (_, i) => s.KH - 1 - i).flatMap((ky) => {
      const [at, rest] = [(row - s.DY * ky) / s.SY, (row - s.DY * ky) % s.SY];
      return rest === 0 && at >= 0 && at < s.OH ? [{ ky, at }] : [];
    });
    const loaded = open.length > 0 ? 4 * s.KW : 0;
    if (loaded > 0) out.push(`ldmia r0!, {${words.slice(0, s.KW).join(', ')}}`);
    if (row + 1 < rowsOf(s)) out.push(...advance('r0', 4 * s.pitch - loaded));
    for (const { ky, at } of open) out.push(...products(s, frame, ky, sumOf(at)));
    const done = open.find(({ ky }) => ky === s.KH - 1);
    if (done === undefined) continue;
    const sum = sumOf(done.at);
    out.push('mov r7, sp', ...partsLines(s.form, sum, 'r7', words), 'mov r4, lr', `strb ${sum}, [r4]`, 'add lr, r12');
  }
  return out;
}

function assembly(s: Sweep): readonly string[] {
  const frame = frameOf(s);
  const copies = (from: string, count: number, to: (n: number) => readonly string[]): readonly string[] =>
    Array.from({ length: count }, (_, n) => [`ldr r4, [${from}, #${4 * n}]`, ...to(n)]).flat();
  return [
    ...enterThumb(4),
    `sub sp, #${frame.bytes}`,
    ...copies('r2', rowWords(s.form), (n) => [`str r4, [sp, #${4 * n}]`]),
    ...copies('r1', s.KH * s.KW, (n) => [
      n < highWeights.length ? `mov ${highWeights[n]}, r4` : `str r4, ${frame.weight(n)}`,
    ]),
    `str r0, ${frame.x}`,
    `str r3, ${frame.y}`,
    `ldr r4, =${4 * s.SX * s.OW}`,
    'adds r4, r0, r4',
    `str r4, ${frame.xEnd}`,
    `ldr r4, =${s.OW * s.channels}`,
    'mov r12, r4',
    'b 1f',
    '.ltorg',
    '1:',
    `ldr r0, ${frame.x}`,
    `ldr r4, ${frame.y}`,
    'mov lr, r4',
    ...column(s, frame),
    `ldr r4, ${frame.y}`,
    ...advance('r4', s.channels),
    `str r4, ${frame.y}`,
    `ldr r0, ${frame.x}`,
    `adds r0, #${4 * s.SX}`,
    `str r0, ${frame.x}`,
    `ldr r4, ${frame.xEnd}`,
    'cmp r0, r4',
    'beq 5f',
    'bl 1b',
    '5:',
    `add sp, #${frame.bytes}`,
    ...leaveThumb(4),
  ];
}

function plainOf(s: Sweep): string {
  return `  int32_t oy, ox, ky, kx;
  for (oy = 0; oy < ${s.OH}; oy++) {
    for (ox = 0; ox < ${s.OW}; ox++) {
      const int32_t *px = x + ${s.SY * s.pitch} * oy + ${s.SX} * ox;
      const int32_t *q = table;
      uint32_t u = 0;
      for (ky = 0; ky < ${s.KH}; ky++)
        for (kx = 0; kx < ${s.KW}; kx++) u += (uint32_t)px[${s.DY * s.pitch} * ky + kx] * (uint32_t)w[${s.KW} * ky + kx];
      ${partsPlain(s.form, 'u', 'q', `y[(${s.OW} * oy + ox) * ${s.channels}]`)}
    }
  }
`;
}
const symbolOf = (s: Sweep): string =>
  `mt_sweep_${s.OH}x${s.OW}_${s.KH}x${s.KW}_${s.SY}_${s.SX}_${s.DY}_${s.pitch}_${s.channels}_${partsTag(s.form)}`;
const cyclesOf = (s: Sweep): number =>
  s.OH * s.OW * (3.5 * s.KH * s.KW + (4 + s.KW) * s.KH + partsCycles(s.form) + 5) + 25 * s.OW + 90;

/** y[oy, ox] = requantised(sum of x[SY*oy + DY*ky, SX*ox + kx] * w[ky, kx]), for one channel of y. */
export const columnSweep: Recipe = {
  name: 'column_sweep',
  examples: [
    { OH: 5, OW: 3, KH: 3, KW: 3, pitch: 5, channels: 2, unsigned: 0 },
    { OH: 3, OW: 2, KH: 3, KW: 3, SY: 2, SX: 2, pitch: 90, channels: 300, unsigned: 0, signed: 1, min: -128, max: 100 },
    { OH: 2, OW: 2, KH: 3, KW: 1, SY: 4, DY: 2, pitch: 3, channels: 1, unsigned: 0, parts: 3, bits: 9 },
    { OH: 4, OW: 1, KH: 1, KW: 2, SX: 3, pitch: 4, channels: 1, unsigned: 0, signed: 1, parts: 3, bits: 8 },
  ],
  infer,
  make: (params): Instruction => {
    const s = sweepOf(params);
    return {
      symbol: symbolOf(s),
      features: ['thumb'],
      stackBytes: 36 + frameOf(s).bytes,
      cycles: cyclesOf(s),
      meaning: meaningOf(s),
      operands: { x: { dtype: 'i32' }, w: { dtype: 'i32' }, table: { dtype: 'i32' }, y: { dtype: 'i8' } },
      c: (at) => `${at.function}(${at.x}, ${at.w}, ${at.table}, ${at.y});`,
      get function() {
        return {
          params: ['const int32_t *x', 'const int32_t *w', 'const int32_t *table', 'int8_t *y'],
          lines: assembly(s),
          plain: plainOf(s),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};
