/** Elementwise layers: one loop over elements, unrolled. Nothing may be computed twice: such layers run in place. The file to copy. */
import { elements } from '../compiler/graph/graph.ts';
import type { Step } from '../compiler/program/index.ts';
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
      { name: 'form', values: w.op === 'add' ? ['linear', 'general'] : ['general'] },
      { name: 'unroll', values: upTo(innermost(w).extent, [1, 2, 4, 8]) },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule(w, k) {
    const factor = number(k.unroll);
    const tile = factor > 1 ? [split(innermost(w).loop, factor, ['io', 'ii'], 'peel'), ...unroll('ii')] : [];
    // One multiplication a byte where that is proved to be exact.
    const form: readonly Step[] = k.form === 'linear' ? [{ primitive: 'linearSum' }] : [];
    return { algorithm: 'direct', steps: [...form, ...tile, ...flags(k.flags), ...place('code', k.code)] };
  },

  describe: (k) => `one pass, ${k.form} form, unrolled by ${k.unroll}, ${k.flags}`,
};
