/**
 * Fully connected layers with few input rows, and pointwise convolutions of few pixels: nothing is reused but x, so weights are
 * streamed once, several rows side by side. x is widened to int16 once; fc_stream does the rest. Many input rows are a matrix
 * product: packed.ts, matrix.ts.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { matrixShape } from './matrix.ts';
import {
  has,
  many,
  number,
  place,
  placesFor,
  quads,
  replace,
  requantize,
  requantizeConstants,
  requantKnob,
  split,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

/** Most rows of x whose sums stay in registers beside those of a few rows of weights. */
const mostRows = 3;
const mostSums = 8;

export const stream: Template = {
  name: 'stream',
  version: 1,

  knobs(w, features) {
    const s = matrixShape(w);
    if (s === undefined || !has(features, 'dsp') || !has(features, 'fpu')) return undefined;
    if (w.op !== 'fully_connected' && s.P > mostRows) return undefined;
    if (w.attrs.rounding === 'single' || (s.P > 1 && s.K % 2 !== 0)) return undefined;
    const rows = Math.min(s.P, mostRows);
    const even = s.N + (s.N % 2);
    return [
      { name: 'rows', values: [8, 6, 4, 2].filter((r) => r * rows <= mostSums && (r <= even || r === 2)) },
      { name: 'unroll', values: [4, 2, 6, 8, 1] },
      { name: 'requantize', values: requantKnob(w) },
      { name: 'constants', values: placesFor(features) },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule: (w, knobs) => ({ algorithm: 'direct', steps: steps(w, knobs) }),
  describe: (k) =>
    `${many(k.rows, 'row')} of weights streamed side by side, sum unrolled by ${k.unroll}, requantize ${k.requantize}`,
};

function steps(w: Workload, k: Knobs): readonly Step[] {
  const s = matrixShape(w) ?? { P: 1, K: 1, N: 1 };
  const quad = s.K % 4 === 0 ? 1 : 0;
  const chunks = s.P > mostRows;
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    {
      primitive: 'stage',
      buf: 'x',
      at: '',
      as: 'xw',
      loops: ['a', 'b'],
      dtype: 'i16',
      ...(quad === 1 && { layout: quads }),
    },
    ...((s.P * s.K) % 4 === 0 ? [replace('a', 'widen', { src: 'x', dst: 'xw' }, { quad })] : []),
    ...(chunks ? [split('p', mostRows, ['pb', 'pi'], 'overlap')] : []),
    replace(
      chunks ? 'pi' : 'p',
      'fc_stream',
      { x: 'xw', w: 'w', bias: 'bias_z', y: 'y', ...requantizeConstants(k.requantize) },
      { R: number(k.rows), unroll: number(k.unroll), quad },
    ),
    ...place('code', k.code),
    ...['w', 'bias_z', ...Object.values(requantizeConstants(k.requantize))].flatMap((name) => place(name, k.constants)),
  ];
}
