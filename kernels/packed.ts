/**
 * Convolutions and matrix products by packed_block: the input is widened to int16 (whole, or a chunk of pixels or strip of rows
 * at a time) with its border made real; then each pair of channels goes over all of it in one call, two int8 weights in a lane.
 * Needs a DSP extension, and an FPU whose registers hold counters.
 */
import { isPointwise } from '../compiler/ops/conv2d.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { matrixShape } from './matrix.ts';
import {
  has,
  list,
  number,
  place,
  placesFor,
  quads,
  reorder,
  replace,
  requantize,
  requantKnob,
  shapeIn,
  shapeOut,
  split,
  upTo,
} from './steps.ts';
import type { Features, Knobs, KnobValue, Template } from './template.ts';

/** The layer in the words of its naive nest. */
interface Shape {
  /** Loops outside the channels, outermost first: what is cut into parts, and what runs inside. */
  readonly loops: readonly [string] | readonly [string, string];
  /** Extents of these. */
  readonly extents: readonly number[];
  readonly N: number;
  readonly C: number;
  /** Elements of x that lie side by side for one row of taps, and for the weights. */
  readonly run: number;
  readonly padded: boolean;
  readonly stage: readonly string[];
  /** Elements of x. */
  readonly size: number;
}
function shapeOf(w: Workload): Shape | undefined {
  const m = matrixShape(w);
  const size = shapeIn(w).reduce((n, d) => n * d, 1);
  const stage = ['a', 'b', 'c'];
  if (m !== undefined)
    return {
      loops: ['p'],
      extents: [m.P],
      N: m.N,
      C: m.K,
      run: m.K,
      padded: false,
      stage: stage.slice(0, 2),
      size,
    };
  if (w.op !== 'conv2d' || isPointwise(w) || (shapeIn(w)[0] ?? 1) !== 1) return undefined;
  const [, , W = 1, C = 1] = shapeIn(w);
  const [, OH = 1, OW = 1, N = 1] = shapeOut(w);
  const [[KH = 1, KW = 1], [dy = 1, dx = 1]] = [list(w, 'kernel'), list(w, 'dilation')];
  const [, , left = 0, right = 0] = list(w, 'pad');
  const row = C * (dx === 1 ? KW : 1);
  const touching = dy === 1 && (KW === 1 || dx === 1) && W + left + right === KW;
  return {
    loops: ['oy', 'ox'],
    extents: [OH, OW],
    N,
    C,
    run: touching ? row * KH : row,
    padded: list(w, 'pad').some((p) => p > 0),
    stage,
    size,
  };
}

export const packed: Template = {
  name: 'packed',
  version: 1,

  knobs(w, features) {
    const s = shapeOf(w);
    if (s === undefined || !has(features, 'dsp') || !has(features, 'fpu') || w.attrs.rounding === 'single')
      return undefined;
    const [, stride = 1] = list(w, 'stride');
    // A word of every pixel and tap must begin at a word.
    const words = s.loops.length === 1 ? s.C : stride * s.C;
    if (words % 2 !== 0 || s.run % 2 !== 0) return undefined;
    const [part = 1] = s.extents;
    const parts = s.loops.length === 1 ? [128, 64, 36, 16] : [16, 8, 4, 2, 1];
    return [
      {
        name: 'pixels',
        values: upTo(
          s.extents.reduce((n, d) => n * d, 1),
          [4, 3, 2, 1],
        ),
      },
      { name: 'pairs', values: passes(s.run / 2, s.loops.length === 1 ? 32 : 8) },
      { name: 'part', values: [part, ...upTo(part - 1, parts)] },
      { name: 'requantize', values: requantKnob(w) },
      { name: 'code', values: places(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule: (w, knobs) => ({ algorithm: 'direct', steps: steps(shapeOf(w), knobs) }),
  describe: (k) =>
    `${k.pixels} px x 2 ch over packed int8 weights, ${k.pairs} words a pass, ${k.part} at a time, requantize ${k.requantize}`,
};

/** Words of a stretch in a pass: long passes first, then what leaves a loop that an instruction cache holds. */
function passes(words: number, most: number): readonly number[] {
  const divisors = Array.from({ length: words }, (_, i) => words - i).filter((d) => words % d === 0);
  const fitting = divisors.filter((d) => d <= most);
  return fitting.filter((d, i) => i === 0 || d >= 4 || i === fitting.length - 1).slice(0, 5);
}
/** Its inner loop is long: from flash it waits for lines. */
const places = (features: Features): readonly string[] => placesFor(features).toReversed();

/** Roles of the constants of a requantise form, and the buffers that the form's step makes. */
function constantsOf(form: KnobValue | undefined): Readonly<Record<string, string>> {
  switch (form) {
    case 'affine':
      return { mul: 'mul', add: 'add' };
    case 'signed':
      return { mul: 'mul', add: 'add', fix: 'fix' };
    default:
      return { mult: 'mult', shift: 'shift' };
  }
}

function steps(s: Shape | undefined, k: Knobs): readonly Step[] {
  if (s === undefined) return [];
  const [outer, inner] = s.loops;
  const part = number(k.part);
  const cut = part < (s.extents[0] ?? 1);
  const first = cut ? 'pi' : outer;
  const loops = inner === undefined ? [first] : [first, inner];
  const quad = s.C % 4 === 0 ? 1 : 0;
  const block = (suffix: string, channel: string): readonly Step[] => [
    reorder(...loops.map((l) => l + suffix), channel),
    replace(
      first + suffix,
      'packed_block',
      { x: 'xw', y: 'y', w: 'w', bias: 'bias_z', ...constantsOf(k.requantize) },
      { PB: number(k.pixels), pairs: number(k.pairs), quad },
    ),
  ];
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...(cut ? [split(outer, part, ['po', 'pi'], 'overlap')] : []),
    reorder(...(cut ? ['po'] : []), 'o', ...loops),
    ...(s.N > 1 ? [split('o', 2, ['oo', 'oi'], 'peel')] : []),
    ...widened(s, cut, quad),
    ...(s.N > 1 ? block('', 'oi') : block('', 'o')),
    ...(s.N > 1 && s.N % 2 === 1 ? block('_t', 'oi_t') : []),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}

/** The input as the block reads it, whole or a part at a time. */
function widened(s: Shape, cut: boolean, quad: 0 | 1): readonly Step[] {
  const apart = s.padded && !cut;
  const matrix = s.loops.length === 1;
  const plain = !s.padded && (s.C % 4 === 0 || (!cut && s.size % 4 === 0 && matrix));
  return [
    {
      primitive: 'stage',
      buf: 'x',
      at: cut ? 'po' : '',
      as: 'xw',
      loops: s.stage,
      dtype: 'i16',
      ...(quad === 1 && { layout: quads }),
      ...(apart && { border: 'apart' as const }),
    },
    ...(apart && s.C % 2 === 0 ? [replace('a_fill', 'fill', { dst: 'xw' }, { quad })] : []),
    ...(plain || (apart && s.C % 4 === 0)
      ? [replace(matrix ? 'a' : 'b', 'widen', { src: 'x', dst: 'xw' }, { quad })]
      : []),
  ];
}
