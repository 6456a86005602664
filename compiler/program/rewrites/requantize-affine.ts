/** The two-instruction requantise: a form that is proved, per channel and on every reachable accumulator, to equal TFLite's. */
import type { Range } from '../affine.ts';
import { add, bin, clamp, constant, load, num, refuse } from '../build.ts';
import type { Buffer, Expr, Program } from '../program.ts';
import { bufferOf, mapStmts, spanHeld, visitExpr } from '../walk.ts';
import { type Ask, fitAffine } from './affine-fit.ts';
import type { Memo } from './memo.ts';
import { type Reduction, reductionInto, weightsPerBias } from './reduction.ts';
import type { Asked, Fit } from './staircase.ts';
import type { StepOf } from './steps.ts';

/** The product is of 256 * acc, which leaves SMMLA as many bits as a multiplier has. */
const wide = { scale: 256, offsets: [0], room: 0 } as const;

export type Requantize = Expr & { readonly kind: 'requantize' };

/**
 * `requantize(acc)`  ->  `clamp((mulhi(acc << 8, mul[o]) + add[o]) >> s)`, SMMLA and SSAT on an Armv7E-M. With `fix`, fix[o] is
 * added where acc < 0: TFLite rounds halves away from zero, which a zero point in mid-range makes visible.
 */
export function requantizeAffine(p: Program, s: StepOf<'requantizeAffine'>, memo: Memo): Program {
  const node = theRequantize(p, s.acc);
  const bounds = accBounds(p, reductionInto(p, s.acc));
  const { right, asks } = asksFor(p, node, bounds, { ...wide, fixed: s.fix !== undefined });
  const fits = asks.map(
    (ask, o) =>
      fitAffine(ask, memo) ??
      refuse(`no affine form${s.fix === undefined ? ' without fix' : ''} is exact for channel ${o}`),
  );
  const each = (name: string, of: (f: Fit) => number): Buffer => constant(name, [fits.length], fits.map(of));
  return {
    ...p,
    body: mapStmts(p.body, (e) =>
      e.kind === 'requantize' && e.mult.kind === 'load' ? affineForm(e, e.mult.index, right, s) : e,
    ),
    buffers: [
      ...p.buffers,
      each(s.mul, (f) => f.mul),
      each(s.add, (f) => f.add),
      ...(s.fix === undefined ? [] : [each(s.fix, (f) => f.fix)]),
    ],
  };
}

/**
 * What is to be proved for each channel of a requantise whose sums lie in `bounds`, and the shift that all of them share: the
 * largest with which every multiplier fits 31 bits.
 */
export function asksFor(
  p: Program,
  node: Requantize,
  bounds: readonly Range[],
  how: Pick<Ask, 'scale' | 'offsets' | 'room' | 'fixed'>,
): { readonly right: number; readonly asks: readonly Ask[] } {
  const channels = channelsOf(p, node, bounds);
  // A channel that is always the same number fits any shift.
  const moving = channels.filter(({ range: [lo, hi] }) => lo < hi).map((c) => -c.shift);
  const right = Math.min(...(moving.length > 0 ? moving : [0])) + Math.floor(Math.log2(how.scale)) - 1;
  if (right < 0 || right + how.room > 30) refuse(`a shift of ${right} is out of range`);
  return { right, asks: channels.map((c): Ask => ({ ...how, ...c, right })) };
}

/** What a requantise does with each channel's sums, which lie in `bounds`. */
export function channelsOf(
  p: Program,
  { mult, shift, zero, min, max, rounding }: Requantize,
  bounds: readonly Range[],
): readonly Asked[] {
  if (mult.kind !== 'load' || shift.kind !== 'load' || mult.index.length !== 1)
    return refuse('the multiplier is not one a channel');
  const mults = bufferOf(p, mult.buf).values ?? refuse('multipliers must be constants');
  const shifts = bufferOf(p, shift.buf).values ?? refuse('shifts must be constants');
  if (bounds.length !== mults.length || rounding !== 'double')
    refuse('one multiplier a bias, and double rounding, are needed');
  return bounds.map((range, o): Asked => ({ mult: mults[o] ?? 0, shift: shifts[o] ?? 0, zero, min, max, range }));
}

function affineForm(
  { acc, min, max }: Requantize,
  at: readonly Expr[],
  right: number,
  { mul, add: offsets, fix }: StepOf<'requantizeAffine'>,
): Expr {
  const offset = load(offsets, ...at);
  const base = fix === undefined ? offset : add(bin('&', bin('>>', acc, num(31)), load(fix, ...at)), offset);
  return clamp(bin('>>', add(bin('mulhi', bin('<<', acc, num(8)), load(mul, ...at)), base), num(right)), min, max);
}

/** All requantise nodes of the program must be of this accumulator and alike: they are all rewritten. */
export function theRequantize(p: Program, acc: string): Requantize {
  const found: Requantize[] = [];
  mapStmts(p.body, (e) => {
    if (e.kind === 'requantize') found.push(e);
    return e;
  });
  const [node] = found;
  if (node === undefined) return refuse('nothing to requantize');
  const key = (n: Requantize): string =>
    `${n.zero} ${n.min} ${n.max} ${n.rounding} ${n.mult.kind === 'load' ? n.mult.buf : ''}`;
  for (const n of found) {
    if (n.acc.kind !== 'load' || n.acc.buf !== acc || key(n) !== key(node))
      refuse(`not every requantize is of ${acc}, alike`);
    visitExpr(n.mult, (e) =>
      e.kind === 'load' && e.outside !== undefined ? refuse('multiplier with a border') : undefined,
    );
  }
  return node;
}

/** Reachable values of the accumulator, a range a channel, from the actual weights and the dtype of x. */
export function accBounds(p: Program, r: Reduction): readonly Range[] {
  const [lo, hi] = spanHeld(bufferOf(p, r.x.buf));
  const c = r.offset ?? 0;
  const [a, b] = [Math.min(lo, r.x.outside ?? lo) - c, Math.max(hi, r.x.outside ?? hi) - c];
  return weightsPerBias(r).map((places, o) => {
    let [low, high] = [r.bias.values?.[o] ?? 0, r.bias.values?.[o] ?? 0];
    for (const at of places) {
      const w = r.weights.values?.[at] ?? 0;
      low += Math.min(w * a, w * b);
      high += Math.max(w * a, w * b);
    }
    return [low, high] as const;
  });
}
