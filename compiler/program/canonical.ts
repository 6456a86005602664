/**
 * A text of a nest in which names of iterators and temporaries, and the order of + and *, no longer matter. Two nests with
 * equal text compute the same. It is what `replace` compares.
 */
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
  const bare = mapStmts(renamed, sorted, (s) =>
    s.kind === 'alloc' ? [] : [s.kind === 'loop' ? { kind: 'loop', iter: s.iter, extent: s.extent, body: s.body } : s],
  );
  return showStmts(bare);
}

function sorted(e: Expr): Expr {
  if (e.kind === 'iter') return iter(e.name);
  if (e.kind === 'binary' && (e.op === '+' || e.op === '*') && show(e.a) > show(e.b)) return { ...e, a: e.b, b: e.a };
  return e;
}
