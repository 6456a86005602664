/**
 * Softmax: three passes over a row in plain C. The free choices are how far they are unrolled and where its table of 1 KiB lies, which
 * is read all over: more than the data cache in front of a flash holds.
 */
import type { Step } from '../compiler/program/index.ts';
import { flagSets, flags, number, place, placesFor, shapeIn, split, unroll, upTo } from './steps.ts';
import type { Template } from './template.ts';

export const softmax: Template = {
  name: 'softmax',
  version: 1,

  knobs(w, features) {
    if (w.op !== 'softmax') return undefined;
    return [
      { name: 'unroll', values: upTo(shapeIn(w).at(-1) ?? 1, [1, 2, 4]) },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule(_w, k) {
    const factor = number(k.unroll);
    const passes = ['m', 's', 'i'];
    const tile = (loop: string): readonly Step[] => [
      split(loop, factor, [`${loop}o`, `${loop}i`], 'peel'),
      ...unroll(`${loop}i`),
    ];
    return {
      algorithm: 'direct',
      steps: [
        ...(factor > 1 ? passes.flatMap(tile) : []),
        ...flags(k.flags),
        ...place('code', k.code),
        ...place('exp', k.constants),
      ],
    };
  },

  describe: (k) => `three passes, unrolled by ${k.unroll}, ${k.flags}`,
};
