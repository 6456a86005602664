/**
 * Depthwise convolutions with the DSP extension, four channels at a time: their input is widened into a small padded plane in
 * scratch, then PB pixels x 4 channels stay in registers over the whole window.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import {
  expand,
  fission,
  flagSets,
  flags,
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
  unroll,
  upTo,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

const padded = (w: Workload): boolean => list(w, 'pad').some((p) => p > 0);

export const depthwise: Template = {
  name: 'depthwise',
  version: 1,

  knobs(w, features) {
    if (w.op !== 'depthwise_conv2d' || !has(features, 'dsp') || w.attrs.multiplier !== 1) return undefined;
    if ((shapeIn(w)[0] ?? 1) !== 1 || (shapeIn(w)[3] ?? 1) % 4 !== 0 || list(w, 'dilation').some((d) => d !== 1))
      return undefined;
    return [
      { name: 'pixels', values: upTo(shapeOut(w)[2] ?? 1, [2, 1]) },
      { name: 'requantize', values: requantKnob(w) },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule: (w, knobs) => ({ algorithm: 'direct', steps: steps(w, knobs) }),
  describe: (k) =>
    `${k.pixels} px x 4 ch in registers, padded int16 planes of four channels, requantize ${k.requantize}, ${k.flags}`,
};

function steps(w: Workload, k: Knobs): readonly Step[] {
  const border = padded(w);
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    split('c', 4, ['cc', 'ci'], 'exact'),
    split('ox', number(k.pixels), ['xb', 'xi'], 'overlap'),
    reorder('cc', 'oy', 'xb', 'xi', 'ci'),
    {
      primitive: 'stage',
      buf: 'x',
      at: 'cc',
      as: 'xp',
      loops: ['a', 'b', 'c'],
      dtype: 'i16',
      layout: quads,
      ...(border && { border: 'apart' as const }),
    },
    ...(border ? [replace('a_fill', 'fill', { dst: 'xp' }, { quad: 1 })] : []),
    replace('c', 'widen', { src: 'x', dst: 'xp' }, { quad: 1 }),
    { primitive: 'stage', buf: 'w', at: 'cc', as: 'wp', loops: ['wa', 'wb', 'wc'], dtype: 'i16', layout: quads },
    replace('wc', 'widen', { src: 'w', dst: 'wp' }, { quad: 1 }),
    expand('acc', 'xi', 'ci'),
    fission('xi', 'ci'),
    reorder('ky', 'kx', 'xi_1', 'ci_1'),
    replace('ky', 'depthwise_block', { x: 'xp', w: 'wp', acc: 'acc' }),
    ...unroll('xi', 'ci', 'xi_2', 'ci_2'),
    ...flags(k.flags),
    ...place('code', k.code),
  ];
}
