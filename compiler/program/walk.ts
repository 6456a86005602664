/** Walking and mapping programs. Everything here returns new data; nothing is changed in place. */
import { simplify } from './affine.ts';
import { iter, refuse } from './build.ts';
import type { Buffer, Call, DType, Expr, Loop, Program, Stmt, Store, Window } from './program.ts';

const widths: Readonly<Record<DType, number>> = { i8: 1, u8: 1, i16: 2, i32: 4, f32: 4 };
/** Bytes of one element. */
export const bytesOf = (dtype: DType): number => widths[dtype];
/** Smallest and largest storable value of an integer dtype. */
export const spanOf = (dtype: DType): readonly [number, number] => {
  switch (dtype) {
    case 'i8':
      return [-128, 127];
    case 'u8':
      return [0, 255];
    case 'i16':
      return [-32768, 32767];
    case 'i32':
    case 'f32':
      return [-(2 ** 31), 2 ** 31 - 1];
  }
};
/** The same for what a buffer holds: a tensor's values are bytes, however they lie. */
export const spanHeld = ({ dtype, tensor }: Buffer): readonly [number, number] =>
  spanOf(tensor === undefined ? dtype : 'i8');
export const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Rewrites an expression bottom up. */
export function mapExpr(e: Expr, f: (e: Expr) => Expr): Expr {
  const go = (x: Expr): Expr => mapExpr(x, f);
  switch (e.kind) {
    case 'const':
    case 'iter':
      return f(e);
    case 'load':
      return f({ ...e, index: e.index.map(go) });
    case 'binary':
      return f({ ...e, a: go(e.a), b: go(e.b) });
    case 'clz':
      return f({ ...e, a: go(e.a) });
    case 'requantize':
      return f({ ...e, acc: go(e.acc), mult: go(e.mult), shift: go(e.shift) });
    case 'quantize':
    case 'dequantize':
      return f({ ...e, value: go(e.value) });
  }
}

/** Calls `f` on every expression below `e`, children first. */
export function visitExpr(e: Expr, f: (e: Expr) => void): void {
  mapExpr(e, (x) => {
    f(x);
    return x;
  });
}

const mapWindow = (w: Window, f: (e: Expr) => Expr): Window => ({
  buf: w.buf,
  origin: w.origin.map((e) => simplify(mapExpr(e, f))),
});
const mapCall = (c: Call, f: (e: Expr) => Expr): Call => ({
  ...c,
  operands: Object.fromEntries(Object.entries(c.operands).map(([role, w]) => [role, mapWindow(w, f)])),
});

/** Rewrites every expression below `stmts`, then every statement, bottom up; indices come out simplified. */
export function mapStmts(
  stmts: readonly Stmt[],
  expr: (e: Expr) => Expr,
  stmt: (s: Stmt) => readonly Stmt[] = (s) => [s],
): readonly Stmt[] {
  const tidy = (e: Expr): Expr => expr(e.kind === 'load' ? { ...e, index: e.index.map(simplify) } : e);
  const value = (e: Expr): Expr => mapExpr(e, tidy);
  return stmts.flatMap((s): readonly Stmt[] => {
    switch (s.kind) {
      case 'loop':
        return stmt({ ...s, body: mapStmts(s.body, expr, stmt) });
      case 'store':
        return stmt({ ...s, index: s.index.map((e) => simplify(value(e))), value: value(s.value) });
      case 'alloc':
        return stmt(s);
      case 'call':
        return stmt(mapCall(s, tidy));
    }
  });
}

/** Replaces an iterator by an expression. */
export const substitute = (stmts: readonly Stmt[], name: string, by: Expr): readonly Stmt[] =>
  mapStmts(stmts, (e) => (e.kind === 'iter' && e.name === name ? by : e));

/** Renames buffers (stores, loads, allocs, operands) and loops with their iterators. */
export function rename(
  stmts: readonly Stmt[],
  buf: (name: string) => string,
  loopName: (name: string) => string,
): readonly Stmt[] {
  return mapStmts(
    stmts,
    (e) => (e.kind === 'iter' ? iter(loopName(e.name)) : e.kind === 'load' ? { ...e, buf: buf(e.buf) } : e),
    (s) => {
      switch (s.kind) {
        case 'loop':
          return [{ ...s, iter: loopName(s.iter) }];
        case 'store':
          return [{ ...s, buf: buf(s.buf) }];
        case 'alloc':
          return [{ ...s, buffer: { ...s.buffer, name: buf(s.buffer.name) } }];
        case 'call':
          return [
            {
              ...s,
              operands: Object.fromEntries(Object.entries(s.operands).map(([r, w]) => [r, { ...w, buf: buf(w.buf) }])),
            },
          ];
      }
    },
  );
}

export interface Access {
  readonly buf: string;
  readonly index: readonly Expr[];
  readonly how: 'read' | 'write' | 'reduce';
  /** Loops around it, outermost first. */
  readonly loops: readonly Loop[];
  readonly outside?: number | undefined;
}

/** Every access in program order (a store's reads come before its write). Calls must be inlined first (inline.ts). */
export function accesses(stmts: readonly Stmt[], loops: readonly Loop[] = []): readonly Access[] {
  return stmts.flatMap((s): readonly Access[] => {
    switch (s.kind) {
      case 'loop':
        return accesses(s.body, [...loops, s]);
      case 'alloc':
        return [];
      case 'call':
        return Object.values(s.operands).map((w) => ({ buf: w.buf, index: w.origin, how: 'read', loops }));
      case 'store': {
        const out: Access[] = [];
        for (const part of [...s.index, s.value]) {
          visitExpr(part, (e) => {
            if (e.kind === 'load') out.push({ buf: e.buf, index: e.index, how: 'read', loops, outside: e.outside });
          });
        }
        return [...out, { buf: s.buf, index: s.index, how: s.reduce !== undefined ? 'reduce' : 'write', loops }];
      }
    }
  });
}

export const loopsIn = (stmts: readonly Stmt[]): readonly Loop[] =>
  stmts.flatMap((s) => (s.kind === 'loop' ? [s, ...loopsIn(s.body)] : []));
/** In program order. */
export const storesIn = (stmts: readonly Stmt[]): readonly Store[] =>
  stmts.flatMap((s) => (s.kind === 'store' ? [s] : s.kind === 'loop' ? storesIn(s.body) : []));
export const allocsIn = (stmts: readonly Stmt[]): readonly Buffer[] =>
  stmts.flatMap((s) => (s.kind === 'alloc' ? [s.buffer] : s.kind === 'loop' ? allocsIn(s.body) : []));
export const callsIn = (stmts: readonly Stmt[]): readonly Call[] =>
  stmts.flatMap((s) => (s.kind === 'call' ? [s] : s.kind === 'loop' ? callsIn(s.body) : []));

/** Every buffer of a program: its own and its temporaries. */
export const buffersOf = (p: Program): readonly Buffer[] => [...p.buffers, ...allocsIn(p.body)];
export const bufferOf = (p: Program, name: string): Buffer =>
  buffersOf(p).find((b) => b.name === name) ?? refuse(`no buffer ${name}`);
export const loopOf = (p: Program, name: string): Loop =>
  loopsIn(p.body).find((l) => l.iter === name) ?? refuse(`no loop ${name}`);

/** Replaces the one loop of that name. Loop names are unique in a program, so a name is an address. */
export function atLoop(p: Program, name: string, f: (l: Loop) => readonly Stmt[]): Program {
  loopOf(p, name);
  const go = (stmts: readonly Stmt[]): readonly Stmt[] =>
    stmts.flatMap((s): readonly Stmt[] =>
      s.kind !== 'loop' ? [s] : s.iter === name ? f(s) : [{ ...s, body: go(s.body) }],
    );
  return { ...p, body: go(p.body) };
}

/** Replaces the buffer of that name wherever it is declared. */
export function withBuffer(p: Program, name: string, f: (b: Buffer) => Buffer): Program {
  return {
    ...p,
    buffers: p.buffers.map((b) => (b.name === name ? f(b) : b)),
    body: mapStmts(
      p.body,
      (e) => e,
      (s) => [s.kind === 'alloc' && s.buffer.name === name ? { ...s, buffer: f(s.buffer) } : s],
    ),
  };
}
