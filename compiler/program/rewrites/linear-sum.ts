/** Two bytes in, one byte out: whatever exact steps lie between, a single linear form may give the same on every pair. */
import { apply, clamp as limit, multiplyQuantized } from '../arithmetic.ts';
import { add, bin, clamp, iter, mul, num, refuse } from '../build.ts';
import type { BinaryOp, Buffer, Expr, Program } from '../program.ts';
import { show } from '../show.ts';
import { buffersOf, mapExpr, mapStmts, spanOf, visitExpr } from '../walk.ts';
import type { StepOf } from './steps.ts';

type Load = Expr & { readonly kind: 'load' };
type Requantize = Expr & { readonly kind: 'requantize' };
/** clamp((x*m0 + z*m1 + add) >> shift). */
interface Form {
  readonly m0: number;
  readonly m1: number;
  readonly add: number;
  readonly shift: number;
}

/**
 * `y = requantize(requantize(x..) + requantize(z..))`  ->  `y = clamp((x*m0 + z*m1 + add) >> shift)`, when that is the same for
 * every pair of values that x and z can hold. All stores of the program with such values are rewritten.
 */
export function linearSum(p: Program, _s: StepOf<'linearSum'>): Program {
  const table = new Map(buffersOf(p).map((b) => [b.name, b]));
  const forms = new Map<string, Form>();
  const body = mapStmts(p.body, (e) => {
    const found = e.kind === 'requantize' ? twoBytes(e, table) : undefined;
    if (found === undefined) return e;
    const key = `${show(found.value)} ${found.spans}`;
    const form = forms.get(key) ?? prove(found);
    forms.set(key, form);
    const sum = add(add(mul(found.x, num(form.m0)), mul(found.z, num(form.m1))), num(form.add));
    return clamp(bin('>>', sum, num(form.shift)), found.value.min, found.value.max);
  });
  if (forms.size === 0) refuse('no value is made of exactly two bytes');
  return { ...p, body };
}

type Table = ReadonlyMap<string, Buffer>;
/** How the two bytes are called in a value: no iterator of a program can have such a name. */
const names = ['0', '1'] as const;
/** A value made of two bytes, which stand in it as iterators of these names. */
interface TwoBytes {
  readonly value: Requantize;
  readonly x: Load;
  readonly z: Load;
  readonly spans: readonly [Span, Span];
}
type Span = readonly [number, number];

/** Undefined where the value has other leaves than constants and two bytes inside their buffers. */
function twoBytes(e: Requantize, table: Table): TwoBytes | undefined {
  const loads = new Map<string, Load>();
  const bare = mapExpr(e, (l) => {
    if (l.kind !== 'load') return l;
    const values = table.get(l.buf)?.values;
    if (values?.length === 1) return num(values[0] ?? 0);
    loads.set(show(l), l);
    return iter(names[[...loads.keys()].indexOf(show(l))] ?? 'more');
  });
  let closed = true;
  visitExpr(bare, (l) => {
    closed &&= l.kind !== 'iter' || l.name === names[0] || l.name === names[1];
  });
  const [x, z] = [...loads.values()];
  if (!closed || bare.kind !== 'requantize' || x === undefined || z === undefined) return undefined;
  const [first, second] = [x, z].map((l) => (l.outside === undefined ? byteSpan(table.get(l.buf)) : undefined));
  return first === undefined || second === undefined ? undefined : { value: bare, x, z, spans: [first, second] };
}
const byteSpan = (b: Buffer | undefined): Span | undefined =>
  b?.dtype === 'i8' || b?.dtype === 'u8' ? spanOf(b.dtype) : undefined;

/** Steps of the multipliers around their nearest values that are tried. */
const reach = 6;

function prove({ value: e, spans: [xs, zs] }: TwoBytes): Form {
  const origin = real(e, 0, 0);
  const [c0, c1] = [real(e, 1, 0) - origin, real(e, 0, 1) - origin];
  if (Math.abs(real(e, 7, 5) - (origin + 7 * c0 + 5 * c1)) > 1e-6) refuse('the value is not linear in the two bytes');
  const wanted = pairs(xs, zs, (a, b) => exact(e, a, b));
  // Sums stay below 2^30, so that nothing wraps.
  const shift = Math.floor(30 - Math.log2(256 * (Math.abs(c0) + Math.abs(c1)) + Math.abs(origin) + 1));
  if (shift < 1 || shift > 31) refuse(`a shift of ${shift} is out of range`);
  const near = (c: number): readonly number[] =>
    Array.from({ length: 2 * reach + 1 }, (_, i) => Math.round(c * 2 ** shift) + (i % 2 === 1 ? (i + 1) / 2 : -i / 2));
  for (const m0 of near(c0)) {
    for (const m1 of near(c1)) {
      const offset = offsetFor({ m0, m1, shift }, wanted, [xs, zs], e);
      if (offset !== undefined) return { m0, m1, add: offset, shift };
    }
  }
  return refuse('no linear form is exact on every pair');
}
/** f on every pair, row by row. */
function pairs([x0, x1]: Span, [z0, z1]: Span, f: (a: number, b: number) => number): Int32Array {
  const width = z1 - z0 + 1;
  return Int32Array.from({ length: (x1 - x0 + 1) * width }, (_, i) => f(x0 + Math.floor(i / width), z0 + (i % width)));
}

/** An offset that gives the wanted value on every pair, or undefined. */
function offsetFor(
  { m0, m1, shift }: Omit<Form, 'add'>,
  wanted: Int32Array,
  [[x0, x1], [z0, z1]]: readonly [Span, Span],
  { min, max }: Requantize,
): number | undefined {
  let [low, high] = [-(2 ** 30), 2 ** 30];
  let i = 0;
  for (let a = x0; a <= x1; a++) {
    for (let b = z0; b <= z1; b++) {
      const level = wanted[i++] as number;
      const sum = a * m0 + b * m1;
      if (level > min) low = Math.max(low, level * 2 ** shift - sum);
      if (level < max) high = Math.min(high, (level + 1) * 2 ** shift - 1 - sum);
    }
    if (low > high) return undefined;
  }
  return low;
}

/** What the program computes where the bytes are a and b. */
function exact(e: Expr, a: number, b: number): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'iter':
      return e.name === names[0] ? a : b;
    case 'binary':
      return apply(e.op, exact(e.a, a, b), exact(e.b, a, b));
    case 'requantize': {
      const scaled = multiplyQuantized(exact(e.acc, a, b), exact(e.mult, a, b), exact(e.shift, a, b), e.rounding);
      return limit((scaled + e.zero) | 0, e.min, e.max);
    }
    default:
      return refuse(`${e.kind} is not of two bytes`);
  }
}

/** The same in real numbers, without rounding and limits: where the slopes come from. */
function real(e: Expr, a: number, b: number): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'iter':
      return e.name === names[0] ? a : b;
    case 'binary':
      return realBinary(e.op, real(e.a, a, b), real(e.b, a, b));
    case 'requantize':
      return real(e.acc, a, b) * real(e.mult, a, b) * 2 ** (real(e.shift, a, b) - 31) + e.zero;
    default:
      return refuse(`${e.kind} is not of two bytes`);
  }
}
function realBinary(op: BinaryOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '<<':
      return a * 2 ** b;
    default:
      return refuse(`${op} is not linear`);
  }
}
