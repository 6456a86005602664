/** Removes `outside` from loads that cannot leave their buffer. Part of every primitive that narrows a loop. */
import { extent } from '../affine.ts';
import type { Expr, Loop, Program, Stmt } from '../program.ts';
import { bufferOf, mapExpr } from '../walk.ts';

export function dropUselessOutside(p: Program): Program {
  const go = (stmts: readonly Stmt[], loops: readonly Loop[]): readonly Stmt[] =>
    stmts.map((s): Stmt => {
      if (s.kind === 'loop') return { ...s, body: go(s.body, [...loops, s]) };
      if (s.kind !== 'store') return s;
      return { ...s, value: mapExpr(s.value, (e) => inside(p, e, loops)) };
    });
  return { ...p, body: go(p.body, []) };
}

function inside(p: Program, e: Expr, loops: readonly Loop[]): Expr {
  if (e.kind !== 'load' || e.outside === undefined) return e;
  const { shape } = bufferOf(p, e.buf);
  const always = e.index.every((x, d) => {
    const range = extent(x, loops);
    return range !== undefined && range[0] >= 0 && range[1] < (shape[d] ?? 0);
  });
  return always ? { kind: 'load', buf: e.buf, index: e.index } : e;
}
