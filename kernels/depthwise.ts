/**
 * Depthwise convolutions by planes: a group of channels is copied out as planes of bytes with a border, then each plane is swept with
 * its sums in registers. All of a group is read before any of it is written, so that the output may lie over the input.
 */
import { planePitch, type Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import {
  has,
  layOut,
  list,
  many,
  number,
  place,
  placesFor,
  reorder,
  replace,
  requantize,
  requantizeConstants,
  requantKnob,
  shapeIn,
  shapeOut,
  split,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

interface Shape {
  readonly C: number;
  /** Output channels of an input channel. */
  readonly each: number;
  readonly KH: number;
  readonly KW: number;
  readonly SY: number;
  readonly SX: number;
  readonly dilated: boolean;
  /** Pixels of a row of the input, and padding before it. */
  readonly width: number;
  readonly left: number;
  /** Bytes that a row of all windows covers, and a row of the last one with the words that it is loaded in. */
  readonly columns: number;
  readonly reach: number;
}
function shapeOf(w: Workload): Shape | undefined {
  const [N = 1, , width = 1, C = 1] = shapeIn(w);
  if (w.op !== 'depthwise_conv2d' || N !== 1) return undefined;
  // The kernels round twice.
  if (w.attrs.rounding === 'single') return undefined;
  const [[KH = 1, KW = 1], [SY = 1, SX = 1], OW = 1] = [list(w, 'kernel'), list(w, 'stride'), shapeOut(w)[2]];
  const last = SX * (OW - 1);
  const [dy = 1, dx = 1] = list(w, 'dilation');
  const window = dx * (KW - 1) + 1;
  // Whole words, but single columns and those of dilated windows byte by byte.
  const words = dx > 1 || KW % 4 === 1 ? window : 4 * Math.ceil(KW / 4);
  const each = number(w.attrs.multiplier as number);
  const [, , left = 0] = list(w, 'pad');
  const dilated = dy > 1 || dx > 1;
  return { C, each, KH, KW, SY, SX, dilated, width, left, columns: last + window, reach: last + words };
}

/**
 * Channels copied out together. Four turn into planes fastest, and take least scratch; the more there are, the less often code takes
 * turns in an instruction cache, which small images notice. What does not divide by four is copied byte by byte.
 */
function groupsFor({ C, columns }: Shape): readonly number[] {
  const fours = [4, 8, 12, 16].filter((g) => C % g === 0);
  if (fours.length === 0) return [3, 2, 1].filter((g) => C % g === 0).slice(0, 1);
  return columns <= smallRow ? fours.toReversed() : fours;
}
const smallRow = 16;
/** One input channel for many outputs: all of them share its plane, and there are no groups. */
const shared = ({ C, each }: Shape): boolean => C === 1 && each > 1;

/** 'rolling': rows are loaded once for all outputs that they take part in; the others load each window for itself. */
const waysFor = ({ KH, KW, SY, SX, dilated }: Shape): readonly string[] =>
  !dilated && KH === 3 && KW === 3 && SY <= 2 && SX <= SY ? ['rolling', 'windows'] : ['windows'];

/** Can rows of planes that another layer left be swept? Their border must be enough, for windows and for the words they load. */
const takesPlanes = (s: Shape): boolean =>
  !shared(s) && s.left <= 1 && waysFor(s)[0] === 'rolling' && Math.max(s.columns, sweepReach(s)) <= planePitch(s.width);

export const depthwise: Template = {
  name: 'depthwise',
  version: 2,

  knobs(w, features) {
    const s = shapeOf(w);
    if (s === undefined || !has(features, 'dsp') || !has(features, 'fpu')) return undefined;
    const forms = requantKnob(w);
    return [
      { name: 'sweep', values: waysFor(s) },
      { name: 'group', values: shared(s) ? [1] : groupsFor(s) },
      { name: 'rows', values: s.columns <= smallRow ? [2, 4] : [4, 2] },
      { name: 'requantize', values: forms[0] === 'affine' ? ['top', ...forms] : forms },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  layouts(w) {
    const s = shapeOf(w);
    if (s === undefined) return {};
    return { y: ['wide'], ...(takesPlanes(s) && { x: [s.left === 0 ? 'planes0' : 'planes1'] }) };
  },

  schedule: (w, knobs) => ({
    algorithm: 'direct',
    steps: [...layOut(w, 'x', knobs.x), ...layOut(w, 'y', knobs.y), ...steps(shapeOf(w), knobs)],
  }),
  describe: (k) =>
    `planes of bytes, ${k.x === undefined ? `${many(k.group, 'channel')} copied together, ` : ''}2 columns at a time, ${k.sweep === 'rolling' ? `rolling sums, ${many(k.rows, 'row')} unrolled` : 'a window each'}, requantize ${k.requantize}`,
};

function steps(s: Shape | undefined, k: Knobs): readonly Step[] {
  if (s === undefined) return [];
  const [rolling, planes] = [k.sweep === 'rolling', k.x !== undefined];
  const group = number(k.group);
  const atOnce = shared(s) || planes;
  const [groups, channel] = atOnce ? [[], 'c'] : [[split('c', group, ['cc', 'ci'], 'exact')], 'ci'];
  const outer = [...(atOnce ? [] : ['cc']), channel, ...(s.each > 1 && s.C > 1 ? ['q'] : [])];
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...groups,
    reorder(...outer, 'oy', 'ox'),
    ...(planes ? [] : [planesOf(s, rolling)]),
    ...(group % 4 === 0 && !planes ? [replace('a', 'planes', { src: 'x', dst: 'xp' })] : []),
    replace(
      channel,
      rolling ? 'depthwise_sweep' : 'depthwise_window',
      { x: planes ? 'x' : 'xp', y: 'y', w: 'w', bias: 'bias_z', ...requantizeConstants(k.requantize) },
      { ...(rolling && { unroll: number(k.rows) }), ...(k.y === 'wide' && { wide: 1 }) },
    ),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}

/** Strides of two load one byte beyond the word of their last pair. */
const sweepReach = (s: Shape): number => (s.SX === 2 ? s.reach + 1 : s.reach);

/** Rows of planes; rolling sums need no rows of border, for what those add is the same for all pixels of a row. */
function planesOf(s: Shape, rolling: boolean): Step {
  const reach = rolling ? sweepReach(s) : s.reach;
  return {
    primitive: 'stage',
    buf: 'x',
    at: shared(s) ? '' : 'cc',
    as: 'xp',
    loops: ['a', 'b', 'd'],
    dtype: 'i8',
    order: [0, 2, 1],
    pitch: 4 * Math.ceil(Math.max(s.columns, reach) / 4),
    ...(rolling && { whole: [0] }),
  };
}
