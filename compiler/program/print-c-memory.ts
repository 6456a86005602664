/**
 * Where a kernel's temporaries live. Scratch buffers share one area: each lies at a fixed offset while its block runs, so
 * blocks that never run together share bytes. Loops marked `unroll` are opened here, once, into the statements that are printed.
 */
import { instruction } from '../instructions/index.ts';
import { simplify } from './affine.ts';
import { add, num } from './build.ts';
import type { Buffer, Call, Expr, Program, Stmt } from './program.ts';
import { bytesOf, elements, mapExpr } from './walk.ts';

/** Bytes that every buffer of the scratch area is aligned to. */
const scratchAlign = 8;
const aligned = (bytes: number): number => Math.ceil(bytes / scratchAlign) * scratchAlign;

/** Offset of every scratch buffer, and the size of the area. */
export function scratchLayout(p: Program): { readonly offsets: ReadonlyMap<string, number>; readonly bytes: number } {
  const offsets = new Map<string, number>();
  const block = (stmts: readonly Stmt[], from: number): number => {
    let at = from;
    let top = from;
    for (const s of stmts) {
      if (s.kind === 'loop') top = Math.max(top, block(s.body, at));
      if (s.kind !== 'alloc' || s.buffer.space !== 'scratch') continue;
      offsets.set(s.buffer.name, at);
      at += aligned(elements(s.buffer.shape) * bytesOf(s.buffer.dtype));
      top = Math.max(top, at);
    }
    return top;
  };
  const bytes = block(p.body, 0);
  return { offsets, bytes };
}

/** Statements to print: as in the IR, without unrolled loops; `block` is one unrolled iteration with temporaries of its own. */
export type Printable =
  | Exclude<Stmt, { readonly kind: 'loop' }>
  | { readonly kind: 'loop'; readonly iter: string; readonly extent: number; readonly body: readonly Printable[] }
  | { readonly kind: 'block'; readonly body: readonly Printable[] };

/** Opens unrolled loops: their iterators become numbers. */
export function openUnrolled(
  stmts: readonly Stmt[],
  known: ReadonlyMap<string, number> = new Map(),
): readonly Printable[] {
  const put = (e: Expr): Expr => {
    const value = e.kind === 'iter' ? known.get(e.name) : undefined;
    return value === undefined ? (e.kind === 'load' ? { ...e, index: e.index.map(simplify) } : e) : num(value);
  };
  const index = (e: Expr): Expr => (known.size === 0 ? e : simplify(mapExpr(e, put)));
  return stmts.flatMap((s): readonly Printable[] => {
    switch (s.kind) {
      case 'alloc':
        return [s];
      case 'store':
        return [{ ...s, index: s.index.map(index), value: known.size === 0 ? s.value : mapExpr(s.value, put) }];
      case 'call': {
        const windows = Object.entries(s.operands).map(
          ([role, w]) => [role, { ...w, origin: w.origin.map(index) }] as const,
        );
        return [{ ...s, operands: Object.fromEntries(windows) }];
      }
      case 'loop': {
        if (s.unroll !== 'full' && s.extent > 1)
          return [{ kind: 'loop', iter: s.iter, extent: s.extent, body: openUnrolled(s.body, known) }];
        const scoped = s.extent > 1 && s.body.some((x) => x.kind === 'alloc');
        return Array.from({ length: s.extent }, (_, n) =>
          openUnrolled(s.body, new Map([...known, [s.iter, n]])),
        ).flatMap((body): readonly Printable[] => (scoped ? [{ kind: 'block', body }] : body));
      }
    }
  });
}

const isConst = (index: readonly Expr[]): boolean => index.every((e) => e.kind === 'const');

/** Register buffers whose every index is a number: they become one C variable an element. The others stay arrays. */
export function scalarised(stmts: readonly Printable[]): ReadonlySet<string> {
  const registers = new Set<string>();
  const arrays = new Set<string>();
  const value = (e: Expr): void => {
    mapExpr(e, (x) => {
      if (x.kind === 'load' && !isConst(x.index)) arrays.add(x.buf);
      return x;
    });
  };
  const go = (list: readonly Printable[]): void => {
    for (const s of list) {
      switch (s.kind) {
        case 'alloc':
          if (s.buffer.space === 'register') registers.add(s.buffer.name);
          break;
        case 'loop':
        case 'block':
          go(s.body);
          break;
        case 'store':
          if (!isConst(s.index)) arrays.add(s.buf);
          value(s.value);
          break;
        case 'call': {
          const { operands } = instruction(s.instr, s.params);
          for (const [role, w] of Object.entries(s.operands)) {
            if (operands[role]?.cells !== true || !isConst(w.origin)) arrays.add(w.buf);
          }
        }
      }
    }
  };
  go(stmts);
  return new Set([...registers].filter((name) => !arrays.has(name)));
}

/** Indices, in the caller's buffer, of every element of an operand that lies in registers; none for one that has an address. */
export function operandCells(call: Call, role: string): readonly (readonly Expr[])[] {
  const { meaning, operands } = instruction(call.instr, call.params);
  const origin = call.operands[role]?.origin ?? [];
  if (operands[role]?.cells !== true) return [];
  const shape = meaning.buffers.find((b) => b.name === role)?.shape ?? [];
  const skip = origin.length - shape.length;
  return Array.from({ length: elements(shape) }, (_, i) => {
    const inside = indexOf(i, shape);
    return origin.map((o, d) => (d < skip ? o : simplify(add(o, num(inside[d - skip] ?? 0)))));
  });
}

/** Row-major index of a flat position. */
export function indexOf(flat: number, shape: readonly number[]): readonly number[] {
  let rest = flat;
  return shape.map((_, d) => {
    const stride = elements(shape.slice(d + 1));
    const i = Math.floor(rest / stride);
    rest -= i * stride;
    return i;
  });
}

/** Bytes of the register buffers that stay arrays: what the kernel keeps on the stack beyond its spilled registers. */
export const localBytes = (buffers: readonly Buffer[]): number =>
  buffers.reduce((sum, b) => sum + elements(b.shape) * bytesOf(b.dtype), 0);
