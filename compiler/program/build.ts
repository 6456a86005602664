/** Short constructors for programs, and the refusal that primitives throw. They check nothing: verify.ts does. */
import type { Alloc, BinaryOp, Buffer, DType, Expr, Loop, Program, Space, Stmt, Store } from './program.ts';

/** An expected refusal of a primitive or a recipe; replay turns it into a value. */
export class Illegal extends Error {}
export function refuse(reason: string): never {
  throw new Illegal(reason);
}

export const num = (value: number): Expr => ({ kind: 'const', value });
export const iter = (name: string): Expr => ({ kind: 'iter', name });
export const load = (buf: string, ...index: readonly Expr[]): Expr => ({ kind: 'load', buf, index });
/** A load that reads `outside` where an index leaves the buffer. */
export const loadOr = (outside: number, buf: string, ...index: readonly Expr[]): Expr => ({
  kind: 'load',
  buf,
  index,
  outside,
});
export const bin = (op: BinaryOp, a: Expr, b: Expr): Expr => ({ kind: 'binary', op, a, b });
export const add = (a: Expr, b: Expr): Expr => bin('+', a, b);
export const sub = (a: Expr, b: Expr): Expr => bin('-', a, b);
export const mul = (a: Expr, b: Expr): Expr => bin('*', a, b);
export const min = (a: Expr, b: Expr): Expr => bin('min', a, b);
export const max = (a: Expr, b: Expr): Expr => bin('max', a, b);
/** max(lo, min(hi, value)). */
export const clamp = (value: Expr, lo: number, hi: number): Expr => max(min(value, num(hi)), num(lo));

export const loop = (name: string, extent: number, ...body: readonly Stmt[]): Loop => ({
  kind: 'loop',
  iter: name,
  extent,
  body,
});
export function store(buf: string, index: readonly Expr[], value: Expr, reduce?: '+' | 'max'): Store {
  return { kind: 'store', buf, index, value, ...(reduce !== undefined && { reduce }) };
}
export const buffer = (name: string, dtype: DType, shape: readonly number[], space: Space): Buffer => ({
  name,
  dtype,
  shape,
  space,
});
/** Bound words, one list of them. */
export const constant = (name: string, shape: readonly number[], values: Iterable<number>): Buffer => ({
  ...buffer(name, 'i32', shape, 'const'),
  values: Int32Array.from(values),
});
/** A temporary in registers, alive in the rest of its block. */
export const register = (name: string, dtype: DType = 'i32', shape: readonly number[] = []): Alloc => ({
  kind: 'alloc',
  buffer: buffer(name, dtype, shape, 'register'),
});
export const program = (name: string, buffers: readonly Buffer[], ...body: readonly Stmt[]): Program => ({
  name,
  buffers,
  placement: {},
  flags: [],
  body,
});
