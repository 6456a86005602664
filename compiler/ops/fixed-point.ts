/** TFLite's fixed-point arithmetic beyond a single multiply: multipliers from scales and the nodes that apply them, activation ranges, softmax's exp and 1/x. */

import type { DType } from '../graph/graph.ts';
import { rdmulh, roundingShift } from '../program/arithmetic.ts';
import { type Expr, load } from '../program/index.ts';
import type { Workload } from '../workload.ts';
import { OperatorError } from './operator.ts';
import { rangeOf } from './values.ts';

export interface Multiplier {
  readonly mult: number;
  readonly shift: number;
}

/** TFLite's QuantizeMultiplier: real = mult / 2^31 * 2^shift with mult in [2^30, 2^31). */
export function quantizeMultiplier(real: number): Multiplier {
  if (!(real >= 0 && Number.isFinite(real))) throw new OperatorError(`a rescale by ${real} is out of range`);
  if (real === 0) return { mult: 0, shift: 0 };
  let shift = 0;
  let q = real;
  while (q >= 1) {
    q /= 2;
    shift++;
  }
  while (q < 0.5) {
    q *= 2;
    shift--;
  }
  let mult = Math.round(q * 2 ** 31);
  if (mult === 2 ** 31) {
    mult /= 2;
    shift++;
  }
  if (shift < -31) return { mult: 0, shift: 0 };
  if (shift > 30) throw new OperatorError(`a rescale by ${real} is out of range`);
  return { mult, shift };
}

/** Multipliers as the two constant buffers that programs read. */
export const multiplierConstants = (
  list: readonly Multiplier[],
): { readonly mult: Int32Array; readonly shift: Int32Array } => ({
  mult: Int32Array.from(list, (m) => m.mult),
  shift: Int32Array.from(list, (m) => m.shift),
});

/** Where the multipliers of a `rescale` lie, and what follows it. */
interface Rescale {
  /** Its constant buffers are mult and shift with this after their names. */
  readonly suffix?: string;
  /** Index of the multiplier, e.g. the output channel; none: one for all. */
  readonly at?: readonly Expr[];
  readonly zero?: number;
  readonly min?: number;
  readonly max?: number;
}
/** The requantise node of a workload's rounding; without limits those of int32. */
export const rescale = (w: Workload, acc: Expr, r: Rescale = {}): Expr => ({
  kind: 'requantize',
  acc,
  mult: load(`mult${r.suffix ?? ''}`, ...(r.at ?? [])),
  shift: load(`shift${r.suffix ?? ''}`, ...(r.at ?? [])),
  zero: r.zero ?? 0,
  min: r.min ?? -(2 ** 31),
  max: r.max ?? 2 ** 31 - 1,
  rounding: w.attrs.rounding === 'single' ? 'single' : 'double',
});

const roundAway = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

/** Clamp range of a fused activation in the output's quantized domain. */
export function activationRange(
  activation: string,
  dtype: DType,
  scale: number,
  zero: number,
): readonly [number, number] {
  const [lo, hi] = rangeOf(dtype);
  const q = (real: number): number => zero + roundAway(Math.fround(real / Math.fround(scale)));
  switch (activation) {
    case 'none':
      return [lo, hi];
    case 'relu':
      return [Math.max(lo, q(0)), hi];
    case 'relu6':
      return [Math.max(lo, q(0)), Math.min(hi, q(6))];
    case 'relu_n1_to_1':
      return [Math.max(lo, q(-1)), Math.min(hi, q(1))];
    default:
      throw new OperatorError(`activation ${activation} is not supported`);
  }
}

/** exp(a) for a <= 0 in Q5.26, result in Q0.31 (gemmlowp's exp_on_negative_values). */
export function expNegative(a: number): number {
  if (a === 0) return 2147483647;
  const quarter = 1 << 24;
  const reduced = (a & (quarter - 1)) - quarter;
  const remainder = reduced - a;
  let out = expQuarter(saturatingShift(reduced, 5));
  const barrel = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];
  barrel.forEach((factor, i) => {
    if ((remainder & (1 << (24 + i))) !== 0) out = rdmulh(out, factor);
  });
  return out;
}

/** exp(a) for -1/4 <= a < 0 in Q0.31: a Taylor polynomial around -1/8. */
function expQuarter(a: number): number {
  const constant = 1895147668;
  const third = 715827883;
  const x = (a + (1 << 28)) | 0;
  const x2 = rdmulh(x, x);
  const x3 = rdmulh(x2, x);
  const x4 = rdmulh(x2, x2);
  const tail = roundingShift((rdmulh((roundingShift(x4, 2) + x3) | 0, third) + x2) | 0, 1);
  return Math.min(2147483647, constant + rdmulh(constant, (x + tail) | 0));
}

function saturatingShift(x: number, left: number): number {
  const wide = x * 2 ** left;
  return Math.max(-2147483648, Math.min(2147483647, wide));
}

/** 1 / (1 + a) for a in [0, 1), Q0.31 (gemmlowp's Newton-Raphson with three steps). */
export function oneOverOnePlus(a: number): number {
  const half = Math.floor(a / 2) + 2 ** 30;
  let x = (1515870810 + rdmulh(half, -1010580540)) | 0;
  for (let i = 0; i < 3; i++) x = (x + saturatingShift(rdmulh(x, (1 << 29) - rdmulh(half, x)), 2)) | 0;
  return saturatingShift(x, 1);
}
