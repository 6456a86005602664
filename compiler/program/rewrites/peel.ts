/** peel: the first and last iterations of a loop become loops of their own, so that what lies between needs no border. */
import { refuse } from '../build.ts';
import type { Loop, Program } from '../program.ts';
import { atLoop } from '../walk.ts';
import { dropUselessOutside } from './inside.ts';
import { copyOf } from './split.ts';
import type { StepOf } from './steps.ts';

/**
 * `for i in n: S(i)`  ->  `for i_h in first: S; for i in n-first-last: S(i + first); for i_l in last: S`.
 * Loads that cannot leave their buffer in one of the parts lose their `outside` there: the interior of a padded layer
 * becomes plain.
 */
export function peel(p: Program, s: StepOf<'peel'>): Program {
  const done = atLoop(p, s.loop, (l) => {
    const middle = l.extent - s.first - s.last;
    if (s.first < 0 || s.last < 0 || s.first + s.last === 0) refuse('nothing to peel');
    if (middle < 1) refuse(`${s.loop} has only ${l.extent} iterations`);
    const parts: Loop[] = [];
    if (s.first > 0) parts.push(copyOf(l, `${l.iter}_h`, s.first, 0, '_h'));
    parts.push(copyOf(l, l.iter, middle, s.first, ''));
    if (s.last > 0) parts.push(copyOf(l, `${l.iter}_l`, s.last, s.first + middle, '_l'));
    return parts;
  });
  return dropUselessOutside(done);
}
