/** rebase: a temporary holds its values moved by a constant, in another type of the same width: int8 as bytes from 0 to 255. */
import { add, load, num, refuse, sub } from '../build.ts';
import { inlineStmts } from '../inline.ts';
import type { Expr, Program } from '../program.ts';
import { accesses, bufferOf, bytesOf, callsIn, mapStmts, spanOf, withBuffer } from '../walk.ts';
import { knownSpan } from './known-span.ts';
import type { StepOf } from './steps.ts';

/** `t[i] = v; ... t[i] ...`  ->  `t[i] = v + c; ... (t[i] - c) ...`, where every v + c fits the new type. */
export function rebase(p: Program, s: StepOf<'rebase'>): Program {
  const b = bufferOf(p, s.buf);
  if (b.space !== 'scratch' && b.space !== 'register') refuse(`${s.buf} is no temporary`);
  if (b.dtype === 'f32' || s.dtype === 'f32' || bytesOf(b.dtype) !== bytesOf(s.dtype))
    refuse(`${s.dtype} has not the width of ${b.dtype}`);
  if (callsIn(p.body).some((c) => Object.values(c.operands).some((w) => w.buf === s.buf)))
    refuse(`${s.buf} is an instruction's operand: rebase stands before replace`);
  if (accesses(inlineStmts(p.body)).some((a) => a.buf === s.buf && (a.how === 'reduce' || a.outside !== undefined)))
    refuse(`${s.buf} is not only stored and read`);
  const [[lo, hi], [least, most]] = [knownSpan(p, s.buf), spanOf(s.dtype)];
  if (lo + s.offset < least || hi + s.offset > most)
    refuse(`${lo}..${hi} moved by ${s.offset} does not fit ${s.dtype}`);
  const moved = (e: Expr): Expr => (e.kind === 'const' ? num(e.value + s.offset) : add(e, num(s.offset)));
  const body = mapStmts(
    p.body,
    (e) => (e.kind === 'load' && e.buf === s.buf ? sub(load(s.buf, ...e.index), num(s.offset)) : e),
    (x) => [x.kind === 'store' && x.buf === s.buf ? { ...x, value: moved(x.value) } : x],
  );
  return withBuffer({ ...p, body }, s.buf, (x) => ({ ...x, dtype: s.dtype }));
}
