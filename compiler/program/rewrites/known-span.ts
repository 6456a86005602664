/** What values a buffer can hold, as far as the program shows it: what instructions that rely on a span are put in by. */
import type { Range } from '../affine.ts';
import { inlineStmts } from '../inline.ts';
import { rangeOfValues } from '../print-c-expr.ts';
import type { Buffer, Expr, Program, Store } from '../program.ts';
import { bufferOf, spanHeld, spanOf, storesIn } from '../walk.ts';

/** Smallest and largest value: of a constant's own, of what copies into a temporary bring, else of the dtype. */
export function knownSpan(p: Program, buf: string): Range {
  const b = bufferOf(p, buf);
  if (b.values !== undefined) return rangeOfValues(b.values);
  if (b.space !== 'scratch' && b.space !== 'register') return spanHeld(b);
  const stores = storesIn(inlineStmts(p.body)).filter((s) => s.buf === buf);
  const spans = stores.map((s) => storedSpan(p, b, s));
  return spans.length === 0
    ? spanOf(b.dtype)
    : [Math.min(...spans.map(([lo]) => lo)), Math.max(...spans.map(([, hi]) => hi))];
}

function storedSpan(p: Program, into: Buffer, { value, reduce }: Store): Range {
  const known = reduce === undefined ? copiedSpan(p, value) : undefined;
  const [lo, hi] = spanOf(into.dtype);
  // What does not fit is cut off, and may then be anything.
  return known !== undefined && known[0] >= lo && known[1] <= hi ? known : [lo, hi];
}

/** Of a number or a plain copy; a copy's source is taken at its dtype. */
function copiedSpan(p: Program, value: Expr): Range | undefined {
  if (value.kind === 'const') return [value.value, value.value];
  if (value.kind !== 'load') return undefined;
  const source = bufferOf(p, value.buf);
  const [lo, hi] = source.values === undefined ? spanHeld(source) : rangeOfValues(source.values);
  return [Math.min(lo, value.outside ?? lo), Math.max(hi, value.outside ?? hi)];
}
