/**
 * Matrix products: pointwise convolutions and fully connected layers, with the DSP extension. Pixels are widened to int16 into
 * scratch once (or in chunks), then blocks of PB pixels x OB channels run over all of K in registers.
 */

import { blockRegisters } from '../compiler/instructions/register-block.ts';
import { isPointwise } from '../compiler/ops/conv2d.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import {
  expand,
  fission,
  flagSets,
  flags,
  has,
  many,
  number,
  place,
  placesFor,
  product,
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
import type { Knobs, KnobValue, Template } from './template.ts';

interface Shape {
  readonly P: number;
  readonly K: number;
  readonly N: number;
}
/** Rows, depth, channels, where the workload is a matrix product. */
export function matrixShape(w: Workload): Shape | undefined {
  if (w.op !== 'fully_connected' && !isPointwise(w)) return undefined;
  const [x, y] = [shapeIn(w), shapeOut(w)];
  return { P: product(x.slice(0, -1)), K: x.at(-1) ?? 0, N: y.at(-1) ?? 0 };
}

/** Register blocks that fit: pixels x channels, `d` where two words are loaded at a time. */
const blocks = [
  '3x2d',
  '2x2d',
  '4x2',
  '5x1d',
  '6x1d',
  '3x3',
  '2x3',
  '2x4',
  '4x1d',
  '2x1d',
  '1x3d',
  '1x2d',
  '1x5',
  '1x4',
  '1x1d',
];
export function blockOf(text: string): { readonly PB: number; readonly OB: number; readonly wide: number } {
  const [PB = 1, OB = 1] = text.replace('d', '').split('x').map(Number);
  return { PB, OB, wide: text.endsWith('d') ? 2 : 1 };
}
/** Blocks no larger than the layer that fit the registers, the most promising first. */
export const blocksFor = (pixels: number, channels: number): readonly string[] =>
  blocks.filter((t) => {
    const { PB, OB, wide } = blockOf(t);
    return PB <= pixels && OB <= channels && PB * OB + wide * (OB + 1) <= blockRegisters;
  });

export const matrix: Template = {
  name: 'matrix',
  version: 1,

  knobs(w, features) {
    const s = matrixShape(w);
    if (s === undefined || !has(features, 'dsp') || s.K % 2 !== 0) return undefined;
    return [
      { name: 'block', values: blocksFor(s.P, s.N) },
      { name: 'operands', values: operandForms(s.K) },
      { name: 'chunk', values: [s.P, ...upTo(s.P - 1, [96, 64, 48, 32, 16])] },
      { name: 'depth', values: depths(s.K) },
      { name: 'order', values: s.P > 1 ? ['channels', 'pixels'] : ['channels'] },
      { name: 'requantize', values: requantKnob(w) },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule(w, knobs) {
    const s = matrixShape(w) ?? { P: 1, K: 1, N: 1 };
    return { algorithm: 'direct', steps: steps(s, knobs) };
  },

  describe(k) {
    const { PB, OB } = blockOf(String(k.block));
    return `${PB} px x ${OB} ch in registers, ${k.operands}, ${many(k.chunk, 'pixel')} widened at a time, ${k.order} outside, requantize ${k.requantize}, ${k.flags}`;
  },
};

/** How weights and pixels lie: widened at compile time or on the way, in quads (cheap to widen) or in order. */
export const operandForms = (channels: number): readonly string[] =>
  channels % 4 === 0 ? ['int16 quads', 'int8 quads', 'int16 plain'] : ['int16 plain'];
export const operandsOf = (form: KnobValue | undefined): { readonly quad: 0 | 1; readonly weight: 1 | 2 } => ({
  quad: form === 'int16 plain' ? 0 : 1,
  weight: form === 'int8 quads' ? 1 : 2,
});

/** How much of K one stretch of assembly covers: all of it if it is short, else a divisor in whole words or quads. */
function depths(K: number): readonly number[] {
  const unit = K % 4 === 0 ? 4 : 2;
  const divisors = Array.from({ length: 256 / unit }, (_, i) => 256 - unit * i).filter((d) => d <= K && K % d === 0);
  return divisors.filter((d, i) => i === 0 || d >= 16).slice(0, 5);
}

function steps(s: Shape, k: Knobs): readonly Step[] {
  const { PB, OB, wide } = blockOf(String(k.block));
  const chunk = number(k.chunk);
  const chunked = chunk < s.P;
  const depth = number(k.depth);
  const { quad, weight } = operandsOf(k.operands);
  const narrow = weight === 1;
  const pixels = chunked ? 'q' : 'p';
  const block = PB <= (chunked ? chunk : s.P) ? PB : 1;
  const contiguous = s.K % 4 === 0 || (!chunked && (s.P * s.K) % 4 === 0);
  const inner = depth < s.K ? 'ki' : 'i';
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...(narrow ? [] : [{ primitive: 'widenConst', buf: 'w', dtype: 'i16' } as const]),
    ...(!narrow && quad === 1 ? [{ primitive: 'pack', buf: 'w', layout: quads } as const] : []),
    ...(chunked ? [split('p', chunk, ['pc', 'q'], 'overlap')] : []),
    split(pixels, block, ['pb', 'pi'], 'overlap'),
    split('o', OB, ['oo', 'oi'], 'overlap'),
    reorder(...(k.order === 'pixels' ? ['pb', 'oo'] : ['oo', 'pb']), 'pi', 'oi'),
    {
      primitive: 'stage',
      buf: 'x',
      at: chunked ? 'pc' : '',
      as: 'xw',
      loops: ['a', 'b'],
      dtype: 'i16',
      ...(quad === 1 && { layout: quads }),
    },
    ...(contiguous ? [replace('a', 'widen', { src: 'x', dst: 'xw' }, { quad })] : []),
    expand('acc', 'pi', 'oi'),
    fission('pi', 'oi'),
    ...(depth < s.K ? [split('i', depth, ['kk', 'ki'], 'exact')] : []),
    reorder(...(depth < s.K ? ['kk'] : []), inner, 'pi_1', 'oi_1'),
    replace(inner, 'mac_block', { x: 'xw', w: 'w', acc: 'acc' }, { wide, quad, weight }),
    ...unroll('pi', 'oi', 'pi_2', 'oi_2'),
    ...flags(k.flags),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}
