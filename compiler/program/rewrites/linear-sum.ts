/** Two bytes in, one byte out: whatever exact steps lie between, a single linear form may give the same on every pair. */
import { add, bin, clamp, mul, num, refuse, sub } from '../build.ts';
import type { BinaryOp, Buffer, Expr, Program } from '../program.ts';
import { show } from '../show.ts';
import { buffersOf, mapStmts, spanOf, visitExpr } from '../walk.ts';
import { bareValue, evaluator, type Load, type Table, type Unknown } from './evaluate.ts';
import { fitLinear, type Linear, type Span, type SumForm, type Target } from './linear-fit.ts';
import { type Memo, recall } from './memo.ts';
import type { Requantize } from './requantize-affine.ts';
import type { StepOf } from './steps.ts';

/**
 * `y = requantize(requantize(x..) + requantize(z..))`  ->  `y = clamp((x*m0 + z*m1 + add) >> shift)`, when that is the same for
 * every pair of values that x and z can hold. All stores of the program with such values are rewritten.
 */
export function linearSum(p: Program, { form = 'word' }: StepOf<'linearSum'>, memo: Memo): Program {
  const table = new Map(buffersOf(p).map((b) => [b.name, b]));
  let rewritten = 0;
  const body = mapStmts(p.body, (e) => {
    const found = e.kind === 'requantize' ? twoBytes(e, table) : undefined;
    if (found === undefined) return e;
    rewritten++;
    const key = `linear ${form} ${show(found.value)} ${found.spans}`;
    const linear = recall(memo, key, () => prove(found, form)) ?? refuse('no linear form is exact on every pair');
    const { min, max } = found.value;
    if (form === 'half') return halfSum(found.x, found.z, halfOf(linear, min, max));
    const sum = add(add(mul(found.x, num(linear.m0)), mul(found.z, num(linear.m1))), num(linear.add));
    return clamp(bin('>>', sum, num(linear.shift)), min, max);
  });
  if (rewritten === 0) refuse('no value is made of exactly two bytes');
  return { ...p, body };
}

/** A sum whose result, plus 128, lies in the upper half of a word: limits are those of an unsigned byte. */
export interface HalfSum {
  readonly m0: number;
  readonly m1: number;
  readonly add: number;
  readonly low: number;
  readonly high: number;
}
const halfOf = ({ m0, m1, add: offset }: Linear, min: number, max: number): HalfSum => ({
  m0,
  m1,
  add: offset + 128 * 2 ** 16,
  low: min + 128,
  high: max + 128,
});
/** clamp(((x*m0 >> 8) + (z*m1 >> 8) + add) >> 16) - 128. The products have more than 32 bits; mulhi gives those that count. */
export function halfSum(x: Expr, z: Expr, { m0, m1, add: offset, low, high }: HalfSum): Expr {
  const part = (byte: Expr, m: number): Expr => bin('mulhi', bin('<<', byte, num(24)), num(m));
  const sum = add(add(part(x, m0), part(z, m1)), num(offset));
  return sub(clamp(bin('>>', sum, num(16)), low, high), num(128));
}

/** How the two bytes are called in a value: no iterator of a program can have such a name. */
const names = ['0', '1'] as const;
/** A value made of two bytes, which stand in it as iterators of these names. */
interface TwoBytes {
  readonly value: Requantize;
  readonly x: Load;
  readonly z: Load;
  readonly spans: readonly [Span, Span];
}

/** Undefined where the value has other leaves than constants and two bytes inside their buffers. */
function twoBytes(e: Requantize, table: Table): TwoBytes | undefined {
  const { value, loads } = bareValue(e, table, names);
  let closed = loads.length === 2;
  visitExpr(value, (l) => {
    closed &&= l.kind !== 'iter' || l.name === names[0] || l.name === names[1];
  });
  const [x, z] = loads;
  if (!closed || value.kind !== 'requantize' || x === undefined || z === undefined) return undefined;
  const [first, second] = [x, z].map((l) => (l.outside === undefined ? byteSpan(table.get(l.buf)) : undefined));
  return first === undefined || second === undefined ? undefined : { value, x, z, spans: [first, second] };
}
const byteSpan = (b: Buffer | undefined): Span | undefined =>
  b?.dtype === 'i8' || b?.dtype === 'u8' ? spanOf(b.dtype) : undefined;

function prove({ value: e, spans }: TwoBytes, form: SumForm): Linear | undefined {
  const origin = real(e, 0, 0);
  const [c0, c1] = [real(e, 1, 0) - origin, real(e, 0, 1) - origin];
  if (Math.abs(real(e, 7, 5) - (origin + 7 * c0 + 5 * c1)) > 1e-6) refuse('the value is not linear in the two bytes');
  if (form === 'half' && spans.some(([low]) => low >= 0)) refuse('half words are made of signed bytes');
  const wanted = pairs(spans, evaluator(e, [unknown(names[0], spans[0]), unknown(names[1], spans[1])]));
  const { min, max } = e;
  return fitLinear({ wanted, spans, min, max, slopes: [c0, c1] }, form);
}
const unknown = (name: string, span: Span): Unknown => ({ name, span });
/** f on every pair, row by row. */
function pairs([[x0, x1], [z0, z1]]: Target['spans'], f: (a: number, b: number) => number): Int32Array {
  const width = z1 - z0 + 1;
  return Int32Array.from({ length: (x1 - x0 + 1) * width }, (_, i) => f(x0 + Math.floor(i / width), z0 + (i % width)));
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
