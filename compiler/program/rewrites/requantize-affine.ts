/** The two-instruction requantise: a form that is proved, per channel and on every reachable accumulator, to equal TFLite's. */
import { clamp as limit, mulhi, multiplyQuantized } from '../arithmetic.ts';
import { add, bin, clamp, load, num, refuse } from '../build.ts';
import type { Buffer, Expr, Program } from '../program.ts';
import { bufferOf, mapStmts, spanOf, visitExpr } from '../walk.ts';
import { type Reduction, reductionInto, weightsPerBias } from './reduction.ts';
import type { StepOf } from './steps.ts';

/** Results of proofs by what they were asked, so that candidates of one task do not repeat them. The caller owns it. */
export type Memo = Map<string, Fit | null>;
export interface Fit {
  readonly mul: number;
  readonly add: number;
  readonly fix: number;
}
type Requantize = Expr & { readonly kind: 'requantize' };

/**
 * `requantize(acc)`  ->  `clamp((mulhi(acc << 8, mul[o]) + add[o]) >> s)`, SMMLA and SSAT on an Armv7E-M. With `fix`, fix[o] is
 * added where acc < 0: TFLite rounds halves away from zero, which a zero point in mid-range makes visible.
 */
export function requantizeAffine(p: Program, s: StepOf<'requantizeAffine'>, memo: Memo): Program {
  const node = theRequantize(p, s.acc);
  const { right, asks } = asksOf(p, s, node);
  const fits = asks.map((ask, o) => {
    const key = JSON.stringify(ask);
    const known = memo.get(key);
    const fit = known === undefined ? search(ask) : known;
    memo.set(key, fit);
    return fit ?? refuse(`no affine form${s.fix === undefined ? ' without fix' : ''} is exact for channel ${o}`);
  });
  const constant = (name: string, of: (f: Fit) => number): Buffer => ({
    name,
    dtype: 'i32',
    shape: [fits.length],
    space: 'const',
    values: Int32Array.from(fits, of),
  });
  return {
    ...p,
    body: mapStmts(p.body, (e) =>
      e.kind === 'requantize' && e.mult.kind === 'load' ? affineForm(e, e.mult.index, right, s) : e,
    ),
    buffers: [
      ...p.buffers,
      constant(s.mul, (f) => f.mul),
      constant(s.add, (f) => f.add),
      ...(s.fix === undefined ? [] : [constant(s.fix, (f) => f.fix)]),
    ],
  };
}

/** What is to be proved for each channel, and the shift that all of them share. */
function asksOf(
  p: Program,
  s: StepOf<'requantizeAffine'>,
  node: Requantize,
): { readonly right: number; readonly asks: readonly Ask[] } {
  const { mult, shift, zero, min, max } = node;
  if (mult.kind !== 'load' || shift.kind !== 'load' || mult.index.length !== 1)
    return refuse('the multiplier is not one a channel');
  const mults = bufferOf(p, mult.buf).values ?? refuse('multipliers must be constants');
  const shifts = bufferOf(p, shift.buf).values ?? refuse('shifts must be constants');
  const bounds = accBounds(p, reductionInto(p, s.acc));
  if (bounds.length !== mults.length || node.rounding !== 'double')
    refuse('one multiplier a bias, and double rounding, are needed');
  // A channel that is always the same number fits any shift.
  const moving = bounds.flatMap(([lo, hi], o) => (lo < hi ? [-(shifts[o] ?? 0)] : []));
  const right = Math.min(...(moving.length > 0 ? moving : [0])) + 7;
  if (right < 0 || right > 30) refuse(`a shift of ${right} is out of range`);
  const fixed = s.fix !== undefined;
  const asks = bounds.map(
    (range, o): Ask => ({ mult: mults[o] ?? 0, shift: shifts[o] ?? 0, zero, min, max, range, right, fixed }),
  );
  return { right, asks };
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
function theRequantize(p: Program, acc: string): Requantize {
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
function accBounds(p: Program, r: Reduction): readonly (readonly [number, number])[] {
  const [lo, hi] = spanOf(bufferOf(p, r.x.buf).dtype);
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

interface Ask {
  readonly mult: number;
  readonly shift: number;
  readonly zero: number;
  readonly min: number;
  readonly max: number;
  readonly range: readonly [number, number];
  readonly right: number;
  readonly fixed: boolean;
}

function search(ask: Ask): Fit | null {
  const [lo, hi] = ask.range;
  const steady = wanted(ask, lo) * 2 ** ask.right;
  if (lo === hi) return Math.abs(steady) <= mostAdd ? { mul: 0, add: steady, fix: 0 } : null;
  if (ask.shift > 0 || Math.max(-ask.range[0], ask.range[1]) >= 2 ** 23 || ask.mult <= 0) return null;
  const steps = staircase(ask);
  // Never positive, so that the form still rises with acc.
  const fixes = ask.fixed ? [-Math.round(2 ** (ask.right + ask.shift)), -1, 0] : [0];
  for (const fix of fixes) {
    const fit = fitSteps(ask, steps, fix);
    if (fit !== null) return fit;
  }
  return null;
}

/** What TFLite's own steps make of an accumulator. */
const wanted = ({ mult, shift, zero, min, max }: Ask, acc: number): number =>
  limit(multiplyQuantized(acc, mult, shift, 'double') + zero, min, max);

interface Stair {
  readonly level: number;
  /** Largest reachable acc whose output is below `level`; range[0] - 1 if none is. */
  readonly under: number;
}
/** Where the reference steps up: both sides rise with acc, so equality at these steps is equality everywhere. */
function staircase(ask: Ask): readonly Stair[] {
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
const mostAdd = 2 ** 30;
/** Multipliers tried around the nearest one, before the form is given up. */
const tries = 240;

function fitSteps({ mult, shift, range, right }: Ask, steps: readonly Stair[], fix: number): Fit | null {
  const nearest = Math.round(mult * 2 ** (right - 7 + shift));
  for (let j = 0; j < tries; j++) {
    const m = nearest + (j % 2 === 1 ? (j + 1) / 2 : -j / 2);
    if (m <= 0 || m >= 2 ** 31) continue;
    const part = (acc: number): number => mulhi(256 * acc, m) + (acc < 0 ? fix : 0);
    let [low, high] = [-mostAdd, mostAdd];
    for (const { level, under } of steps) {
      if (under < range[1]) low = Math.max(low, level * 2 ** right - part(under + 1));
      if (under >= range[0]) high = Math.min(high, level * 2 ** right - 1 - part(under));
      if (low > high) break;
    }
    if (low <= high) return { mul: m, add: low, fix };
  }
  return null;
}
