/**
 * Convolutions of any window, without im2col, with the DSP extension: the input is widened once into int16 rows with its border
 * made real, and each pixel's taps are runs of KX*C neighbours. Blocks of PB pixels x OB channels as in matrix.ts.
 */
import { isPointwise } from '../compiler/ops/conv2d.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { blockOf, blocksFor, operandForms, operandsOf } from './matrix.ts';
import {
  expand,
  fission,
  flagSets,
  flags,
  has,
  list,
  many,
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
  unroll,
  upTo,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

export interface ConvShape {
  readonly W: number;
  readonly C: number;
  readonly N: number;
  readonly OH: number;
  readonly OW: number;
  readonly KH: number;
  readonly KW: number;
  readonly padded: boolean;
}
/** A convolution that is neither dilated nor a matrix product, of one image. */
export function convShape(w: Workload): ConvShape | undefined {
  if (w.op !== 'conv2d' || isPointwise(w) || (shapeIn(w)[0] ?? 1) !== 1 || list(w, 'dilation').some((d) => d !== 1))
    return undefined;
  const [, , W = 1, C = 1] = shapeIn(w);
  const [, OH = 1, OW = 1, N = 1] = shapeOut(w);
  const [KH = 1, KW = 1] = list(w, 'kernel');
  return { W, C, N, OH, OW, KH, KW, padded: list(w, 'pad').some((p) => p > 0) };
}

export const conv: Template = {
  name: 'conv',
  version: 1,

  knobs(w, features) {
    const s = convShape(w);
    if (s === undefined || !has(features, 'dsp')) return undefined;
    const [, stride = 1] = list(w, 'stride');
    // Taps must lie in whole words, from every pixel on.
    if ((s.KW * s.C) % 2 !== 0 || (stride * s.C) % 2 !== 0 || s.KW * s.C > 256) return undefined;
    const window = s.KH * s.KW * s.C <= 256;
    return [
      { name: 'block', values: blocksFor(s.OW, s.N) },
      { name: 'operands', values: operandForms(s.C) },
      { name: 'taps', values: window ? ['window', 'rows', 'rows unrolled'] : ['rows', 'rows unrolled'] },
      { name: 'strip', values: [s.OH, ...upTo(s.OH - 1, [16, 8, 4, 2])] },
      { name: 'order', values: ['channels', 'rows'] },
      { name: 'requantize', values: requantKnob(w) },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule: (w, knobs) => ({ algorithm: 'direct', steps: steps(convShape(w), knobs) }),

  describe(k) {
    const { PB, OB } = blockOf(String(k.block));
    return `${PB} px x ${OB} ch in registers, ${k.operands}, taps by ${k.taps}, strips of ${many(k.strip, 'row')}, ${k.order} outside, requantize ${k.requantize}, ${k.flags}`;
  },
};

function steps(s: ConvShape | undefined, k: Knobs): readonly Step[] {
  if (s === undefined) return [];
  const { PB, OB, wide } = blockOf(String(k.block));
  const { quad, weight } = operandsOf(k.operands);
  const narrow = weight === 1;
  const strip = number(k.strip);
  const strips = strip < s.OH;
  const apart = s.padded && !strips;
  const rows = strips ? 'yi' : 'oy';
  const around = [rows, 'oo'];
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...(narrow ? [] : [{ primitive: 'widenConst', buf: 'w', dtype: 'i16' } as const]),
    ...(!narrow && quad === 1 ? [{ primitive: 'pack', buf: 'w', layout: quads } as const] : []),
    ...(strips ? [split('oy', strip, ['ys', 'yi'], 'overlap')] : []),
    split('ox', PB, ['xb', 'xi'], 'overlap'),
    split('o', OB, ['oo', 'oi'], 'overlap'),
    reorder(...(k.order === 'rows' ? around : around.toReversed()), 'xb', 'xi', 'oi'),
    {
      primitive: 'stage',
      buf: 'x',
      at: strips ? 'ys' : '',
      as: 'xw',
      loops: ['a', 'b', 'c'],
      dtype: 'i16',
      ...(quad === 1 && { layout: quads }),
      ...(apart && { border: 'apart' as const }),
    },
    ...(apart && s.C % 2 === 0 ? [replace('a_fill', 'fill', { dst: 'xw' }, { quad })] : []),
    ...(s.C % 4 === 0 && (apart || !s.padded) ? [replace('b', 'widen', { src: 'x', dst: 'xw' }, { quad })] : []),
    expand('acc', 'xi', 'oi'),
    fission('xi', 'oi'),
    reorder('ky', 'kx', 'i', 'xi_1', 'oi_1'),
    replace(k.taps === 'window' ? 'ky' : 'kx', 'mac_block', { x: 'xw', w: 'w', acc: 'acc' }, { wide, quad, weight }),
    ...(k.taps === 'rows unrolled' ? unroll('ky') : []),
    ...unroll('xi', 'oi', 'xi_2', 'oi_2'),
    ...flags(k.flags),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}
