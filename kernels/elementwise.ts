/** Elementwise layers: one loop over elements, unrolled. Nothing may be computed twice: such layers run in place. The file to copy. */
import { elements } from '../compiler/graph/graph.ts';
import type { Workload } from '../compiler/workload.ts';
import { flagSets, flags, list, number, place, placesFor, shapeOut, split, unroll, upTo } from './steps.ts';
import type { Template } from './template.ts';

const ops = new Set(['add', 'mul', 'relu', 'relu6', 'quantize', 'dequantize']);

/** The innermost loop and how long it is. */
function innermost(w: Workload): { readonly loop: string; readonly extent: number } {
  const y = shapeOut(w);
  const [a, b] = [list(w, 'shape0'), list(w, 'shape1')];
  const broadcast = (w.op === 'add' || w.op === 'mul') && elements(a) !== elements(b);
  return broadcast ? { loop: `i${y.length - 1}`, extent: y.at(-1) ?? 1 } : { loop: 'i', extent: elements(y) };
}

export const elementwise: Template = {
  name: 'elementwise',
  version: 1,

  knobs(w, features) {
    if (!ops.has(w.op)) return undefined;
    return [
      { name: 'unroll', values: upTo(innermost(w).extent, [1, 2, 4, 8]) },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule(w, k) {
    const factor = number(k.unroll);
    const tile = factor > 1 ? [split(innermost(w).loop, factor, ['io', 'ii'], 'peel'), ...unroll('ii')] : [];
    return { algorithm: 'direct', steps: [...tile, ...flags(k.flags), ...place('code', k.code)] };
  },

  describe: (k) => `one pass, unrolled by ${k.unroll}, ${k.flags}`,
};
