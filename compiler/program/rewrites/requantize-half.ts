/**
 * requantizeHalf: what is stored of a sum of bytes that fits 16 bits, as one multiplication whose result lies in the upper half of
 * a word, so that two can be made at once. Proved on every sum that can be reached, whatever the steps were: a mean's rescale, an
 * average's division. Where sums of both signs are rescaled with two roundings, halves go away from zero on both sides, and no
 * single line may do.
 */
import { add, bin, clamp, load, num, refuse, sub } from '../build.ts';
import type { Expr, Loop, Program, Store } from '../program.ts';
import { show } from '../show.ts';
import { accesses, bufferOf, buffersOf, mapStmts, spanOf, storesIn, visitExpr } from '../walk.ts';
import { bareValue, evaluator } from './evaluate.ts';
import { type Memo, recall } from './memo.ts';
import { around } from './staircase.ts';
import type { StepOf } from './steps.ts';

/** Two numbers and the limits of an unsigned byte. */
export interface HalfScale {
  readonly m: number;
  readonly add: number;
  readonly low: number;
  readonly high: number;
}
/** clamp(((acc*m >> 16) + add) >> 16) - 128: the product has more than a word, mulhi gives the part that counts. */
export function halfScaled(acc: Expr, { m, add: offset, low, high }: HalfScale): Expr {
  const product = bin('mulhi', bin('<<', acc, num(16)), num(m));
  return sub(clamp(bin('>>', add(product, num(offset)), num(16)), low, high), num(128));
}

/**
 * `acc = 0; acc += x - c; y = f(acc)`  ->  `acc = 0; acc += x; y = clamp(((acc*m >> 16) + add) >> 16) - 128`, when that is the
 * same for every sum that so many bytes can make, and all of them fit 16 bits.
 */
export function requantizeHalf(p: Program, { acc }: StepOf<'requantizeHalf'>, memo: Memo): Program {
  const sum = sumInto(p, acc);
  const stored = (s: Store): boolean => s.buf !== acc && reads(s.value, acc);
  const [only, ...more] = storesIn(p.body).filter(stored);
  if (only === undefined || more.length > 0) return refuse(`${acc} is not stored once`);
  const { value, loads } = bareValue(only.value, new Map(buffersOf(p).map((b) => [b.name, b])), [acc]);
  if (loads.length > 1 || loads[0]?.buf !== acc) return refuse(`what is stored depends on more than ${acc}`);
  const key = `half ${acc} ${show(value)} ${sum.range} ${sum.terms * sum.offset}`;
  const form = recall(memo, key, () => prove(value, acc, sum)) ?? refuse('no multiplication is exact on every sum');
  const body = mapStmts(
    p.body,
    (e) => e,
    (s) => {
      if (s.kind === 'store' && s.buf === acc && s.reduce === '+') return [{ ...s, value: sum.term }];
      return [s.kind === 'store' && stored(s) ? { ...s, value: halfScaled(load(acc), form) } : s];
    },
  );
  return { ...p, body };
}

/** The form of a value of `acc`, which is a sum less its offsets. */
function prove(value: Expr, acc: string, { range: [lo, hi], terms, offset }: Sum): HalfScale | undefined {
  const taken = terms * offset;
  const of = evaluator(value, [{ name: acc, span: [lo - taken, hi - taken] }]);
  const wanted = Int32Array.from({ length: hi - lo + 1 }, (_, i) => of(lo + i - taken, 0));
  return fitHalf(wanted, lo);
}

function reads(e: Expr, buf: string): boolean {
  let found = false;
  visitExpr(e, (l) => {
    found ||= l.kind === 'load' && l.buf === buf;
  });
  return found;
}

/** A sum of bytes, each less `offset`: how many, the byte, and what they can come to without the offset. */
interface Sum {
  readonly terms: number;
  readonly offset: number;
  readonly term: Expr;
  readonly range: readonly [number, number];
}
function sumInto(p: Program, acc: string): Sum {
  const around = (how: 'write' | 'reduce'): readonly Loop[] =>
    accesses(p.body).find((a) => a.buf === acc && a.how === how)?.loops ?? [];
  const [first, added, ...more] = storesIn(p.body).filter((s) => s.buf === acc);
  if (first?.value.kind !== 'const' || first.value.value !== 0 || added?.reduce !== '+' || more.length > 0)
    return refuse(`${acc} is not one sum that begins at 0`);
  const [term, offset] = termOf(added.value);
  if (first.reduce !== undefined || bufferOf(p, acc).shape.length > 0) return refuse(`${acc} is not one number`);
  if (term.kind !== 'load' || bufferOf(p, term.buf).dtype !== 'i8') return refuse(`${acc} is no sum of bytes`);
  const over = (loops: readonly Loop[]): number => loops.reduce((n, l) => n * l.extent, 1);
  const terms = over(around('reduce')) / over(around('write'));
  const [low, high] = spanOf('i8').map((end, i) => terms * (i === 0 ? Math.min : Math.max)(end, term.outside ?? end));
  if (low === undefined || high === undefined || low < -(2 ** 15) || high >= 2 ** 15)
    return refuse(`${terms} bytes do not fit 16 bits`);
  return { terms, offset, term, range: [low, high] };
}
const termOf = (e: Expr): readonly [Expr, number] =>
  e.kind === 'binary' && e.op === '-' && e.b.kind === 'const' ? [e.a, e.b.value] : [e, 0];

/** Where results step up: the first sum whose result is at least `level`. */
interface Stair {
  readonly level: number;
  readonly first: number;
}
/** The form for results by sum, from `lo` on; undefined where none was found. Without limits if it can be. */
function fitHalf(wanted: Int32Array, lo: number): HalfScale | undefined {
  const [least, most] = [wanted[0] as number, wanted.at(-1) as number];
  if (least < -128 || most > 127) return undefined;
  const stairs: Stair[] = [];
  for (let i = 1; i < wanted.length; i++) {
    const [before, now] = [wanted[i - 1] as number, wanted[i] as number];
    if (now < before) return undefined;
    for (let level = before + 1; level <= now; level++) stairs.push({ level, first: lo + i });
  }
  const ends = [
    ...(least > -128 ? [{ level: least, first: lo }] : []),
    ...(most < 127 ? [{ level: most + 1, first: lo + wanted.length }] : []),
  ];
  const open = { low: 0, high: 255 };
  const limits = { low: least + 128, high: most + 128 };
  return search([...stairs, ...ends], lo, wanted.length, open) ?? search(stairs, lo, wanted.length, limits);
}

/** Multipliers around the best one that are tried: products are rounded down, which fits by luck here and there. */
const reach = 64;
function search(
  stairs: readonly Stair[],
  lo: number,
  length: number,
  limits: Pick<HalfScale, 'low' | 'high'>,
): HalfScale | undefined {
  const best = Math.round(steepest(stairs, lo, length) * 2 ** 32);
  for (const m of around(best, 2 * reach + 1)) {
    if (m < 0 || m >= 2 ** 31) continue;
    const [low, high] = offsets(stairs, lo, length, (sum) => Math.floor((sum * m) / 65536), 1);
    // 128 more: the limits are those of an unsigned byte. Nothing leaves the upper half word.
    if (low <= high && Math.max(Math.abs(low), Math.abs(high)) < 2 ** 29)
      return { m, add: Math.floor((low + high) / 2) + 128 * 65536, ...limits };
  }
  return undefined;
}

/** The offsets that step up where the stairs do, and the sums at which the interval ends; empty where low > high. */
function offsets(
  stairs: readonly Stair[],
  lo: number,
  length: number,
  product: (sum: number) => number,
  unit: number,
): readonly [number, number, number, number] {
  let [low, high, lowest, highest] = [-(2 ** 29), 2 ** 29, 0, 0];
  for (const { level, first } of stairs) {
    const from = level * 65536;
    if (first < lo + length && from - product(first) > low) [low, lowest] = [from - product(first), first];
    if (first > lo && from - unit - product(first - 1) < high)
      [high, highest] = [from - unit - product(first - 1), first - 1];
  }
  return [low, high, lowest, highest];
}

/** The slope with the longest interval of offsets: it is concave in the slope, and its ends tell on which side the best one lies. */
function steepest(stairs: readonly Stair[], lo: number, length: number): number {
  let [from, to] = [0, 0.5];
  for (let round = 0; round < 50; round++) {
    const slope = (from + to) / 2;
    const [, , lowest, highest] = offsets(stairs, lo, length, (sum) => sum * slope * 65536, 0);
    if (lowest > highest) from = slope;
    else to = slope;
  }
  return (from + to) / 2;
}
