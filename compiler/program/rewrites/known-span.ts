/** What values a buffer can hold, as far as the program shows it: what instructions that rely on a span are put in by. */
import { inlineStmts } from '../inline.ts';
import { rangeOfValues } from '../print-c-expr.ts';
import type { Buffer, Expr, Program, Stmt, Store } from '../program.ts';
import { bufferOf, spanOf } from '../walk.ts';

type Span = readonly [number, number];

/** Smallest and largest value: of a constant's own, of what copies into a temporary bring, else of the dtype. */
export function knownSpan(p: Program, buf: string): Span {
  const b = bufferOf(p, buf);
  if (b.values !== undefined) return rangeOfValues(b.values);
  if (b.space !== 'scratch' && b.space !== 'register') return spanOf(b.dtype);
  const spans = storesTo(inlineStmts(p.body), buf).map((s) => storedSpan(p, b, s));
  return spans.length === 0
    ? spanOf(b.dtype)
    : [Math.min(...spans.map(([lo]) => lo)), Math.max(...spans.map(([, hi]) => hi))];
}

function storedSpan(p: Program, into: Buffer, { value, reduce }: Store): Span {
  const known = reduce === undefined ? copiedSpan(p, value) : undefined;
  const [lo, hi] = spanOf(into.dtype);
  // What does not fit is cut off, and may then be anything.
  return known !== undefined && known[0] >= lo && known[1] <= hi ? known : [lo, hi];
}

/** Of a number or a plain copy; a copy's source is taken at its dtype. */
function copiedSpan(p: Program, value: Expr): Span | undefined {
  if (value.kind === 'const') return [value.value, value.value];
  if (value.kind !== 'load') return undefined;
  const { dtype, values } = bufferOf(p, value.buf);
  const [lo, hi] = values === undefined ? spanOf(dtype) : rangeOfValues(values);
  return [Math.min(lo, value.outside ?? lo), Math.max(hi, value.outside ?? hi)];
}

const storesTo = (stmts: readonly Stmt[], buf: string): readonly Store[] =>
  stmts.flatMap((s) => (s.kind === 'loop' ? storesTo(s.body, buf) : s.kind === 'store' && s.buf === buf ? [s] : []));
