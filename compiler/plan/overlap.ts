/**
 * How far must an input begin above a kernel's output, if the two share memory? A kernel that goes through its layer from the first
 * row to the last has read most rows before it writes over them. Must stay true: no byte of the input is overwritten before its last
 * read. An order is known between statements and between iterations; in what is not opened (calls, deep loops) all
 * writes come first.
 */
import { extentIn, flat, type Range } from '../program/affine.ts';
import type { Buffer, Expr, Loop, Program, Stmt } from '../program/index.ts';
import { inlineStmts } from '../program/inline.ts';
import { accesses, bytesOf, elements } from '../program/walk.ts';

/** Iterations that are told apart: enough for the rows of an image. */
const mostIterations = 256;

/**
 * Bytes from the first of output `y` to the first of the inputs `xs`, at least; all of `xs` are one memory. Negative where y may begin
 * above them. What is read and written in other units than bytes stays apart, for C lets compilers exchange such accesses; so does what
 * is laid out in an order of its own.
 */
export function leastDistance(p: Program, xs: ReadonlySet<string>, y: string): number {
  const shared = p.buffers.filter((b) => xs.has(b.name) || b.name === y);
  if (shared.some((b) => bytesOf(b.dtype) !== 1 || b.layout !== undefined)) return Number.POSITIVE_INFINITY;
  const steps = outline(p.body, 1, { xs, y, buffers: new Map(shared.map((b) => [b.name, b])) });
  let [distance, stillRead] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { from, to } of steps.flatMap((s) => unfolded(s, new Map())).reverse()) {
    stillRead = Math.min(stillRead, from);
    distance = Math.max(distance, to - stillRead);
  }
  return distance;
}

interface Shared {
  readonly xs: ReadonlySet<string>;
  readonly y: string;
  readonly buffers: ReadonlyMap<string, Buffer>;
}
/** A place in a shared buffer: flat index, its size, and the loops inside the step that make it. */
interface Place {
  readonly how: 'read' | 'write';
  readonly at: Expr;
  readonly size: number;
  readonly loops: readonly Loop[];
}
/** The program with everything left out but its shared places: loops that are opened, and steps whose order inside counts for nothing. */
type Outline =
  | { readonly kind: 'loop'; readonly loop: Loop; readonly body: readonly Outline[] }
  | { readonly kind: 'step'; readonly places: readonly Place[] };

/** `count`: iterations of the opened loops around. */
function outline(stmts: readonly Stmt[], count: number, shared: Shared): readonly Outline[] {
  return stmts.flatMap((s): readonly Outline[] => {
    const used = accesses([s]).map((a) => a.buf);
    const [reads, writes] = [used.some((buf) => shared.xs.has(buf)), used.includes(shared.y)];
    if (!reads && !writes) return [];
    // Of what only reads or only writes, no order is asked.
    return s.kind === 'loop' && reads && writes && count * s.extent <= mostIterations
      ? [{ kind: 'loop', loop: s, body: outline(s.body, count * s.extent, shared) }]
      : [{ kind: 'step', places: placesIn(s, shared) }];
  });
}

const placesIn = (s: Stmt, { xs, y, buffers }: Shared): readonly Place[] =>
  accesses(inlineStmts([s])).flatMap(({ buf, index, how, loops }): readonly Place[] => {
    const { shape = [] } = buffers.get(buf) ?? {};
    const place = { at: flat(shape, index), size: elements(shape), loops };
    if (xs.has(buf)) return [{ how: 'read', ...place }];
    return buf === y && how !== 'read' ? [{ how: 'write', ...place }] : [];
  });

/** What a step touches: the first byte that it reads, and the byte after the last that it writes. */
interface Touched {
  readonly from: number;
  readonly to: number;
}
/** The steps in order; `iters` holds the iterations of the loops around. */
function unfolded(o: Outline, iters: ReadonlyMap<string, number>): readonly Touched[] {
  switch (o.kind) {
    case 'loop':
      return Array.from({ length: o.loop.extent }, (_, i) => new Map([...iters, [o.loop.iter, i]])).flatMap((inside) =>
        o.body.flatMap((part) => unfolded(part, inside)),
      );
    case 'step': {
      const ranges = o.places.map((p) => [p.how, rangeOf(p, iters)] as const);
      const of = (how: Place['how']): readonly Range[] => ranges.flatMap(([h, range]) => (h === how ? [range] : []));
      return [
        { from: Math.min(...of('read').map(([lo]) => lo)), to: Math.max(...of('write').map(([, hi]) => hi + 1)) },
      ];
    }
  }
}

/** Places within their buffer: a border is not read. */
function rangeOf({ at, size, loops }: Place, iters: ReadonlyMap<string, number>): Range {
  const [lo, hi] = extentIn(at, (name) => {
    const i = iters.get(name);
    const loop = loops.find((l) => l.iter === name);
    return i !== undefined ? [i, i] : loop && [0, loop.extent - 1];
  }) ?? [0, size - 1];
  return [Math.max(0, lo), Math.min(size - 1, hi)];
}
