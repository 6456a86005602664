/**
 * May a kernel's output lie where one of its inputs lies? The operator says whether it ever may; this says it of the program
 * as it is scheduled. Must stay true: each output element is stored once, from nothing of the input but the element at
 * the same place, so that nobody can find an element overwritten that he still wants to read.
 */
import { instruction } from '../instructions/index.ts';
import { flat, simplify } from '../program/affine.ts';
import type { Buffer, Expr, Program, Stmt, Store } from '../program/index.ts';
import { inlineCall } from '../program/inline.ts';
import { elements, visitExpr } from '../program/walk.ts';

/** `inputs`: names of all input buffers that lie where the output `y` is to lie. */
export function runsInPlace(p: Program, inputs: ReadonlySet<string>, y: string): boolean {
  const shapes = new Map(p.buffers.map((b): [string, Buffer['shape']] => [b.name, b.shape]));
  const place = (buf: string, index: readonly Expr[]): string =>
    JSON.stringify(simplify(flat(shapes.get(buf) ?? [], index)));
  let stores = 0;

  /** All reads of the shared memory in a store go to the place that it writes. */
  const readsItsOwnPlace = (s: Store): boolean => {
    const [to, seen] = [s.buf === y ? place(y, s.index) : undefined, new Set<string | undefined>()];
    visitExpr(s.value, (e) => {
      if (e.kind === 'load' && (inputs.has(e.buf) || e.buf === y)) seen.add(place(e.buf, e.index));
    });
    return seen.size === 0 || (s.reduce === undefined && seen.size === 1 && seen.has(to));
  };
  const walk = (stmts: readonly Stmt[], times: number): boolean =>
    stmts.every((s) => {
      switch (s.kind) {
        case 'alloc':
          return true;
        case 'loop':
          return walk(s.body, times * s.extent);
        case 'call':
          if (instruction(s.instr, s.params).inPlace) return walk(inlineCall(s, 'in'), times);
          return Object.values(s.operands).every((w) => !inputs.has(w.buf) && w.buf !== y);
        case 'store':
          if (s.buf === y) stores += times;
          return readsItsOwnPlace(s);
      }
    });
  return walk(p.body, 1) && stores === elements(shapes.get(y) ?? []);
}
