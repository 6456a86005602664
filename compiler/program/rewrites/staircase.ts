/**
 * TFLite's requantise as a staircase, and what all searches for a cheaper form share. Both rise with the sum, so they are equal
 * everywhere if they step up at the same sums: a form is proved, and its addend found, at two sums a step.
 */
import type { Range } from '../affine.ts';
import { clamp, multiplyQuantized } from '../arithmetic.ts';

/** What TFLite does with a sum, and the sums that can be reached. */
export interface Asked {
  readonly mult: number;
  readonly shift: number;
  readonly zero: number;
  readonly min: number;
  readonly max: number;
  readonly range: Range;
}
/** The constants of a form. */
export interface Fit {
  readonly mul: number;
  readonly add: number;
  readonly fix: number;
  readonly offset: number;
}

/** What TFLite's own steps make of a sum. */
export const wanted = ({ mult, shift, zero, min, max }: Asked, acc: number): number =>
  clamp(multiplyQuantized(acc, mult, shift, 'double') + zero, min, max);

export interface Stair {
  readonly level: number;
  /** Largest reachable sum whose output is below `level`; range[0] - 1 if none is. */
  readonly under: number;
}
export function staircase(ask: Asked): readonly Stair[] {
  const { min, max, range } = ask;
  const out: Stair[] = [];
  let from = range[0] - 1;
  for (let level = min + 1; level <= max; level++) {
    let [a, b] = [from, range[1]];
    while (a < b) {
      const middle = Math.ceil((a + b) / 2);
      if (wanted(ask, middle) < level) a = middle;
      else b = middle - 1;
    }
    from = a;
    out.push({ level, under: from });
  }
  return out;
}

/** A form that reaches a level where part(sum) + addend >= begin(level). */
interface Form {
  /** Addends that leave no word. */
  readonly possible: Range;
  begin(level: number): number;
  part(sum: number): number;
}
/** Smallest and largest addend with which a form steps up at these stairs; none where the first is the larger. */
export function addends(stairs: readonly Stair[], [lo, hi]: Range, { possible, begin, part }: Form): Range {
  let [low, high] = possible;
  for (const { level, under } of stairs) {
    const from = begin(level);
    if (under < hi) low = Math.max(low, from - part(under + 1));
    if (under >= lo) high = Math.min(high, from - 1 - part(under));
    if (low > high) break;
  }
  return [low, high];
}

/** So many whole numbers around one, the nearest first. */
export function* around(middle: number, count: number, step = 1): Generator<number> {
  for (let j = 0; j < count; j++) yield middle + step * (j % 2 === 1 ? (j + 1) / 2 : -j / 2);
}

/** The constants of channel after channel, up to the first that finds none. */
export function fitsOf<C>(channels: readonly C[], find: (c: C) => Fit | null): readonly Fit[] {
  const fits: Fit[] = [];
  for (const c of channels) {
    const found = find(c);
    if (found === null) break;
    fits.push(found);
  }
  return fits;
}
