/**
 * Finds the constants of an affine requantise form, `clamp((mulhi(scale * acc + offset, mul) + add [+ fix if acc < 0]) >> right)`,
 * and proves them.
 */
import { mulhi } from '../arithmetic.ts';
import { type Memo, recall } from './memo.ts';
import { type Asked, addends, around, type Fit, type Stair, staircase, wanted } from './staircase.ts';

export interface Ask extends Asked {
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
export const fitAffine = (ask: Ask, memo: Memo): Fit | null => recall(memo, JSON.stringify(ask), () => search(ask));

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

/** Largest `add`: half the range, so that adding the product cannot wrap. */
const mostAdd = ({ room }: Ask): number => 2 ** (30 - room);
/** Multipliers tried around the nearest one, before the form is given up. */
const tries = 240;

function fitSteps(ask: Ask, steps: readonly Stair[], fix: number, offset: number): Fit | null {
  const { mult, shift, range, right, scale } = ask;
  const most = mostAdd(ask);
  const nearest = Math.round((mult * 2 ** (right + 1 + shift)) / scale);
  for (const m of around(nearest, tries)) {
    if (m <= 0 || m >= 2 ** 31) continue;
    const [low, high] = addends(steps, range, {
      possible: [-most - fix, most],
      begin: (level) => level * 2 ** right,
      part: (acc) => mulhi(scale * acc + offset, m) + (acc < 0 ? fix : 0),
    });
    if (low <= high) return { mul: m, add: low, fix, offset };
  }
  return null;
}
