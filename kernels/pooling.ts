/** Average and maximum pooling: a block of channels in local variables over the whole window. */
import {
  expand,
  fission,
  flagSets,
  flags,
  list,
  number,
  place,
  placesFor,
  reorder,
  shapeIn,
  shapeOut,
  split,
  unroll,
  upTo,
} from './steps.ts';
import type { Template } from './template.ts';

export const pooling: Template = {
  name: 'pooling',
  version: 1,

  knobs(w, features) {
    if (w.op !== 'average_pool2d' && w.op !== 'max_pool2d') return undefined;
    const border = list(w, 'pad').some((p) => p > 0);
    return [
      { name: 'channels', values: upTo(shapeOut(w)[3] ?? 1, [4, 8, 2, 1]) },
      { name: 'columns', values: ['loop', 'unrolled'] },
      { name: 'border', values: border ? ['checked', 'copied'] : ['checked'] },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule(w, k) {
    const axes = ['n', 'a', 'b', 'd'].slice((shapeIn(w)[0] ?? 1) > 1 ? 0 : 1);
    return {
      algorithm: 'direct',
      steps: [
        ...(k.border === 'copied'
          ? [{ primitive: 'pad', buf: 'x', as: 'xp', loops: axes.map((a) => `${a}p`), dtype: 'i8' } as const]
          : []),
        split('c', number(k.channels), ['cb', 'ci'], 'overlap'),
        expand('acc', 'ci'),
        fission('ci'),
        reorder('ky', 'kx', 'ci_1'),
        ...unroll('ci', 'ci_1', 'ci_2'),
        ...(k.columns === 'unrolled' ? unroll('kx') : []),
        ...flags(k.flags),
        ...place('code', k.code),
      ],
    };
  },

  describe: (k) => `${k.channels} ch in locals, columns ${k.columns}, border ${k.border}, ${k.flags}`,
};
