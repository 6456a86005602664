/**
 * A text of a nest in which names of iterators and temporaries, the order of + and *, and how an index is written no longer matter.
 * Two nests with equal text compute the same. It is what `replace` compares.
 */
import { simplify } from './affine.ts';
import { iter } from './build.ts';
import type { Expr, Stmt } from './program.ts';
import { show, showStmts } from './show.ts';
import { accesses, allocsIn, loopsIn, mapStmts, rename } from './walk.ts';

/** `privates`: names of temporaries declared outside the nest that nobody else sees; those declared inside are private anyway. */
export function canonical(stmts: readonly Stmt[], privates: ReadonlySet<string>): string {
  const loops = new Map(loopsIn(stmts).map((l, i) => [l.iter, `#${i}`]));
  const hidden = new Set([...privates, ...allocsIn(stmts).map((b) => b.name)]);
  const temps = new Map<string, string>();
  for (const a of accesses(stmts)) if (hidden.has(a.buf) && !temps.has(a.buf)) temps.set(a.buf, `%${temps.size}`);
  const renamed = rename(
    stmts,
    (b) => temps.get(b) ?? b,
    (l) => loops.get(l) ?? l,
  );
  // An alloc only declares: where it stands in the block does not matter to what is computed.
  const bare = mapStmts(renamed, sorted, (s) => {
    if (s.kind === 'alloc') return [];
    if (s.kind === 'store') return [{ ...s, index: s.index.map(simplify) }];
    return [s.kind === 'loop' ? { kind: 'loop', iter: s.iter, extent: s.extent, body: s.body } : s];
  });
  return showStmts(bare);
}

function sorted(e: Expr): Expr {
  if (e.kind === 'iter') return iter(e.name);
  if (e.kind === 'load') return { ...e, index: e.index.map(simplify) };
  if (e.kind === 'binary' && (e.op === '+' || e.op === '*') && show(e.a) > show(e.b)) return { ...e, a: e.b, b: e.a };
  return e;
}
