/**
 * The window of a buffer that some statements read: where it begins (fixed by the loops around them) and how large it is
 * (by the loops inside). Shared by stage, pad and computeAt.
 */
import { affine, extent, partition, simplify } from '../affine.ts';
import { add, load, mul, num, refuse, sub } from '../build.ts';
import type { Buffer, Expr, Stmt } from '../program.ts';
import { show } from '../show.ts';
import { type Access, accesses, callsIn, loopsIn, mapStmts } from '../walk.ts';
import { gcd } from './legality.ts';

export interface Window {
  readonly base: readonly Expr[];
  readonly shape: readonly number[];
  /** Reads lie this far apart, or a multiple of it: x[2*i] has a step of 2. */
  readonly steps: readonly number[];
  /** Iterators of loops of one iteration: whatever their coefficient, they move nothing. */
  readonly still: ReadonlySet<string>;
  /** What reads outside the buffer give; undefined where none may leave it. */
  readonly outside: number | undefined;
  /** The statements, reading `as` instead; `order` rearranges its dimensions. */
  redirect(as: string, order?: (index: readonly Expr[]) => readonly Expr[]): readonly Stmt[];
}

/** Dimensions that a copy takes whole, and the buffer's extents there. */
export interface Whole {
  readonly dims: readonly number[];
  readonly shape: Buffer['shape'];
}

export function windowOf(body: readonly Stmt[], buf: string, whole: Whole = { dims: [], shape: [] }): Window {
  if (callsIn(body).some((c) => Object.values(c.operands).some((w) => w.buf === buf)))
    refuse(`${buf} is an instruction's operand there`);
  const own = accesses(body).filter((a) => a.buf === buf);
  const [first] = own;
  if (first === undefined || own.some((a) => a.how !== 'read')) return refuse(`${buf} is not only read there`);
  if (own.some((a) => a.outside !== first.outside)) refuse(`reads of ${buf} differ outside`);
  const inner = new Set(loopsIn(body).map((l) => l.iter));
  const cut = (a: Access): readonly (readonly [Expr, Expr])[] => a.index.map((e) => cutAt(e, inner));
  const fixed = cut(first).map(([, f]) => f);
  if (!own.every((a) => cut(a).every(([, f], d) => show(f) === show(fixed[d] ?? num(0)))))
    refuse(`windows of ${buf} differ`);
  const ranges = fixed.map((_, d) => {
    const all = own.map(
      (a) =>
        extent(
          cut(a)[d]?.[0] ?? num(0),
          a.loops.filter((l) => inner.has(l.iter)),
        ) ?? refuse(`${show(a.index[d] ?? num(0))} mixes inner and outer loops`),
    );
    return [Math.min(...all.map((r) => r[0])), Math.max(...all.map((r) => r[1]))] as const;
  });
  const still = new Set(loopsIn(body).flatMap((l) => (l.extent === 1 ? [l.iter] : [])));
  const entire = (d: number): boolean => whole.dims.includes(d);
  const base = fixed.map((f, d) => (entire(d) ? num(0) : simplify(add(f, num(ranges[d]?.[0] ?? 0)))));
  const local = (index: readonly Expr[]): readonly Expr[] =>
    index.map((e, d) => (entire(d) ? e : simplify(sub(cutAt(e, inner)[0], num(ranges[d]?.[0] ?? 0)))));
  const outside = whole.dims.length > 0 && first.outside !== undefined ? { outside: first.outside } : {};
  return {
    base,
    shape: ranges.map(([lo, hi], d) => (entire(d) ? (whole.shape[d] ?? 1) : hi - lo + 1)),
    steps: fixed.map((_, d) =>
      entire(d)
        ? 1
        : stepAlong(
            own.map((a) => cut(a)[d]?.[0] ?? num(0)),
            still,
          ),
    ),
    still,
    outside: first.outside,
    redirect: (as, order = (index) => index) =>
      mapStmts(body, (e) =>
        e.kind === 'load' && e.buf === buf ? { ...load(as, ...order(local(e.index))), ...outside } : e,
      ),
  };
}

/** Greatest common divisor of what the loops inside add to an index; those of one iteration add nothing. */
function stepAlong(moving: readonly Expr[], still: ReadonlySet<string>): number {
  const terms = moving.flatMap((e) => [...affine(e)].flatMap(([name, t]) => (still.has(name) ? [] : [t])));
  return terms.reduce((g, t) => gcd(g, t.coef), 0) || 1;
}

/** The window without what lies between its steps: `x[2*i]` becomes `as[i]`. */
export function compact(w: Window): Window {
  const part = (e: Expr, step: number): Expr =>
    simplify(
      [...affine(e)].reduce(
        (sum, [name, t]) => add(sum, mul(num(w.still.has(name) ? t.coef : t.coef / step), t.atom)),
        num(0),
      ),
    );
  return {
    ...w,
    shape: w.shape.map((n, d) => (n - 1) / (w.steps[d] ?? 1) + 1),
    redirect: (as, order = (index) => index) =>
      w.redirect(as, (index) => order(index.map((e, d) => part(e, w.steps[d] ?? 1)))),
  };
}

/** What moves with the inner loops, constants with it: neighbours in one statement after another are one window; and the rest. */
function cutAt(e: Expr, inner: ReadonlySet<string>): readonly [Expr, Expr] {
  const [moving, fixed] = partition(e, inner);
  const constant = num(affine(fixed).get('')?.coef ?? 0);
  return [simplify(add(moving, constant)), simplify(sub(fixed, constant))];
}
