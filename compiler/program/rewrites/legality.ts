/**
 * When may iterations run in another order, or more than once? One rule carries reorder, overlapping tails and tiling: every
 * store that others can see must store a value that is a function of its place. Reductions commute, but must not repeat.
 */
import { affine, itersOf, partition, simplify } from '../affine.ts';
import { add, mul, num, refuse } from '../build.ts';
import { inlineStmts } from '../inline.ts';
import type { Expr, Loop, Program, Stmt } from '../program.ts';
import { show } from '../show.ts';
import { type Access, accesses, allocsIn, bufferOf, loopsIn } from '../walk.ts';

/** Is `buf` a temporary that only `body` sees, written before it is read there? */
export function isPrivate(p: Program, buf: string, body: readonly Stmt[]): boolean {
  const opened = inlineStmts(body);
  if (allocsIn(opened).some((b) => b.name === buf)) return true;
  const { space } = bufferOf(p, buf);
  if (space !== 'register' && space !== 'scratch') return false;
  const inside = accesses(opened).filter((a) => a.buf === buf);
  const everywhere = accesses(inlineStmts(p.body)).filter((a) => a.buf === buf);
  return inside.length === everywhere.length && inside[0]?.how === 'write';
}

export const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

/** An affine form up to a factor: 2*oy moves with oy (strides); what does not move at all is '0'. */
function direction(e: Expr): string {
  const terms = [...affine(e).values()];
  const g = terms.reduce((x, t) => gcd(x, t.coef), 0);
  return show(simplify(terms.reduce((sum, t) => add(sum, mul(num(t.coef / g), t.atom)), num(0))));
}

/**
 * Refuses unless iterations of the loops `names` around `body` may run in any order, and with 'repeated' more than once.
 * Conservative: a read moves with a store when its index, cut down to the store's iterators, is a multiple of one of the
 * store's own index forms.
 */
export function requireFree(
  p: Program,
  body: readonly Stmt[],
  names: readonly string[],
  times: 'once' | 'repeated',
): void {
  const opened = inlineStmts(body);
  const all = accesses(opened);
  const bound = new Set([...names, ...loopsIn(opened).map((l) => l.iter)]);
  const hidden = new Set([...new Set(all.map((a) => a.buf))].filter((b) => isPrivate(p, b, body)));
  for (const buf of new Set(all.filter((a) => a.how !== 'read').map((a) => a.buf))) {
    if (hidden.has(buf)) continue;
    const own = all.filter((a) => a.buf === buf);
    if (times === 'once' && own.every((a) => a.how === 'reduce')) continue;
    if (own.some((a) => a.how !== 'write')) refuse(`${buf} carries a value between iterations`);
    for (const w of own) requirePlaceDecides(p, w, all, hidden, names, bound);
  }
}

function requirePlaceDecides(
  p: Program,
  w: Access,
  all: readonly Access[],
  hidden: ReadonlySet<string>,
  names: readonly string[],
  bound: ReadonlySet<string>,
): void {
  const form = (e: Expr): Expr => partition(e, bound)[0];
  const moves = new Set([...names, ...w.index.flatMap((e) => [...itersOf(form(e))])]);
  const moving = (e: Expr): string => direction(partition(e, moves)[0]);
  const place = new Set(w.index.map(moving));
  const decided = new Set(w.index.flatMap((e) => decidedBy(form(e), [...w.loops, ...loopsIn(p.body)])));
  for (const r of all) {
    if (r.how !== 'read' || hidden.has(r.buf)) continue;
    for (const e of r.index) {
      const m = moving(e);
      const told = [...itersOf(partition(e, moves)[0])].every((n) => decided.has(n));
      if (m !== '0' && !place.has(m) && !told)
        refuse(`${w.buf}: its value is not a function of its place (${r.buf}[${show(e)}])`);
    }
  }
  // A store that does not move with a loop writes the same place in each iteration: fine if its value does not move either,
  // which the reads above show, and no iterator is used as a value.
}

/**
 * Iterators that follow from the value of an index: 3*c + q tells c and q where q < 3, as digits tell a number. None where it is
 * made of anything else.
 */
function decidedBy(e: Expr, loops: readonly Loop[]): readonly string[] {
  const terms = [...affine(e).values()].filter(({ atom }) => atom.kind !== 'const');
  const digits = terms.map(({ coef, atom }) => ({
    coef,
    name: atom.kind === 'iter' ? atom.name : '',
    extent: loops.find((l) => atom.kind === 'iter' && l.iter === atom.name)?.extent ?? 0,
  }));
  let below = 0;
  for (const { coef, extent } of digits.toSorted((a, b) => a.coef - b.coef)) {
    if (extent === 0 || (extent > 1 && coef <= below)) return [];
    below += coef * (extent - 1);
  }
  return digits.map(({ name }) => name);
}

/** The perfect nest of exactly these loops, outermost first. */
export function perfectNest(l: Loop, names: readonly string[]): readonly Loop[] {
  const chain: Loop[] = [l];
  while (chain.length < names.length) {
    const [only, ...more] = (chain.at(-1) as Loop).body;
    if (only?.kind !== 'loop' || more.length > 0) break;
    chain.push(only);
  }
  if (
    chain.length !== names.length ||
    !chain.every((c) => names.includes(c.iter)) ||
    new Set(names).size !== names.length
  )
    refuse(`${names.join(', ')} are not a perfect nest`);
  return chain;
}
