/** Elementwise layers: one loop over elements, unrolled. Nothing may be computed twice: such layers run in place. The file to copy. */
import { elements } from '../compiler/graph/graph.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { flagSets, flags, list, number, place, placesFor, shapeOut, split, unroll, upTo } from './steps.ts';
import type { Template } from './template.ts';

const ops = new Set(['add', 'mul', 'relu', 'relu6', 'leaky_relu', 'quantize', 'dequantize']);

/** Ways to compute an element, the cheapest first: a table where one byte decides, a linear form of two, an affine one of their product. */
function formsOf(w: Workload): readonly string[] {
  const byte = w.inputs.length === 1 && (w.inputs[0]?.dtype === 'int8' || w.inputs[0]?.dtype === 'uint8');
  const constant = [list(w, 'shape0'), list(w, 'shape1')][Number(w.attrs.constant ?? -1)];
  const alone = constant === undefined || elements(constant) === 1;
  if (byte && alone && w.outputs[0]?.dtype !== 'float32') return ['table', 'general'];
  if (w.op === 'add') return ['linear', 'general'];
  return w.op === 'mul' && w.attrs.rounding !== 'single' ? ['affine', 'general'] : ['general'];
}

/** The innermost loop and how long it is. */
function innermost(w: Workload): { readonly loop: string; readonly extent: number } {
  const y = shapeOut(w);
  const [a, b] = [list(w, 'shape0'), list(w, 'shape1')];
  const broadcast = (w.op === 'add' || w.op === 'mul') && elements(a) !== elements(b);
  return broadcast ? { loop: `i${y.length - 1}`, extent: y.at(-1) ?? 1 } : { loop: 'i', extent: elements(y) };
}

/** 'linear' and 'affine': a multiplication in place of two roundings, where that is proved to be exact. */
const forms: Readonly<Record<string, readonly Step[]>> = {
  table: [{ primitive: 'tabulate', table: 'table' }],
  linear: [{ primitive: 'linearSum' }],
  affine: [{ primitive: 'scaleProduct' }],
};

export const elementwise: Template = {
  name: 'elementwise',
  version: 1,

  knobs(w, features) {
    if (!ops.has(w.op)) return undefined;
    return [
      { name: 'form', values: formsOf(w) },
      { name: 'unroll', values: upTo(innermost(w).extent, [4, 8, 2, 1]) },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
      ...(formsOf(w).includes('table') ? [{ name: 'table', values: placesFor(features) }] : []),
    ];
  },

  schedule(w, k) {
    const factor = number(k.unroll);
    const tile = factor > 1 ? [split(innermost(w).loop, factor, ['io', 'ii'], 'peel'), ...unroll('ii')] : [];
    const form = forms[String(k.form)] ?? [];
    return {
      algorithm: 'direct',
      steps: [
        ...form,
        ...tile,
        ...flags(k.flags),
        ...place('code', k.code),
        ...(k.form === 'table' ? place('table', k.table) : []),
      ],
    };
  },

  describe: (k) => `one pass, ${k.form} form, unrolled by ${k.unroll}, ${k.flags}`,
};
