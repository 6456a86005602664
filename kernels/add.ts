/** Residual ADD by the DSP extension: one linear form of two bytes, four elements at a time. Runs in place. */
import { elements } from '../compiler/graph/graph.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { has, list, number, place, placesFor, replace, shapeOut, upTo } from './steps.ts';
import type { Knobs, Template } from './template.ts';

export const add: Template = {
  name: 'add',
  version: 1,

  knobs(w, features) {
    const n = elements(shapeOut(w));
    const whole = ['shape0', 'shape1'].every((shape) => elements(list(w, shape)) === n);
    if (w.op !== 'add' || !has(features, 'dsp') || !whole || n < 4) return undefined;
    return [
      { name: 'block', values: upTo(Math.max(n, 8), [32, 16, 8]) },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule: (w, k) => ({ algorithm: 'direct', steps: steps(w, k) }),
  describe: (k) => `one linear form, four elements at a time, ${k.block} a round`,
};

function steps(w: Workload, k: Knobs): readonly Step[] {
  const rest = elements(shapeOut(w)) % 4;
  return [
    { primitive: 'linearSum', form: 'half' },
    ...(rest > 0 ? [{ primitive: 'peel', loop: 'i', first: 0, last: rest } as const] : []),
    replace('i', 'add_bytes', { x0: 'x0', x1: 'x1', y: 'y' }, { block: number(k.block) }),
    ...place('code', k.code),
  ];
}
