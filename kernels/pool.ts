/**
 * Average and maximum pooling and means over whole images, by the DSP extension: words of four channels gathered in registers over
 * a whole window. An average over a border divides by another count at every pixel: left to plain C.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { has, list, many, number, place, placesFor, product, replace, shapeIn, upTo } from './steps.ts';
import type { Knobs, Template } from './template.ts';

/** The loop over channels, and the pixels of a window; undefined where channels are not gathered one by one. */
interface Pool {
  readonly channel: string;
  readonly pixels: number;
}
function poolOf(w: Workload): Pool | undefined {
  const shape = shapeIn(w);
  switch (w.op) {
    case 'average_pool2d':
      return bordered(w) ? undefined : { channel: 'c', pixels: product(list(w, 'filter')) };
    case 'max_pool2d':
      return { channel: 'c', pixels: product(list(w, 'filter')) };
    case 'mean': {
      const [axes, last] = [list(w, 'axes'), shape.length - 1];
      const beside = axes.every((a, i) => a === last - axes.length + i);
      if (!beside || axes.length === 0 || axes.length > 2) return undefined;
      return { channel: `i${last}`, pixels: product(axes.map((a) => shape[a] ?? 1)) };
    }
    default:
      return undefined;
  }
}
const bordered = (w: Workload): boolean => list(w, 'pad').some((p) => p > 0);

export const pool: Template = {
  name: 'pool',
  version: 1,

  knobs(w, features) {
    const p = poolOf(w);
    const channels = shapeIn(w).at(-1) ?? 1;
    // Sums of more than 256 bytes do not fit 16 bits, and the half of an odd sum of two rounds away from zero on both sides.
    const fits = w.op === 'max_pool2d' || (p !== undefined && p.pixels > 2 && p.pixels <= 256);
    if (p === undefined || !fits || !has(features, 'dsp') || channels % 4 !== 0) return undefined;
    return [
      { name: 'unroll', values: upTo(Math.min(p.pixels, Math.floor(4080 / channels)), [2, 4, 3, 5, 8, 1]) },
      { name: 'code', values: placesFor(features) },
    ];
  },

  schedule: (w, k) => ({ algorithm: 'direct', steps: steps(w, k) }),
  describe: (k) => `four channels a word, ${many(k.unroll, 'pixel')} a round`,
};

function steps(w: Workload, k: Knobs): readonly Step[] {
  const loop = poolOf(w)?.channel ?? '';
  const largest = w.op === 'max_pool2d';
  const axes = ['n', 'a', 'b', 'd'].slice((shapeIn(w)[0] ?? 1) > 1 ? 0 : 1);
  const padded: Step = { primitive: 'pad', buf: 'x', as: 'xp', loops: axes.map((a) => `${a}p`), dtype: 'i8' };
  const border = largest && bordered(w);
  const operands = { x: border ? 'xp' : 'x', y: 'y' };
  return [
    ...(border ? [padded] : []),
    ...(largest ? [] : [{ primitive: 'requantizeHalf', acc: 'acc' } as const]),
    replace(loop, largest ? 'pool_max' : 'pool_sums', operands, { unroll: number(k.unroll) }),
    ...place('code', k.code),
  ];
}
