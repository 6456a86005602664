/**
 * layOut: an input or output lies in memory as its neighbour among the layers has it best (tensor-layout.ts). It stands before
 * everything else: what it changes are the accesses of the naive nest.
 */
import { extent, simplify } from '../affine.ts';
import { add, iter, loop, num, refuse, store } from '../build.ts';
import type { Buffer, Expr, Loop, Program, Stmt } from '../program.ts';
import { accesses, bufferOf, callsIn, loopsIn, mapStmts, spanOf, storesIn, withBuffer } from '../walk.ts';
import { dropUselessOutside } from './inside.ts';
import type { StepOf } from './steps.ts';

export function layOut(p: Program, s: StepOf<'layOut'>): Program {
  const b = bufferOf(p, s.buf);
  if ((b.space !== 'in' && b.space !== 'out') || b.dtype !== 'i8' || b.layout !== undefined || b.tensor !== undefined)
    refuse(`${s.buf} is no input or output of bytes in order`);
  if (callsIn(p.body).length > 0) refuse('layOut stands before replace');
  if (b.space === 'out' && accesses(p.body).some((a) => a.buf === s.buf && a.how !== 'write'))
    refuse(`${s.buf} is not only written`);
  switch (s.as) {
    case 'wide':
      return wide(p, b);
    case 'planes':
      return planes(p, b, s.left ?? 0, s.outside ?? 0);
  }
}

/** `y[i] = v`  ->  the same with int16 cells, where v is known to be a byte. */
function wide(p: Program, b: Buffer): Program {
  const [lo, hi] = spanOf('i8');
  const isByte = (value: Expr): boolean => value.kind === 'requantize' && value.min >= lo && value.max <= hi;
  if (storesIn(p.body).some((x) => x.buf === b.name && !isByte(x.value))) refuse(`${b.name} may hold more than bytes`);
  return withBuffer(p, b.name, (x) => ({ ...x, dtype: 'i16', tensor: { kind: 'wide' } }));
}

/** Bytes from one plane's row to the next: the width, a column before it and two behind, or none and three, in whole words. */
export const planePitch = (width: number): number => 4 * Math.ceil((width + 3) / 4);

/** `x[r, q, c]`  ->  `x[r, c, left + q]`; what is read outside at the sides is there, and a kernel that stores writes it first. */
function planes(p: Program, b: Buffer, left: number, outside: number): Program {
  const [rows = 0, width = 0, channels = 0] = b.shape;
  if (b.shape.length !== 3) return refuse(`${b.name} has no rows, columns and channels`);
  const pitch = planePitch(width);
  if (left + width > pitch) refuse(`${left} columns and ${width} are more than ${pitch}`);
  const moved = ([r, q, c]: readonly Expr[]): readonly Expr[] => [
    r ?? num(0),
    c ?? num(0),
    simplify(add(q ?? num(0), num(left))),
  ];
  for (const a of accesses(p.body)) {
    if (a.buf !== b.name || a.outside === undefined) continue;
    if (a.outside !== outside) refuse(`${b.name} is read as ${a.outside} outside, not ${outside}`);
    const columns = extent(moved(a.index)[2] as Expr, a.loops);
    if (columns === undefined || columns[0] < 0 || columns[1] >= pitch) refuse(`${b.name} is read beyond its border`);
  }
  const body = mapStmts(
    p.body,
    (e) => (e.kind === 'load' && e.buf === b.name ? { ...e, index: moved(e.index) } : e),
    (x) => [x.kind === 'store' && x.buf === b.name ? { ...x, index: moved(x.index) } : x],
  );
  const laid = withBuffer({ ...p, body }, b.name, (x) => ({
    ...x,
    shape: [rows, channels, pitch],
    tensor: { kind: 'planes', width, left, outside },
  }));
  const border = b.space === 'out' ? sides(p, laid, b.name, { left, width, outside }) : [];
  return dropUselessOutside({ ...laid, body: [...border, ...laid.body] });
}

/**
 * The columns of the border, left and right of each plane's rows. The right one is written as a whole word, of which the pixels
 * that follow take their part.
 */
function sides(
  p: Program,
  laid: Program,
  name: string,
  { left, width, outside }: { readonly left: number; readonly width: number; readonly outside: number },
): readonly Stmt[] {
  const [rows = 1, channels = 1, pitch = 1] = bufferOf(laid, name).shape;
  const taken = new Set(loopsIn(p.body).map((l) => l.iter));
  const side = (from: number, count: number, end: string): readonly Loop[] => {
    const [r, c, q] = ['r', 'c', 'q'].map((n) => `${name}_${n}${end}`) as [string, string, string];
    if ([r, c, q].some((n) => taken.has(n))) refuse(`loops of the border of ${name} would not be unique`);
    const put = store(name, [iter(r), iter(c), simplify(add(num(from), iter(q)))], num(outside));
    const row: Loop = { ...loop(q, count, put), unroll: 'full' };
    return count === 0 ? [] : [loop(r, rows, loop(c, channels, row))];
  };
  const right = Math.max(4, pitch - left - width);
  return [...side(0, left, '0'), ...side(pitch - right, right, '1')];
}
