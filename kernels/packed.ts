/**
 * Convolutions and matrix products by packed_block: the input is widened to int16 with its border made real (whole, or a part of
 * pixels or rows at a time); then each pair of channels goes over all of it in one call, two int8 weights in a lane. Parts
 * whose border differs (the first and last rows) are nests of their own. Needs a DSP extension, and an FPU whose registers
 * hold counters and weights.
 */
import { mostPairs, stretchesOf } from '../compiler/instructions/packed-block.ts';
import { isPointwise } from '../compiler/ops/conv2d.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { matrixShape } from './matrix.ts';
import {
  has,
  layOut,
  list,
  many,
  number,
  place,
  placesFor,
  planesForDepthwise,
  product,
  quads,
  reorder,
  replace,
  requantize,
  requantizeConstants,
  requantKnob,
  shapeIn,
  shapeOut,
  split,
  upTo,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

/** The layer in the words of its naive nest. */
interface Shape {
  /** Loops that parts are cut from, outermost first, and their extents. */
  readonly loops: readonly string[];
  readonly extents: readonly number[];
  readonly N: number;
  readonly C: number;
  /** Words of x that a pixel's taps take at a time, and how many such stretches there are. */
  readonly words: number;
  readonly stretches: number;
  /** Elements from a pixel's first tap to that of the next, and to that of the next row. */
  readonly pixel: number;
  readonly down: number;
  readonly stage: readonly string[];
  readonly rows: Rows;
  /** Do windows leave x at the left or right? */
  readonly sides: boolean;
  /** A single tap at a stride: most of x is not read at all. */
  readonly sparse: boolean;
  /** Elements of x, of a row of it, and of what is read of a row. */
  readonly size: number;
  readonly row: number;
  readonly taken: number;
}
/** Which rows of x an output row reads: from stride*row - top on, `reach` of them, of H that are there. */
interface Rows {
  readonly stride: number;
  readonly top: number;
  readonly reach: number;
  readonly H: number;
}

function shapeOf(w: Workload): Shape | undefined {
  const m = matrixShape(w);
  if (m !== undefined) return matrix(m.P, m.K, m.N);
  return w.op === 'conv2d' && !isPointwise(w) && (shapeIn(w)[0] ?? 1) === 1 ? windowed(w) : undefined;
}
const matrix = (P: number, K: number, N: number): Shape => ({
  loops: ['p'],
  extents: [P],
  N,
  C: K,
  words: K / 2,
  stretches: 1,
  pixel: K,
  down: 0,
  stage: ['a', 'b'],
  rows: { stride: 1, top: 0, reach: 1, H: P },
  sides: false,
  sparse: false,
  size: P * K,
  row: K,
  taken: K,
});
function windowed(w: Workload): Shape {
  const [, H = 1, W = 1, C = 1] = shapeIn(w);
  const [, OH = 1, OW = 1, N = 1] = shapeOut(w);
  const [KH = 1, KW = 1] = list(w, 'kernel');
  const [DY = 1, DX = 1] = list(w, 'dilation');
  const [stride = 1, SX = 1] = list(w, 'stride');
  const [top = 0, , left = 0] = list(w, 'pad');
  // What is read of a row, which may be less than there is with its padding.
  const XW = (OW - 1) * SX + (KW - 1) * DX + 1;
  const { run, offsets } = stretchesOf({ C, KH, KW, DY, DX, XW });
  return {
    loops: ['oy', 'ox'],
    extents: [OH, OW],
    N,
    C,
    words: run / 2,
    stretches: offsets.length,
    pixel: SX * C,
    down: stride * XW * C,
    stage: ['a', 'b', 'c'],
    rows: { stride, top, reach: (KH - 1) * DY + 1, H },
    sides: left > 0 || XW > left + W,
    sparse: KH * KW === 1 && list(w, 'pad').every((p) => p === 0),
    size: product(shapeIn(w)),
    row: W * C,
    taken: Math.min(XW - left, W) * C,
  };
}

export const packed: Template = {
  name: 'packed',
  version: 1,

  knobs(w, features) {
    const s = shapeOf(w);
    if (s === undefined || !has(features, 'dsp') || !has(features, 'fpu') || w.attrs.rounding === 'single')
      return undefined;
    // The words of every pixel and tap must begin at words.
    const apart = [s.pixel, s.down, 2 * s.words];
    if (s.C % 2 !== 0 && (s.stretches > 1 || apart.some((n) => n % 2 !== 0))) return undefined;
    return [
      { name: 'pixels', values: blockSizes(s) },
      { name: 'pairs', values: laps(s) },
      { name: 'part', values: partSizes(s) },
      { name: 'requantize', values: requantKnob(w) },
      // The inner loop is long: from flash it waits for lines.
      { name: 'code', values: placesFor(features).toReversed() },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  layouts: (w) => ({ y: w.op === 'conv2d' ? planesForDepthwise(w) : [], ...(isPointwise(w) && { x: ['wide'] }) }),

  schedule(w, k) {
    const planes = k.y !== undefined;
    const shape = planes ? windowed(w) : shapeOf(w);
    const laid = [...layOut(w, 'x', k.x), ...layOut(w, 'y', k.y)];
    return { algorithm: planes && isPointwise(w) ? 'rows' : 'direct', steps: [...laid, ...steps(shape, k)] };
  },
  describe: (k) =>
    `${k.pixels} px x 2 ch over packed int8 weights, ${many(k.pairs, 'word')} of a stretch in a lap, ${k.x === undefined ? `${k.part} at a time, ` : ''}requantize ${k.requantize}`,
};

/**
 * Pixels of a block that an offset reaches, the cheapest first: a word costs PB + 2 loads, 2*PB sums and one SXTB16; the last
 * block of a row overlaps the one before.
 */
function blockSizes({ extents, sparse, pixel, N }: Shape): readonly number[] {
  const [last = 1] = extents.slice(-1);
  // Rows that follow one another without a gap, or of one pixel, are one row.
  const row = sparse || last === 1 ? product(extents) : last;
  const cost = (PB: number): number => Math.ceil(row / PB) * (3 * PB + 3);
  const sizes = upTo(row, [4, 3, 2, 1]).filter((PB) => (PB - 1) * Math.max(2 * pixel, N) < 3600);
  return sizes.toSorted((a, b) => cost(a) - cost(b)).slice(0, 3);
}

/** Most words of all stretches in a lap: code of 10 KB; and those whose loop an instruction cache of 1 KB holds. */
const longest = 160;
const cached = 12;
/** Words of a stretch in a lap: few long laps first, then what an instruction cache holds. */
function laps({ words, stretches }: Shape): readonly number[] {
  const divisors = Array.from({ length: words }, (_, i) => words - i).filter((d) => words % d === 0);
  const fitting = divisors.filter((d) => d * stretches <= longest && (d === words || d <= mostPairs));
  const small = fitting.filter((d) => d * stretches <= cached);
  return [...new Set([...fitting.slice(0, 3), ...small.slice(0, 2), ...divisors.slice(-1)])];
}

/** Pixels or rows at a time, all of them first. */
function partSizes(s: Shape): readonly number[] {
  const [all = 1] = s.extents;
  const sizes = upTo(all - 1, s.loops.length === 1 ? [128, 64, 36, 16] : [16, 8, 4, 2, 1]);
  return [all, ...sizes.filter((size) => partsOf(s, size) !== undefined)];
}

/** Parts that are alike: a nest each. */
interface Part {
  /** What peel appends to names in it. */
  readonly suffix: string;
  /** Do windows leave x in it? */
  readonly leaves: boolean;
}
/** The first part, those between, and the last, where they have a border of their own; undefined where more of them had. */
function partsOf(
  { extents: [all = 1], rows: { stride, top, reach, H }, sides }: Shape,
  size: number,
): readonly Part[] | undefined {
  const count = Math.ceil(all / size);
  const first = (n: number): number => Math.min(size * n, all - size) * stride - top;
  const above = (n: number): boolean => first(n) < 0;
  const below = (n: number): boolean => first(n) + (size - 1) * stride + reach > H;
  const leaves = (n: number): boolean => above(n) || below(n);
  const [head, tail] = count > 1 ? [leaves(0), count > 2 && leaves(count - 1)] : [false, false];
  const middle = Array.from({ length: count }, (_, n) => n).slice(head ? 1 : 0, tail ? -1 : undefined);
  if (middle.length > 1 && middle.some(leaves)) return undefined;
  const part = (suffix: string, of: readonly number[]): Part => ({
    suffix,
    leaves: sides || of.some(leaves),
  });
  return [...(head ? [part('_h', [0])] : []), part('', middle), ...(tail ? [part('_l', [count - 1])] : [])];
}

function steps(s: Shape | undefined, k: Knobs): readonly Step[] {
  if (s === undefined) return [];
  const [all = 1] = s.extents;
  // Parts of a matrix product are pixels; in rows and columns it has one.
  const size = s.loops.length > 1 && s.sparse && k.y !== undefined ? all : number(k.part);
  const parts = partsOf(s, size) ?? [];
  const cut = size < all;
  const peeled = (suffix: string): number => parts.filter((p) => p.suffix === suffix).length;
  const peel: Step = { primitive: 'peel', loop: 'po', first: peeled('_h'), last: peeled('_l') };
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...(cut ? [split(s.loops[0] ?? '', size, ['po', 'pi'], 'overlap')] : []),
    ...(parts.length > 1 ? [peel] : []),
    ...parts.flatMap((part) => partSteps(s, k, cut, part)),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}

/** One part's steps: pairs of channels outside, the input widened before them, a block kernel for each, and for an odd channel. */
function partSteps(s: Shape, k: Knobs, cut: boolean, part: Part): readonly Step[] {
  const name = (loop: string): string => loop + part.suffix;
  const loops = (cut ? ['pi', ...s.loops.slice(1)] : s.loops).map(name);
  const wide = k.x === 'wide';
  const quad = s.C % 4 === 0 && !wide ? 1 : 0;
  const xw = wide ? 'x' : name('xw');
  const block = (tail: string, channel: string): readonly Step[] => [
    reorder(...loops.map((l) => l + tail), channel),
    replace(
      `${loops[0]}${tail}`,
      'packed_block',
      { x: xw, y: 'y', w: 'w', bias: 'bias_z', ...requantizeConstants(k.requantize) },
      { PB: number(k.pixels), pairs: number(k.pairs), quad },
    ),
  ];
  return [
    reorder(name('o'), ...loops),
    ...(s.N > 1 ? [split(name('o'), 2, [name('oo'), name('oi')], 'peel')] : []),
    ...(wide ? [] : widened(s, part, cut ? name('po') : '', quad)),
    ...block('', name(s.N > 1 ? 'oi' : 'o')),
    ...(s.N > 1 && s.N % 2 === 1 ? block('_t', `${name('oi')}_t`) : []),
  ];
}

/** The input as the block reads it, before the loop `at`. */
function widened(s: Shape, { suffix, leaves }: Part, at: string, quad: 0 | 1): readonly Step[] {
  const loops = s.stage.map((l) => l + suffix);
  const [[a = '', b = ''], as] = [loops, `xw${suffix}`];
  const rows = s.loops.length > 1 && !s.sparse && s.C % 2 === 0 && s.row % 4 === 0 && s.taken % 4 === 0;
  const whole = s.C % 4 === 0 || rows || (s.loops.length === 1 && at === '' && s.size % 4 === 0);
  return [
    {
      primitive: 'stage',
      buf: 'x',
      at,
      as,
      loops,
      dtype: 'i16',
      ...(quad === 1 && { layout: quads }),
      ...(leaves && { border: 'apart' as const }),
      ...(s.sparse && { take: 'read' as const }),
    },
    ...(leaves && s.C % 2 === 0 ? [replace(`${a}_fill`, 'fill', { dst: as }, { quad })] : []),
    ...(whole ? [replace(s.loops.length === 1 ? a : b, 'widen', { src: 'x', dst: as }, { quad })] : []),
  ];
}
