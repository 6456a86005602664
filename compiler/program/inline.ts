/** Calls as what they mean: the call's meaning in the caller's terms. The interpreter, `replace` and the proofs all use it. */
import { instruction } from '../instructions/index.ts';
import { simplify } from './affine.ts';
import { add } from './build.ts';
import type { Call, Expr, Program, Stmt } from './program.ts';
import { callsIn, mapStmts, rename } from './walk.ts';

/** The body of a call: operands become windows of the caller's buffers; private names and iterators get the suffix `$tag`. */
export function inlineCall(c: Call, tag: string): readonly Stmt[] {
  const { meaning } = instruction(c.instr, c.params);
  const own = rename(
    meaning.body,
    (buf) => (c.operands[buf] !== undefined ? buf : `${buf}$${tag}`),
    (name) => `${name}$${tag}`,
  );
  const window = (buf: string, index: readonly Expr[]): { buf: string; index: readonly Expr[] } => {
    const w = c.operands[buf];
    if (w === undefined) return { buf, index };
    const skip = w.origin.length - index.length;
    return { buf: w.buf, index: w.origin.map((o, d) => (d < skip ? o : simplify(add(o, index[d - skip] as Expr)))) };
  };
  return mapStmts(
    own,
    (e) => (e.kind === 'load' ? { ...e, ...window(e.buf, e.index) } : e),
    (s) => [s.kind === 'store' ? { ...s, ...window(s.buf, s.index) } : s],
  );
}

/** Statements with every call opened. Tags are numbers in order, so equal programs open equally. */
export function inlineStmts(stmts: readonly Stmt[]): readonly Stmt[] {
  if (callsIn(stmts).length === 0) return stmts;
  let n = 0;
  return mapStmts(
    stmts,
    (e) => e,
    (s) => (s.kind === 'call' ? inlineCall(s, String(n++)) : [s]),
  );
}
export const inlineCalls = (p: Program): Program => ({ ...p, body: inlineStmts(p.body) });
