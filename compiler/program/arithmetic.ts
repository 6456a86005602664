/** The integer operations of the IR on numbers: exactly what the C text computes. The device's truth in TypeScript. */
import type { Rounding } from '../workload.ts';
import type { BinaryOp } from './program.ts';

/** Bits 63..32 of a product. Doubles are exact here because each partial product stays below 2^53. */
export const mulhi = (a: number, b: number): number =>
  Math.floor(((a >> 16) * b + Math.floor(((a & 0xffff) * b) / 65536)) / 65536) | 0;

/** SaturatingRoundingDoublingHighMul of gemmlowp: round(a * b / 2^31), ties away from zero; only -2^31 * -2^31 saturates. */
export function rdmulh(a: number, b: number): number {
  if (a === -2147483648 && b === -2147483648) return 2147483647;
  const hi = Math.floor(((a >> 16) * b + Math.floor(((a & 0xffff) * b) / 65536)) / 32768);
  // hi = floor(a*b / 2^31). The reference adds the nudge 2^30 (or 1 - 2^30 below zero) and truncates towards zero, which
  // is floor(x + 1/2) above and ceil(x - 1/2 + 2^-31) below: ties go up there too.
  const low = (Math.imul(a, b) >>> 0) % 2147483648;
  return low >= 1073741824 ? (hi + 1) | 0 : hi | 0;
}

/** RoundingDivideByPOT of gemmlowp: round(x / 2^e), ties away from zero. */
export function roundingShift(x: number, e: number): number {
  if (e === 0) return x;
  const mask = e >= 31 ? 0x7fffffff : (1 << e) - 1;
  const threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> e) + ((x & mask) > threshold ? 1 : 0);
}

/** TFLite's MultiplyByQuantizedMultiplier, in its two roundings. shift > 0 is to the left. */
export function multiplyQuantized(acc: number, mult: number, shift: number, rounding: Rounding): number {
  if (rounding === 'double') return roundingShift(rdmulh(acc << (shift > 0 ? shift : 0), mult), shift > 0 ? 0 : -shift);
  const total = 31 - shift;
  return Number(BigInt.asIntN(32, (BigInt(acc) * BigInt(mult) + (1n << BigInt(total - 1))) >> BigInt(total)));
}

export const clamp = (v: number, lo: number, hi: number): number => (v < lo ? lo : v > hi ? hi : v);

export function apply(op: BinaryOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return (a + b) | 0;
    case '-':
      return (a - b) | 0;
    case '*':
      return Math.imul(a, b);
    case '<<':
      return a << b;
    case '>>':
      return a >> b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    case 'div':
      return b === 0 ? 0 : Math.trunc(a / b) | 0;
    case 'mulhi':
      return mulhi(a, b);
    case 'rdmulh':
      return rdmulh(a, b);
  }
}

/** clamp(round_half_away(value / scale) + zero), in float32 as TFLite's reference does. NaN gives min. */
export function quantize(value: number, scale: number, zero: number, min: number, max: number): number {
  const x = Math.fround(value / Math.fround(scale));
  if (Number.isNaN(x)) return min;
  const rounded = Math.sign(x) * Math.floor(Math.abs(x) + 0.5);
  return clamp(rounded + zero, min, max);
}
export const dequantize = (value: number, scale: number, zero: number): number =>
  Math.fround(Math.fround(scale) * (value - zero));
