/**
 * 3x3 convolutions of stride 1 on CPUs without SIMD by Winograd's tiles of 4x4 outputs: a quarter of the products, exact modulo 2^32.
 * Some tiles at a time are transformed into words; each filter word then serves them all.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { formsFor, requantizeInParts } from './lanes.ts';
import { has, list, place, placesFor, replace, shapeIn, shapeOut } from './steps.ts';
import type { Knobs, KnobValue, Template } from './template.ts';

/** Tiles of a region, down x across: four share a filter word. */
const regions: readonly string[] = ['1x4', '2x2', '1x3', '1x2', '2x1', '1x1'];
const regionOf = (text: KnobValue | undefined): { readonly down: number; readonly across: number } => {
  const [down = 1, across = 1] = String(text).split('x').map(Number);
  return { down, across };
};
const edge = 4;

export const winogradWords: Template = {
  name: 'winograd_words',
  version: 1,

  knobs(w, features) {
    if (w.op !== 'conv2d' || has(features, 'dsp') || w.attrs.rounding === 'single') return undefined;
    const [[batch = 1, , , C = 1], [, OH = 1, OW = 1]] = [shapeIn(w), shapeOut(w)];
    const plain = [...list(w, 'stride'), ...list(w, 'dilation')].every((n) => n === 1);
    if (batch !== 1 || C % 2 !== 0 || !plain || list(w, 'kernel').some((k) => k !== 3)) return undefined;
    const fitting = regions.filter((r) => edge * regionOf(r).down <= OH && edge * regionOf(r).across <= OW);
    if (fitting.length === 0) return undefined;
    return [
      { name: 'tiles', values: fitting },
      { name: 'requantize', values: formsFor(w, 9 * C) },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule: (w, knobs) => ({ algorithm: 'direct', steps: steps(bordered(w), knobs) }),
  describe: (k) => `Winograd tiles of 4x4 in words, ${k.tiles} at a time, requantize in ${k.requantize} products`,
};

type Border = 'none' | 'copied';
const bordered = (w: Workload): Border => (list(w, 'pad').some((p) => p > 0) ? 'copied' : 'none');

function steps(border: Border, k: Knobs): readonly Step[] {
  const { down, across } = regionOf(k.tiles);
  const x = border === 'copied' ? 'xb' : 'x';
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...(border === 'copied'
      ? [{ primitive: 'pad', buf: 'x', as: 'xb', loops: ['a', 'b', 'd'], dtype: 'i8' } as const]
      : []),
    requantizeInParts(k.requantize),
    { primitive: 'winogradWords', loop: 'oy', acc: 'acc', tile: edge, down, across },
    replace('ti', 'winograd_words_input', { x, v: 'v' }),
    replace('p', 'winograd_words_sums', { v: 'v', w: 'wt', s: 's' }),
    replace('yi', 'winograd_words_output', { s: 's', table: 'rq', y: 'y' }),
    ...place('code', k.code),
    ...place('wt', k.constants),
  ];
}
