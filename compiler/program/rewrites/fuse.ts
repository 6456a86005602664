/** fuse: two loops that move as one become one. */
import { affine } from '../affine.ts';
import { add, iter, loop, mul, num, refuse } from '../build.ts';
import type { Expr, Program } from '../program.ts';
import { show } from '../show.ts';
import { atLoop, mapStmts } from '../walk.ts';
import { perfectNest } from './legality.ts';
import type { StepOf } from './steps.ts';

/** `for a in n: for b in m: S(m*a + b)`  ->  `for c in n*m: S(c)`, where a and b are used only together so. */
export function fuse(p: Program, s: StepOf<'fuse'>): Program {
  return atLoop(p, s.loops[0], (l) => {
    const [a, b] = perfectNest(l, s.loops);
    if (a === undefined || b === undefined || a.iter !== s.loops[0])
      return refuse(`${s.loops.join(', ')} are not nested so`);
    const joined = (e: Expr): Expr => {
      const terms = affine(e);
      const ca = terms.get(a.iter)?.coef ?? 0;
      const cb = terms.get(b.iter)?.coef ?? 0;
      if (ca !== cb * b.extent) refuse(`${show(e)} does not move as one loop`);
      return [...terms].reduce<Expr>(
        (sum, [key, t]) => (key === a.iter ? sum : add(sum, mul(num(t.coef), key === b.iter ? iter(s.into) : t.atom))),
        num(0),
      );
    };
    const body = mapStmts(
      b.body,
      (e) => (e.kind === 'load' ? { ...e, index: e.index.map(joined) } : e),
      (x) => [
        x.kind === 'store'
          ? { ...x, index: x.index.map(joined) }
          : x.kind === 'call'
            ? refuse('fuse stands before replace')
            : x,
      ],
    );
    return [loop(s.into, a.extent * b.extent, ...body)];
  });
}
