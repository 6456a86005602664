/**
 * The default schedule: what a layer gets without tuning. Correct for every workload on every 32-bit CPU, no scratch, little
 * code; plain, not stupid: the input's zero point goes into the bias and the innermost sum is unrolled.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { matrixShape } from './matrix.ts';
import { list, shapeIn, split, unroll } from './steps.ts';
import type { Features, Schedule } from './template.ts';

export function defaultSchedule(w: Workload, _features: Features): Schedule {
  return { algorithm: 'direct', steps: steps(w) };
}

const folded: Step = { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' };

function steps(w: Workload): readonly Step[] {
  switch (w.op) {
    case 'conv2d':
    case 'fully_connected': {
      const [matrix, channels = 1] = [matrixShape(w), shapeIn(w)[3]];
      if (matrix !== undefined) return [folded, ...unrolled('i', matrix.K)];
      return [folded, ...(channels > 1 ? unrolled('i', channels) : unrolled('kx', list(w, 'kernel')[1] ?? 1))];
    }
    case 'depthwise_conv2d': {
      const plain = w.attrs.multiplier === 1 || shapeIn(w)[3] === 1;
      return [...(plain ? [folded] : []), ...unrolled('kx', list(w, 'kernel')[1] ?? 1)];
    }
    default:
      return [];
  }
}

/** A short loop whole, a long one by the largest of 4 and 2 that divides it. */
function unrolled(loop: string, extent: number): readonly Step[] {
  if (extent <= 4) return unroll(loop);
  const factor = [4, 2].find((f) => extent % f === 0);
  return factor === undefined ? [] : [split(loop, factor, ['io', 'iu'], 'exact'), ...unroll('iu')];
}
