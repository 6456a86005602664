/** What recipes read off the nest that they are to replace. */
import { affine, itersOf } from '../program/affine.ts';
import { num } from '../program/build.ts';
import type { Expr, Loop, Stmt, Store } from '../program/program.ts';
import type { Params } from './instruction.ts';

/** The loops of a nest that stand one inside the other, and what the innermost of them does; declarations do nothing. */
export function chainOf(nest: Loop): { readonly loops: readonly Loop[]; readonly body: readonly Stmt[] } {
  const loops = [nest];
  for (;;) {
    const body = (loops.at(-1) as Loop).body.filter((s) => s.kind !== 'alloc');
    const [only] = body;
    if (only?.kind !== 'loop' || body.length > 1) return { loops, body };
    loops.push(only);
  }
}
/** The same, of a statement that may be none. */
export const loopsOf = (s: Stmt | undefined): readonly Loop[] => (s?.kind === 'loop' ? chainOf(s).loops : []);

/** How far an index moves with an iterator. */
export const coefficient = (e: Expr | undefined, name: string | undefined): number =>
  affine(e ?? num(0)).get(name ?? '')?.coef ?? 0;
/** How far an index moves with a loop; 1 where it does not, as strides and dilations count that do not matter. */
export const stepOf = (e: Expr | undefined, l: Loop | undefined): number =>
  (e !== undefined && l !== undefined && affine(e).get(l.iter)?.coef) || 1;
/** The constant of an index. */
export const constantIn = (e: Expr | undefined): number => affine(e ?? num(0)).get('')?.coef ?? 0;

/** Of a store to y: channels are innermost, or in planes the pixels of a row. */
export function planesOfY({ index }: Store, pixels: Loop | undefined, shape: readonly number[]): Params {
  const inner = index.at(-1);
  const planes = pixels !== undefined && inner !== undefined && itersOf(inner).has(pixels.iter);
  return planes ? { YW: shape.at(-1) ?? 1, N: shape.at(-2) ?? 1, planes: 1 } : {};
}
