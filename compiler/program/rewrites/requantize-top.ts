/**
 * The cheapest requantise form: the sum enters it with 8 bits below the point, and rounding, zero point and offset are in what is
 * added to it once. Must stay true: it is exact on every reachable sum, proved per channel, or it is refused.
 */
import type { Range } from '../affine.ts';
import { add, bin, clamp, constant, load, num, refuse } from '../build.ts';
import type { Buffer, Expr, Program } from '../program.ts';
import { mapStmts } from '../walk.ts';
import { type Memo, recall } from './memo.ts';
import { reductionInto } from './reduction.ts';
import { accBounds, channelsOf, theRequantize } from './requantize-affine.ts';
import { type Asked, addends, around, type Fit, fitsOf, type Stair, staircase } from './staircase.ts';
import type { StepOf } from './steps.ts';

/**
 * `requantize(acc)`  ->  `clamp(mulhi((acc << 8) + add[o], mul[o]) >> s)`: SMMUL and SSAT, where a kernel begins its sum with
 * (bias << 8) + add. Fits where one sign of the result is visible (fused ReLU): there TFLite's two roundings are one staircase.
 */
export function requantizeTop(p: Program, s: StepOf<'requantizeTop'>, memo: Memo): Program {
  const node = theRequantize(p, s.acc);
  const channels = channelsOf(p, node, accBounds(p, reductionInto(p, s.acc)));
  const { right, fits } = fitLayer(channels, memo) ?? refuse(`no top form of one shift is exact for all channels`);
  const each = (name: string, of: (f: Fit) => number): Buffer => constant(name, [fits.length], fits.map(of));
  const form = (acc: Expr, at: readonly Expr[]): Expr =>
    bin('mulhi', add(bin('<<', acc, num(8)), load(s.add, ...at)), load(s.mul, ...at));
  return {
    ...p,
    body: mapStmts(p.body, (e) =>
      e.kind === 'requantize' && e.mult.kind === 'load'
        ? clamp(bin('>>', form(e.acc, e.mult.index), num(right)), e.min, e.max)
        : e,
    ),
    buffers: [...p.buffers, each(s.mul, (f) => f.mul), each(s.add, (f) => f.add)],
  };
}

/** Shifts tried below the largest: a coarser multiplier now and then fits where a finer one does not. */
const shiftsTried = 8;
/** An immediate of SSAT; above it a channel that is always -128 finds no sum low enough. */
const mostShift = 23;

/** One shift for all channels, as large as their multipliers allow, and the constants of each. */
function fitLayer(
  channels: readonly Asked[],
  memo: Memo,
): { readonly right: number; readonly fits: readonly Fit[] } | undefined {
  const moving = channels.filter(({ range }) => range[0] < range[1]);
  const most = Math.min(mostShift, ...moving.map((c) => 7 - c.shift));
  for (let right = most; right >= Math.max(0, most - shiftsTried); right--) {
    const fits = fitsOf(channels, (c) => recall(memo, `top ${right} ${JSON.stringify(c)}`, () => fitTop(c, right)));
    if (fits.length === channels.length) return { right, fits };
  }
  return undefined;
}

/** Multipliers tried on each side of the nearest one. */
const slopes = 750;

/** Constants with which `mulhi(256 * acc + add, mul) >> right`, clamped, is TFLite's on all of the range; null where none were found. */
export function fitTop(c: Asked, right: number): Fit | null {
  const stairs = staircase(c);
  const crossed = stairs.filter(({ under }) => under >= c.range[0] && under < c.range[1]);
  for (const mul of multipliers(c, right, crossed)) {
    const [low, high] = offsets(c, stairs, mul, right);
    if (low <= high) return { mul, add: Math.floor((low + high) / 2), fix: 0, offset: 0 };
  }
  return null;
}

function multipliers(c: Asked, right: number, crossed: readonly Stair[]): readonly number[] {
  // An output that never changes leaves the multiplier free: the larger, the further the offset carries.
  if (crossed.length === 0) return Array.from({ length: 31 }, (_, n) => 2 ** (31 - n) - 1);
  const nearest = Math.round(c.mult * 2 ** (c.shift + right - 7));
  const far = Math.max(1, ...crossed.map(({ under }) => Math.abs(under)));
  // The slopes between the outermost move the furthest step by an eighth of a sum each way.
  const step = Math.max(1, Math.round(nearest / (8 * far) / slopes));
  return [...around(nearest, 2 * slopes + 1, step)].filter((m) => m > 0 && m < 2 ** 31);
}

/** Smallest and largest `add`: the form reaches `level` exactly if 256 * acc + add >= level * 2^(32 + right) / mul. */
function offsets({ range }: Asked, stairs: readonly Stair[], mul: number, right: number): Range {
  const [lo, hi] = range;
  return addends(stairs, range, {
    // The sum with its offset stays an int32, and so does the offset.
    possible: [Math.max(-(2 ** 31), -(2 ** 31) - 256 * lo), Math.min(2 ** 31 - 1, 2 ** 31 - 1 - 256 * hi)],
    begin: (level) => ceilDivide(level * 2 ** (32 + right), mul),
    part: (acc) => 256 * acc,
  });
}

/** ceil(a / b), exact: a quotient that rounds to an integer may lie on either side of it. */
function ceilDivide(a: number, b: number): number {
  const q = a / b;
  if (!Number.isInteger(q) || Math.abs(q) >= 2 ** 52) return Math.ceil(q);
  return BigInt(q) * BigInt(b) < BigInt(a) ? q + 1 : q;
}
