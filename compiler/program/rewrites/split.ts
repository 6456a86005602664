/** split: a loop in two, and what becomes of a tail. copyOf() serves peel, too. */
import { simplify } from '../affine.ts';
import { add, bin, iter, loop, mul, num, refuse } from '../build.ts';
import type { Expr, Loop, Program, Stmt } from '../program.ts';
import { allocsIn, atLoop, loopsIn, rename, substitute } from '../walk.ts';
import { requireFree } from './legality.ts';
import type { StepOf } from './steps.ts';

/**
 * `for i in n: S(i)`  ->  `for o: for k in factor: S(factor*o + k)`.
 * A tail is refused ('exact'), shifted in with min so that it overlaps ('overlap'), or split off as a nest of its own ('peel').
 */
export function split(p: Program, s: StepOf<'split'>): Program {
  const [o, k] = s.into;
  const f = s.factor;
  return atLoop(p, s.loop, (l) => {
    const n = l.extent;
    const whole = Math.floor(n / f);
    const rest = n % f;
    if (f > n) refuse(`${s.loop} has only ${n} iterations`);
    const nest = (trips: number, base: Expr): Loop =>
      loop(o, trips, loop(k, f, ...substitute(l.body, l.iter, simplify(add(base, iter(k))))));
    const start = mul(num(f), iter(o));
    if (rest === 0) return [nest(whole, start)];
    switch (s.tail) {
      case 'exact':
        return refuse(`${f} does not divide ${n}`);
      case 'overlap':
        requireFree(p, l.body, [l.iter], 'repeated');
        return [nest(whole + 1, bin('min', start, num(n - f)))];
      case 'peel':
        return [nest(whole, start), copyOf(l, `${k}_t`, rest, whole * f, '_t')];
    }
  });
}

/** Iterations from..from+count of a loop as a loop of its own; loops and temporaries inside get a suffix, so names stay unique. */
export function copyOf(l: Loop, name: string, count: number, from: number, suffix: string): Loop {
  const temps = new Set(allocsIn(l.body).map((b) => b.name));
  const inner = new Set(loopsIn(l.body).map((x) => x.iter));
  const body: readonly Stmt[] = rename(
    l.body,
    (b) => (temps.has(b) ? `${b}${suffix}` : b),
    (i) => (inner.has(i) ? `${i}${suffix}` : i),
  );
  return { ...loop(name, count, ...substitute(body, l.iter, simplify(add(iter(name), num(from))))) };
}
