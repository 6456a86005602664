/** Puts the constants of one occurrence into a workload's program. */
import type { Constants } from '../workload.ts';
import type { Program } from './program.ts';
import { elements, spanOf } from './walk.ts';

/** Every const buffer without values gets them. Throws when one is missing, has another size or does not fit its dtype. */
export function bind(p: Program, constants: Constants): Program {
  return {
    ...p,
    buffers: p.buffers.map((b) => {
      if (b.space !== 'const' || b.values !== undefined) return b;
      const values = constants[b.name];
      if (values === undefined) throw new Error(`${p.name}: no constant ${b.name}`);
      if (values.length !== elements(b.shape))
        throw new Error(
          `${p.name}: ${b.name} has ${values.length} values, its shape [${b.shape}] wants another number`,
        );
      const [lo, hi] = spanOf(b.dtype);
      if (values.some((v) => v < lo || v > hi)) throw new Error(`${p.name}: ${b.name} does not fit ${b.dtype}`);
      return { ...b, values };
    }),
  };
}
