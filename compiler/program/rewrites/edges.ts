/**
 * Operands that an instruction reads beyond: its text knows where the window ends, its meaning where the buffer does. Must stay true:
 * both ends are one, or nothing is read beyond them. Otherwise a window moved by a row would have the same meaning as before, and
 * its text another one.
 */
import { extent } from '../affine.ts';
import { refuse } from '../build.ts';
import type { Expr, Program, Window } from '../program.ts';
import { type Access, accesses, bufferOf, loopsIn } from '../walk.ts';

/** Do reads of the role leave the buffer? */
export const leaves = (meaning: Program, role: string): boolean =>
  accesses(meaning.body).some((a) => a.buf === role && a.outside !== undefined);

const isZero = (e: Expr): boolean => e.kind === 'const' && e.value === 0;

/** Refuses a window that such an operand must not be. Its extents are those of the buffer. */
export function requireEdges(p: Program, meaning: Program, role: string, w: Window): void {
  if (!leaves(meaning, role)) return;
  const reads = accesses(meaning.body).filter((a) => a.buf === role);
  const { shape } = bufferOf(p, w.buf);
  const skip = shape.length - bufferOf(meaning, role).shape.length;
  w.origin.forEach((e, d) => {
    const begins = extent(e, loopsIn(p.body));
    const size = shape[d] ?? 1;
    if (d < skip && !within(begins, [0, 0], size)) refuse(`${role} is no part of ${w.buf}`);
    if (d < skip || isZero(e)) return;
    const read = (a: Access): readonly [number, number] | undefined => extent(a.index[d - skip] as Expr, a.loops);
    if (reads.some((a) => !within([0, 0], read(a), size) || !within(begins, read(a), size)))
      refuse(`${role} does not begin where ${w.buf} does, and reads beyond it`);
  });
}
type Range = readonly [number, number] | undefined;
const within = (begins: Range, read: Range, size: number): boolean =>
  begins !== undefined && read !== undefined && begins[0] + read[0] >= 0 && begins[1] + read[1] < size;

/** Refuses a window of an operand that `moves`, unless it is all of the buffer but for rows: the text gets the first of them alone. */
export function requireRows(p: Program, meaning: Program, role: string, w: Window): void {
  const { shape } = bufferOf(p, w.buf);
  if (shape.join() !== bufferOf(meaning, role).shape.join() || !w.origin.slice(1).every(isZero))
    refuse(`${role} is not the whole of ${w.buf}`);
}
