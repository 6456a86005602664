/**
 * Depthwise convolutions on CPUs without SIMD: channel by channel a plane of words with its border made real, then one column of
 * the output after another, three rolling sums in registers (column_sweep).
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { formsFor, requantizeInParts } from './lanes.ts';
import { has, list, place, placesFor, product, reorder, replace, shapeIn } from './steps.ts';
import type { Knobs, Template } from './template.ts';

/** A window whose open sums and words fit the registers. */
function fits(w: Workload): boolean {
  const [[KH = 1, KW = 1], [SY = 1], [DY = 1, DX = 1]] = [list(w, 'kernel'), list(w, 'stride'), list(w, 'dilation')];
  return ((KH - 1) * DY) / SY < 3 && KW <= 3 && (DX === 1 || KW === 1);
}

export const columns: Template = {
  name: 'columns',
  version: 1,

  knobs(w, features) {
    if (w.op !== 'depthwise_conv2d' || has(features, 'dsp') || w.attrs.multiplier !== 1) return undefined;
    if ((shapeIn(w)[0] ?? 1) !== 1 || w.attrs.rounding === 'single' || !fits(w)) return undefined;
    return [
      { name: 'requantize', values: formsFor(w, product(list(w, 'kernel'))) },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule: (_, knobs) => ({ algorithm: 'direct', steps: steps(knobs) }),
  describe: (k) => `a plane of words a channel, swept column by column, requantize in ${k.requantize} products`,
};

const steps = (k: Knobs): readonly Step[] => [
  { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
  requantizeInParts(k.requantize),
  reorder('c', 'oy', 'ox'),
  { primitive: 'stage', buf: 'x', at: 'c', as: 'xp', loops: ['a', 'b', 'd'], dtype: 'i32' },
  replace('a', 'gather_plane', { src: 'x', dst: 'xp' }),
  { primitive: 'stage', buf: 'w', at: 'c', as: 'wp', loops: ['e', 'f', 'g'], dtype: 'i32' },
  replace('oy', 'column_sweep', { x: 'xp', w: 'wp', table: 'rq', y: 'y' }),
  ...place('code', k.code),
];
