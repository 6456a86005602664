/**
 * Plain C for any 32-bit CPU: blocks of output channels (and pixels) in local variables, the reduction unrolled. What the other
 * templates leave: CPUs without DSP, odd channel counts, dilation, batches.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { matrixShape } from './matrix.ts';
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
  requantize,
  requantKnob,
  shapeIn,
  shapeOut,
  split,
  unroll,
  upTo,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

/** The loops of a multiply-accumulate nest: the output channel, the pixels beside each other, and the innermost sum. */
interface Nest {
  readonly channel: string;
  readonly channels: number;
  readonly pixel: string;
  readonly pixels: number;
  readonly taps: readonly string[];
  /** Innermost summed loop that is worth unrolling in parts; undefined: the taps are unrolled whole. */
  readonly deep: number;
}
function nestOf(w: Workload): Nest | undefined {
  const m = matrixShape(w);
  if (m !== undefined) return { channel: 'o', channels: m.N, pixel: 'p', pixels: m.P, taps: ['i'], deep: m.K };
  const [, , OW = 1, N = 1] = shapeOut(w);
  if (w.op === 'conv2d')
    return { channel: 'o', channels: N, pixel: 'ox', pixels: OW, taps: ['ky', 'kx', 'i'], deep: shapeIn(w)[3] ?? 1 };
  const plain = w.attrs.multiplier === 1 || shapeIn(w)[3] === 1;
  if (w.op !== 'depthwise_conv2d' || !plain) return undefined;
  return { channel: 'c', channels: N, pixel: 'ox', pixels: OW, taps: ['ky', 'kx'], deep: list(w, 'kernel')[1] ?? 1 };
}
const bordered = (w: Workload): boolean => list(w, 'pad').some((p) => p > 0);

export const loops: Template = {
  name: 'loops',
  version: 1,

  knobs(w, features) {
    const n = nestOf(w);
    if (n === undefined) return undefined;
    return [
      { name: 'channels', values: upTo(n.channels, [2, 4, 1]) },
      { name: 'pixels', values: upTo(n.pixels, [1, 2]) },
      { name: 'unroll', values: [1, 2, 4, 8].filter((u) => n.deep % u === 0) },
      { name: 'border', values: bordered(w) ? ['checked', 'copied'] : ['checked'] },
      { name: 'requantize', values: [...new Set(['general', ...requantKnob(w)])] },
      { name: 'flags', values: flagSets },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule: (w, knobs) => ({ algorithm: 'direct', steps: steps(w, knobs) }),
  describe: (k) =>
    `plain C, ${k.pixels} px x ${k.channels} ch in locals, sum unrolled by ${k.unroll}, border ${k.border}, requantize ${k.requantize}, ${k.flags}`,
};

function steps(w: Workload, k: Knobs): readonly Step[] {
  const n = nestOf(w);
  if (n === undefined) return [];
  const [channels, pixels, factor] = [number(k.channels), number(k.pixels), number(k.unroll)];
  const deepest = n.taps.at(-1) ?? '';
  const parts = factor > 1 && factor < n.deep;
  const taps = parts ? [...n.taps.slice(0, -1), 'ti', 'tu'] : n.taps;
  const axes = ['a', 'b', 'd', 'e'].slice(4 - shapeIn(w).length + ((shapeIn(w)[0] ?? 1) === 1 ? 1 : 0));
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...(k.border === 'copied' ? [{ primitive: 'pad', buf: 'x', as: 'xp', loops: axes, dtype: 'i8' } as const] : []),
    split(n.pixel, pixels, ['pb', 'pi'], 'overlap'),
    split(n.channel, channels, ['ob', 'oi'], 'overlap'),
    reorder('pb', 'ob', 'pi', 'oi'),
    expand('acc', 'pi', 'oi'),
    fission('pi', 'oi'),
    ...(parts ? [split(deepest, factor, ['ti', 'tu'], 'exact')] : []),
    reorder(...taps.slice(0, parts ? -1 : undefined), ...(parts ? ['tu'] : []), 'pi_1', 'oi_1'),
    ...unroll('pi', 'oi', 'pi_1', 'oi_1', 'pi_2', 'oi_2'),
    ...(parts ? unroll('tu') : factor > 1 ? unroll(deepest) : []),
    ...flags(k.flags),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}
