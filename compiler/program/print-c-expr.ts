/**
 * Expressions as C. Values wrap modulo 2^32 in the IR, so a plain operator is printed only where the operands' ranges show
 * that it cannot overflow; elsewhere the runtime's wrapping functions stand (compiler/emit/runtime/).
 */

import type { Packing } from '../instructions/packings/index.ts';
import { affine, extent, flat } from './affine.ts';
import { bin, num } from './build.ts';
import { packingIn, position } from './layouts.ts';
import type { Buffer, DType, Expr, Loop } from './program.ts';

export const ctypes: Readonly<Record<DType, string>> = {
  i8: 'int8_t',
  u8: 'uint8_t',
  i16: 'int16_t',
  i32: 'int32_t',
  f32: 'float',
};

export type Range = readonly [number, number];

/** What an expression needs to know of the place where it stands. */
export interface Scope {
  readonly loops: readonly Loop[];
  buffer(name: string): Buffer;
  /** Values that an element of it can have. */
  span(b: Buffer): Range;
  /** The C name of a buffer's cell: `acc_0_1` for a scalarised one, else undefined. */
  scalar(name: string, index: readonly Expr[]): string | undefined;
  /** The C name of a whole buffer. */
  name(buf: string): string;
}

const whole: Range = [-2147483648, 2147483647];
const fits = ([lo, hi]: Range): boolean => lo >= whole[0] && hi <= whole[1];

/** Smallest and largest of a constant's values. */
export function rangeOfValues(values: Int32Array): Range {
  let [lo, hi] = [values[0] ?? 0, values[0] ?? 0];
  for (const v of values) {
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  return [lo, hi];
}

/** A range that holds every value of `e`, from dtypes, constants and loop extents alone; never outside int32. */
function rangeOf(e: Expr, s: Scope): Range {
  const exact = unboundedRange(e, s);
  return fits(exact) ? exact : whole;
}

function unboundedRange(e: Expr, s: Scope): Range {
  switch (e.kind) {
    case 'const':
      return [e.value, e.value];
    case 'iter':
      return extent(e, s.loops) ?? whole;
    case 'load': {
      const [lo, hi] = s.span(s.buffer(e.buf));
      return e.outside === undefined ? [lo, hi] : [Math.min(lo, e.outside), Math.max(hi, e.outside)];
    }
    case 'clz':
      return [0, 32];
    case 'requantize':
    case 'quantize':
      return [e.min, e.max];
    case 'dequantize':
      return whole;
    case 'binary':
      return binaryRange(e.op, rangeOf(e.a, s), rangeOf(e.b, s));
  }
}

function binaryRange(op: (Expr & { kind: 'binary' })['op'], a: Range, b: Range): Range {
  switch (op) {
    case '+':
      return [a[0] + b[0], a[1] + b[1]];
    case '-':
      return [a[0] - b[1], a[1] - b[0]];
    case '*': {
      const corners = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]];
      return [Math.min(...corners), Math.max(...corners)];
    }
    case '<<':
      return b[0] === b[1] && b[0] >= 0 && b[0] < 31 ? [a[0] * 2 ** b[0], a[1] * 2 ** b[0]] : [-Infinity, Infinity];
    case '>>':
      return b[0] === b[1] && b[0] >= 0 && b[0] < 32
        ? [a[0] >> b[0], a[1] >> b[0]]
        : [Math.min(a[0], 0, a[0] >> 31), Math.max(a[1], 0)];
    case '&':
      return a[0] >= 0 ? [0, a[1]] : b[0] >= 0 ? [0, b[1]] : whole;
    case 'min':
      return [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
    case 'max':
      return [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
    case '|':
    case '^':
    case 'div':
    case 'mulhi':
    case 'rdmulh':
      return whole;
  }
}

const literal = (v: number): string => (v === -2147483648 ? 'INT32_MIN' : v < 0 ? `(${v})` : String(v));
/** A float32 constant; nine digits name it exactly. */
export function floatLiteral(value: number): string {
  const text = Math.fround(value).toPrecision(9);
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
}

/** An index: affine terms, larger strides first. */
export function indexText(e: Expr, s: Scope): string {
  const terms = [...affine(e)].sort(([a, x], [b, y]) =>
    a === '' ? 1 : b === '' ? -1 : Math.abs(y.coef) - Math.abs(x.coef) || (a < b ? -1 : 1),
  );
  return (
    terms
      .map(([key, { coef, atom }], n) => {
        const size = Math.abs(coef);
        const sign = coef < 0 ? (n === 0 ? '-' : ' - ') : n === 0 ? '' : ' + ';
        const text = key === '' ? String(size) : size === 1 ? atomText(atom, s) : `${size}*${atomText(atom, s)}`;
        return sign + text;
      })
      .join('') || '0'
  );
}
function atomText(e: Expr, s: Scope): string {
  if (e.kind === 'binary' && (e.op === 'min' || e.op === 'max'))
    return `mt_${e.op}(${indexText(e.a, s)}, ${indexText(e.b, s)})`;
  return exprText(e, s);
}

/** Where an element of a buffer lies, as a C expression, through its layout. */
function placeText(b: Buffer, index: readonly Expr[], s: Scope): string {
  const at = flat(b.shape, index);
  const layout = b.layout;
  if (layout === undefined) return indexText(at, s);
  if (layout.kind === 'packed') throw new Error(`${b.name} is packed: only its instruction reads it`);
  const terms = [...affine(at)];
  const fixed = terms.find(([key]) => key === '')?.[1].coef ?? 0;
  const moving = terms.filter(([key]) => key !== '');
  if (moving.every(([, t]) => t.coef % layout.order.length === 0)) {
    const shifted: Expr = {
      kind: 'binary',
      op: '+',
      a: at,
      b: { kind: 'const', value: position(layout, fixed) - fixed },
    };
    return indexText(shifted, s);
  }
  const text = indexText(at, s);
  const table = layout.order.reduce((sum, _, k) => sum + (position(layout, k) << (4 * k)), 0);
  return `((${text}) & ~3) + ((0x${table.toString(16)} >> (4 * ((${text}) & 3))) & 3)`;
}

const wrapping: Readonly<Record<string, string>> = { '+': 'mt_add', '-': 'mt_sub', '*': 'mt_mul' };

/** How tightly a text binds: operands of a looser one get parentheses. Mixed shifts and bit operations always get them. */
type Level = 0 | 1 | 2 | 3;
type Printed = readonly [text: string, level: Level];
const atomic = (text: string): Printed => [text, 3];
const wrapped = ([text, level]: Printed, least: Level): string => (level >= least ? text : `(${text})`);

/** The C text of an int32 value. */
export const exprText = (e: Expr, s: Scope): string => printed(e, s)[0];

function printed(e: Expr, s: Scope): Printed {
  switch (e.kind) {
    case 'const':
      return atomic(literal(e.value));
    case 'iter':
      return atomic(e.name);
    case 'load':
      return atomic(loadText(e, s));
    case 'clz':
      return atomic(`mt_clz(${exprText(e.a, s)})`);
    case 'requantize':
      return atomic(requantizeText(e, s));
    case 'quantize':
      return atomic(`mt_quantize(${exprText(e.value, s)}, ${floatLiteral(e.scale)}, ${e.zero}, ${e.min}, ${e.max})`);
    case 'dequantize':
      return atomic(`mt_dequantize(${exprText(e.value, s)}, ${floatLiteral(e.scale)}, ${e.zero})`);
    case 'binary':
      return binaryText(e, s);
  }
}

type Binary = Expr & { readonly kind: 'binary' };
function binaryText(e: Binary, s: Scope): Printed {
  const special = multiplyHighAdd(e, s) ?? clampText(e, s);
  if (special !== undefined) return atomic(special);
  const [a, b] = [printed(e.a, s), printed(e.b, s)];
  switch (e.op) {
    case 'min':
    case 'max':
    case 'div':
    case 'mulhi':
    case 'rdmulh':
      return atomic(`mt_${e.op}(${a[0]}, ${b[0]})`);
    case '<<':
      return atomic(`mt_shl(${a[0]}, ${b[0]})`);
    case '>>':
      return [`${wrapped(a, 3)} >> ${e.b.kind === 'const' ? String(e.b.value & 31) : `(${wrapped(b, 3)} & 31)`}`, 0];
    case '&':
    case '|':
    case '^':
      return [`${wrapped(a, 3)} ${e.op} ${wrapped(b, 3)}`, 0];
    case '+':
    case '-':
    case '*': {
      if (!fits(binaryRange(e.op, rangeOf(e.a, s), rangeOf(e.b, s))))
        return atomic(`${wrapping[e.op]}(${a[0]}, ${b[0]})`);
      const level = e.op === '*' ? 2 : 1;
      return [`${wrapped(a, level)} ${e.op} ${wrapped(b, level === 2 ? 3 : 2)}`, level];
    }
  }
}

/** a*b's high word plus something is one instruction on some cores. */
function multiplyHighAdd(e: Binary, s: Scope): string | undefined {
  if (e.op !== '+') return undefined;
  const [product, other] = e.a.kind === 'binary' && e.a.op === 'mulhi' ? [e.a, e.b] : [e.b, e.a];
  if (product.kind !== 'binary' || product.op !== 'mulhi') return undefined;
  return `mt_mulhi_add(${exprText(product.a, s)}, ${exprText(product.b, s)}, ${exprText(other, s)})`;
}

/** max(min(v, hi), lo) with constants lo <= hi; of a shifted value to int8 it is one saturating instruction. */
function clampText(e: Binary, s: Scope): string | undefined {
  if (e.op !== 'max' || e.b.kind !== 'const' || e.a.kind !== 'binary' || e.a.op !== 'min' || e.a.b.kind !== 'const')
    return undefined;
  const [lo, hi, v] = [e.b.value, e.a.b.value, e.a.a];
  if (lo > hi) return undefined;
  const shift = v.kind === 'binary' && v.op === '>>' && v.b.kind === 'const' ? v.b.value : 0;
  if (v.kind === 'binary' && lo === -128 && hi === 127 && shift >= 1 && shift <= 31)
    return `mt_sat8_asr(${exprText(v.a, s)}, ${shift})`;
  return `mt_clamp(${exprText(v, s)}, ${literal(lo)}, ${literal(hi)})`;
}

function requantizeText(e: Expr & { readonly kind: 'requantize' }, s: Scope): string {
  const [shift, mult] = [rangeOf(e.shift, s), rangeOf(e.mult, s)];
  const args = [e.acc, e.mult, e.shift].map((x) => exprText(x, s));
  if (mult[0] === whole[0]) throw new Error('requantize needs a multiplier above -2^31');
  const right = shift[0] >= -31 && shift[1] <= -1 && mult[0] >= 0 && Math.abs(e.zero) < 2 ** 29;
  const form = e.rounding === 'single' ? 'mt_requantize_single' : right ? 'mt_requantize_right' : 'mt_requantize';
  return `${form}(${args.join(', ')}, ${literal(e.zero)}, ${literal(e.min)}, ${literal(e.max)})`;
}

function loadText(e: Expr & { readonly kind: 'load' }, s: Scope): string {
  const b = s.buffer(e.buf);
  const at = cellText(e.buf, e.index, s);
  if (e.outside === undefined) return at;
  const checks = e.index.flatMap((x, d) => {
    const range = extent(x, s.loops);
    const size = b.shape[d] ?? 1;
    if (range !== undefined && range[0] >= 0 && range[1] < size) return [];
    return [`(uint32_t)(${indexText(x, s)}) < ${size}u`];
  });
  return checks.length === 0 ? at : `(${checks.join(' && ')} ? ${at} : ${literal(e.outside)})`;
}

/** The C lvalue of one element. */
export function cellText(buf: string, index: readonly Expr[], s: Scope): string {
  const scalar = s.scalar(buf, index);
  if (scalar !== undefined) return scalar;
  return `${s.name(buf)}[${placeText(s.buffer(buf), index, s)}]`;
}

/** Where the group of a packed constant begins that has the row of this origin first, in bytes. */
const groupText = ({ axis = 0, rows, groupBytes }: Packing, origin: readonly Expr[], s: Scope): string =>
  indexText(bin('*', num(groupBytes / rows), origin[axis] ?? num(0)), s);

/** The C address of a window's first element. */
export function addressText(buf: string, origin: readonly Expr[], s: Scope): string {
  const scalar = s.scalar(buf, origin);
  if (scalar !== undefined) return `&${scalar}`;
  const packing = packingIn(s.buffer(buf));
  const place = packing === undefined ? placeText(s.buffer(buf), origin, s) : groupText(packing, origin, s);
  return place === '0' ? s.name(buf) : `(${s.name(buf)} + ${place})`;
}
