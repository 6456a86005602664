/** reorder: the loops of a perfect nest in another order. */
import { refuse } from '../build.ts';
import type { Program, Stmt } from '../program.ts';
import { atLoop, loopsIn } from '../walk.ts';
import { perfectNest, requireFree } from './legality.ts';
import type { StepOf } from './steps.ts';

/** `for a: for b: S`  ->  `for b: for a: S`, for any perfect nest; `loops` is the new order, outermost first. */
export function reorder(p: Program, s: StepOf<'reorder'>): Program {
  const first = loopsIn(p.body).find((l) => s.loops.includes(l.iter)) ?? refuse(`no loops ${s.loops.join(', ')}`);
  return atLoop(p, first.iter, (l) => {
    const chain = perfectNest(l, s.loops);
    const body = chain.at(-1)?.body ?? [];
    requireFree(p, body, s.loops, 'once');
    return s.loops.reduceRight<readonly Stmt[]>((inner, name) => {
      const own = chain.find((c) => c.iter === name) ?? refuse(`no loop ${name}`);
      return [{ ...own, body: inner }];
    }, body);
  });
}
