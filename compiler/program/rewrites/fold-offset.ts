/** foldOffset: an input's zero point goes into the bias, out of the innermost sum. */
import { load, mul, refuse } from '../build.ts';
import type { Program } from '../program.ts';
import { mapStoresTo, reductionInto, weightsPerBias } from './reduction.ts';
import type { StepOf } from './steps.ts';

/**
 * `acc = b[o]; acc += (x - c)*w`  ->  `acc = b2[o]; acc += x*w` with b2 = b - c*sum(w): exact modulo 2^32. A load's `outside`
 * stays as it is (padding is the zero point c, which the old form turned into 0 and the new one carries through the sum).
 */
export function foldOffset(p: Program, s: StepOf<'foldOffset'>): Program {
  const r = reductionInto(p, s.acc);
  if (r.offset === undefined) return refuse('there is no offset to fold');
  const c = r.offset;
  const w = r.weights.values ?? refuse('weights must be constants');
  const values = Int32Array.from(weightsPerBias(r), (places, o) => {
    const sum = places.reduce((n, at) => n + (w[at] ?? 0), 0);
    return ((r.bias.values?.[o] ?? 0) - Math.imul(c, sum)) | 0;
  });
  const folded = mapStoresTo(p, s.acc, (x) => ({
    ...x,
    value: x.reduce === undefined ? load(s.as, ...r.init.index) : mul(r.x, r.w),
  }));
  return { ...folded, buffers: [...folded.buffers, { ...r.bias, name: s.as, values }] };
}
