/** scaleProduct: the affine requantise of requantize-affine.ts for a product of two bytes: MUL, which has no sum and one multiplier. */
import type { Range } from '../affine.ts';
import { add, bin, clamp, num, refuse } from '../build.ts';
import type { Expr, Program } from '../program.ts';
import { buffersOf, mapStmts, spanOf } from '../walk.ts';
import { fitAffine } from './affine-fit.ts';
import type { Table } from './evaluate.ts';
import type { Memo } from './memo.ts';
import { withoutOffset } from './reduction.ts';
import type { Requantize } from './requantize-affine.ts';
import type { Fit } from './staircase.ts';

/** A product is less than 2^16: shifted by this it fills a word, so that SMMLA loses none of the multiplier's bits. */
const scaled = 15;

/**
 * `y = requantize((x - a) * (z - b))`  ->  `y = clamp((mulhi(((x - a) * (z - b)) << 15, mul) + add [+ fix if negative]) >> s)`, when
 * that is the same for every product that lies between the smallest and the largest.
 */
export function scaleProduct(p: Program, memo: Memo): Program {
  const table = new Map(buffersOf(p).map((b) => [b.name, b]));
  let found = 0;
  const body = mapStmts(p.body, (e) => {
    const range = e.kind === 'requantize' ? productRange(e.acc, table) : undefined;
    if (e.kind !== 'requantize' || range === undefined) return e;
    found++;
    return formOf(e, range, table, memo);
  });
  if (found === 0) refuse('nothing is a product of two bytes');
  return { ...p, body };
}

/** Smallest and largest product of two bytes with offsets; undefined where the expression is none. */
function productRange(e: Expr, table: Table): Range | undefined {
  if (e.kind !== 'binary' || e.op !== '*') return undefined;
  const [a, b] = [factorRange(e.a, table), factorRange(e.b, table)];
  if (a === undefined || b === undefined) return undefined;
  const ends = a.flatMap((x) => b.map((y) => x * y));
  return [Math.min(...ends), Math.max(...ends)];
}
function factorRange(e: Expr, table: Table): Range | undefined {
  const [byte, offset = 0] = withoutOffset(e);
  const dtype = byte.kind === 'load' && byte.outside === undefined ? table.get(byte.buf)?.dtype : undefined;
  if (dtype !== 'i8' && dtype !== 'u8') return undefined;
  const [low, high] = spanOf(dtype);
  return [low - offset, high - offset];
}

function formOf(e: Requantize, range: Range, table: Table, memo: Memo): Expr {
  const value = (of: Expr): number =>
    (of.kind === 'load' ? table.get(of.buf)?.values?.[0] : undefined) ?? refuse('the multiplier is not one constant');
  const [mult, shift] = [value(e.mult), value(e.shift)];
  if (e.rounding !== 'double') refuse('double rounding is needed');
  const right = scaled - 1 - shift;
  if (right < 0 || right > 30) refuse(`a shift of ${right} is out of range`);
  const { zero, min, max } = e;
  const ask = { mult, shift, zero, min, max, range, right, scale: 2 ** scaled, offsets: [0], room: 0 };
  const fit: Fit =
    fitAffine({ ...ask, fixed: false }, memo) ??
    fitAffine({ ...ask, fixed: true }, memo) ??
    refuse('no affine form is exact for every product');
  const base = fit.fix === 0 ? num(fit.add) : add(bin('&', bin('>>', e.acc, num(31)), num(fit.fix)), num(fit.add));
  return clamp(bin('>>', add(bin('mulhi', bin('<<', e.acc, num(scaled)), num(fit.mul)), base), num(right)), min, max);
}
