/** expand: private cells side by side, so that a nest around them can be taken apart. */
import { iter, refuse } from '../build.ts';
import type { Alloc, Program, Stmt } from '../program.ts';
import { loopOf, loopsIn, mapStmts } from '../walk.ts';
import type { StepOf } from './steps.ts';

/**
 * One private cell becomes one cell an iteration of `loops`: `for a: for b: {acc; S(acc)}` -> `acc[A, B]; for a: for b: S(acc[a, b])`.
 * The declaration moves out before the outermost of them.
 */
export function expand(p: Program, s: StepOf<'expand'>): Program {
  const loops = s.loops.map((n) => loopOf(p, n));
  if (loops.length === 0 || new Set(s.loops).size !== s.loops.length) refuse('name each loop once');
  const outermost =
    loops.find((l) => loops.every((x) => x === l || loopsIn(l.body).includes(x))) ??
    refuse(`${s.loops.join(', ')} are not nested`);
  const declares = (stmts: readonly Stmt[]): Alloc | undefined =>
    stmts.find((x): x is Alloc => x.kind === 'alloc' && x.buffer.name === s.buf) ??
    stmts.flatMap((x) => (x.kind === 'loop' ? (declares(x.body) ?? []) : []))[0];
  for (const l of loops) if (declares(l.body) === undefined) refuse(`${s.buf} is not private to ${l.iter}`);
  const alloc = declares(outermost.body) ?? refuse(`no buffer ${s.buf}`);
  const wide = { ...alloc, buffer: { ...alloc.buffer, shape: [...loops.map((l) => l.extent), ...alloc.buffer.shape] } };
  const index = s.loops.map(iter);
  const body = mapStmts(
    p.body,
    (e) => (e.kind === 'load' && e.buf === s.buf ? { ...e, index: [...index, ...e.index] } : e),
    (x): readonly Stmt[] => {
      switch (x.kind) {
        case 'store':
          return [x.buf === s.buf ? { ...x, index: [...index, ...x.index] } : x];
        case 'alloc':
          return x.buffer.name === s.buf ? [] : [x];
        case 'loop':
          return x.iter === outermost.iter ? [wide, x] : [x];
        case 'call':
          return [Object.values(x.operands).some((w) => w.buf === s.buf) ? refuse('expand stands before replace') : x];
      }
    },
  );
  return { ...p, body };
}
