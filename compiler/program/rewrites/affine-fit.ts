/**
 * Finds the constants of an affine requantise form, `clamp((mulhi(scale * acc + offset, mul) + add [+ fix if acc < 0]) >> right)`,
 * and proves them: TFLite's result and the form both rise with acc, so they are equal everywhere if they step up at the same
 * accumulators.
 */
import { clamp as limit, mulhi, multiplyQuantized } from '../arithmetic.ts';

/** Results of proofs by what they were asked, so that candidates of one task do not repeat them. The caller owns it. */
export type Memo = Map<string, Fit | null>;
export interface Fit {
  readonly mul: number;
  readonly add: number;
  readonly fix: number;
  readonly offset: number;
}
/** What TFLite does with a sum, and the sums that can be reached. */
export type Asked = Pick<Ask, 'mult' | 'shift' | 'zero' | 'min' | 'max' | 'range'>;
export interface Ask {
  readonly mult: number;
  readonly shift: number;
  readonly zero: number;
  readonly min: number;
  readonly max: number;
  readonly range: readonly [number, number];
  readonly right: number;
  readonly fixed: boolean;
  /** What is multiplied is scale * acc + offset; an offset is below scale, and finer than a step of acc. */
  readonly scale: number;
  /** Offsets to try, cheapest first. */
  readonly offsets: readonly number[];
  /** Bits that sum and product are shifted left by in some places, and must not lose there. */
  readonly room: number;
}

/** The constants that are exact on all of `range`, or null where none were found. */
export function fitAffine(ask: Ask, memo: Memo): Fit | null {
  const key = JSON.stringify(ask);
  const known = memo.get(key);
  const fit = known === undefined ? search(ask) : known;
  memo.set(key, fit);
  return fit;
}

function search(ask: Ask): Fit | null {
  const [lo, hi] = ask.range;
  const steady = wanted(ask, lo) * 2 ** ask.right;
  if (lo === hi) return Math.abs(steady) <= mostAdd(ask) ? { mul: 0, add: steady, fix: 0, offset: 0 } : null;
  const most = (Math.max(-lo, hi) + 1) * ask.scale * 2 ** ask.room;
  if (ask.shift > 0 || most > 2 ** 31 || ask.mult <= 0) return null;
  const steps = staircase(ask);
  // Never positive, so that the form still rises with acc.
  const fixes = ask.fixed ? [-Math.round(2 ** (ask.right + ask.shift)), -1, 0] : [0];
  for (const fix of fixes) {
    for (const offset of ask.offsets) {
      const fit = fitSteps(ask, steps, fix, offset);
      if (fit !== null) return fit;
    }
  }
  return null;
}

/** What TFLite's own steps make of an accumulator. */
export const wanted = ({ mult, shift, zero, min, max }: Steps, acc: number): number =>
  limit(multiplyQuantized(acc, mult, shift, 'double') + zero, min, max);

/** The steps that a requantise makes, and where they are asked about. */
export type Steps = Pick<Ask, 'mult' | 'shift' | 'zero' | 'min' | 'max' | 'range'>;
export interface Stair {
  readonly level: number;
  /** Largest reachable acc whose output is below `level`; range[0] - 1 if none is. */
  readonly under: number;
}
/** Where the reference steps up: both sides rise with acc, so equality at these steps is equality everywhere. */
export function staircase(ask: Steps): readonly Stair[] {
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

/** Largest `add`: half the range, so that adding the product cannot wrap. */
const mostAdd = ({ room }: Ask): number => 2 ** (30 - room);
/** Multipliers tried around the nearest one, before the form is given up. */
const tries = 240;

function fitSteps(ask: Ask, steps: readonly Stair[], fix: number, offset: number): Fit | null {
  const { mult, shift, range, right, scale } = ask;
  const most = mostAdd(ask);
  const nearest = Math.round((mult * 2 ** (right + 1 + shift)) / scale);
  for (let j = 0; j < tries; j++) {
    const m = nearest + (j % 2 === 1 ? (j + 1) / 2 : -j / 2);
    if (m <= 0 || m >= 2 ** 31) continue;
    const part = (acc: number): number => mulhi(scale * acc + offset, m) + (acc < 0 ? fix : 0);
    let [low, high] = [-most - fix, most];
    for (const { level, under } of steps) {
      if (under < range[1]) low = Math.max(low, level * 2 ** right - part(under + 1));
      if (under >= range[0]) high = Math.min(high, level * 2 ** right - 1 - part(under));
      if (low > high) break;
    }
    if (low <= high) return { mul: m, add: low, fix, offset };
  }
  return null;
}
