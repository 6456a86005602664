/** unroll: a loop is written out when it is printed. */
import { refuse } from '../build.ts';
import type { Program } from '../program.ts';
import { atLoop } from '../walk.ts';
import type { StepOf } from './steps.ts';

/** Longest loop that may be written out; beyond it the code outgrows every cache and the compiler's patience. */
const unrollLimit = 64;

/** `for i in n: S(i)`  ->  the same, written out when it is printed as C. */
export function unroll(p: Program, s: StepOf<'unroll'>): Program {
  return atLoop(p, s.loop, (l) =>
    l.extent > unrollLimit ? refuse(`unrolls at most ${unrollLimit}`) : [{ ...l, unroll: 'full' }],
  );
}
