/** What instructions read off the indices of a nest. */
import { affine } from '../program/affine.ts';
import { num } from '../program/build.ts';
import type { Expr, Loop } from '../program/program.ts';

/** How far an index moves with an iterator. */
export const coefficient = (e: Expr | undefined, name: string | undefined): number =>
  affine(e ?? num(0)).get(name ?? '')?.coef ?? 0;
/** The constant of an index. */
export const constantIn = (e: Expr | undefined): number => affine(e ?? num(0)).get('')?.coef ?? 0;
/** A loop and those that are all it holds, outermost first. */
export function chainOf(nest: Loop): readonly Loop[] {
  const [only, ...more] = nest.body;
  return only?.kind === 'loop' && more.length === 0 ? [nest, ...chainOf(only)] : [nest];
}
