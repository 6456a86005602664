/**
 * Depthwise convolutions by planes: a group of channels is copied out as planes of bytes with a border, then each plane is swept with
 * its sums in registers. All of a group is read before any of it is written, so that the output may lie over the input.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import {
  has,
  list,
  number,
  place,
  placesFor,
  reorder,
  replace,
  requantize,
  requantizeConstants,
  shapeIn,
  shapeOut,
  split,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

interface Shape {
  readonly C: number;
  /** Output channels of an input channel. */
  readonly each: number;
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  /** Channels that are copied out together; 0: the layer has one input channel, which all share. */
  readonly group: number;
  /** Bytes of a plane's row. */
  readonly pitch: number;
}

function shapeOf(w: Workload): Shape | undefined {
  const [N = 1, , , C = 1] = shapeIn(w);
  if (w.op !== 'depthwise_conv2d' || N !== 1 || list(w, 'dilation').some((d) => d !== 1)) return undefined;
  if (w.attrs.rounding === 'single') return undefined;
  const [kernel, stride] = [list(w, 'kernel'), list(w, 'stride')];
  const each = number(w.attrs.multiplier as number);
  const [KW = 1, SX = 1, OW = 1] = [kernel[1], stride[1], shapeOut(w)[2]];
  // Words are loaded whole: four bytes from the last pair of columns on, and one more with stride 2.
  const columns = SX * (OW - 1) + Math.max(KW, 4);
  const group = C === 1 && each > 1 ? 0 : ([4, 3, 2, 1].find((g) => C % g === 0) ?? 1);
  return { C, each, kernel, stride, group, pitch: 4 * Math.ceil(columns / 4) };
}
const sweeps = ({ kernel: [KH, KW], stride: [SY = 1, SX = 1] }: Shape): boolean =>
  KH === 3 && KW === 3 && SY <= 2 && SX <= SY;

export const depthwisePlanes: Template = {
  name: 'depthwise_planes',
  version: 1,

  knobs(w, features) {
    const s = shapeOf(w);
    if (s === undefined || !has(features, 'dsp') || !has(features, 'fpu') || !sweeps(s)) return undefined;
    const relu = w.attrs.min === w.attrs.yZero;
    return [
      { name: 'rows', values: [2, 4] },
      { name: 'requantize', values: relu ? ['top', 'affine', 'signed', 'general'] : ['signed', 'general', 'affine'] },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule: (w, knobs) => ({ algorithm: 'direct', steps: steps(shapeOf(w), knobs) }),
  describe: (k) =>
    `planes of bytes, 2 columns swept with rolling sums, ${k.rows} rows unrolled, requantize ${k.requantize}`,
};

function steps(s: Shape | undefined, k: Knobs): readonly Step[] {
  if (s === undefined) return [];
  const channels = s.each > 1 && s.C > 1 ? ['q'] : [];
  const grouped = s.group > 0;
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...(grouped ? [split('c', s.group, ['cc', 'ci'], 'exact')] : []),
    reorder(...(grouped ? ['cc', 'ci'] : ['c']), ...channels, 'oy', 'ox'),
    {
      primitive: 'stage',
      buf: 'x',
      at: grouped ? 'cc' : '',
      as: 'xp',
      loops: ['a', 'b', 'd'],
      dtype: 'i8',
      order: [0, 2, 1],
      whole: [0],
      pitch: s.pitch,
    },
    ...(s.group === 4 ? [replace('a', 'planes', { src: 'x', dst: 'xp' })] : []),
    replace(
      grouped ? 'ci' : 'c',
      'depthwise_sweep',
      { x: 'xp', y: 'y', w: 'w', bias: 'bias_z', ...requantizeConstants(k.requantize) },
      { unroll: number(k.rows) },
    ),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}
