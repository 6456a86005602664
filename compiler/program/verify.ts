/**
 * What every program must satisfy, checked after each rewrite: unique names, scopes, ranks, indices in bounds (unless the
 * load has an `outside`), layouts whose groups do not cross rows. Throws Illegal with the first thing that is wrong.
 */
import { extent } from './affine.ts';
import { refuse } from './build.ts';
import { inlineStmts } from './inline.ts';
import { groupOf } from './layouts.ts';
import type { Buffer, Expr, Loop, Program, Stmt } from './program.ts';
import { show } from './show.ts';
import { buffersOf, loopsIn, visitExpr } from './walk.ts';

export function verifyProgram(p: Program): Program {
  unique(
    'buffer',
    buffersOf(p).map((b) => b.name),
  );
  unique(
    'loop',
    loopsIn(p.body).map((l) => l.iter),
  );
  for (const b of buffersOf(p)) verifyBuffer(b);
  block(inlineStmts(p.body), new Map(p.buffers.map((b) => [b.name, b])), []);
  return p;
}

function unique(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) refuse(`${what} name ${name} would not be unique`);
    seen.add(name);
  }
}

function verifyBuffer(b: Buffer): void {
  if (b.shape.some((d) => !Number.isInteger(d) || d < 1)) refuse(`${b.name} has shape [${b.shape}]`);
  const group = groupOf(b.layout);
  if (group > 1 && (b.shape.at(-1) ?? 1) % group !== 0)
    refuse(`${b.name}: this layout needs rows of a multiple of ${group}`);
}

function block(stmts: readonly Stmt[], outer: ReadonlyMap<string, Buffer>, loops: readonly Loop[]): void {
  const scope = new Map(outer);
  for (const s of stmts) {
    switch (s.kind) {
      case 'alloc':
        scope.set(s.buffer.name, s.buffer);
        break;
      case 'loop':
        if (!Number.isInteger(s.extent) || s.extent < 1) refuse(`loop ${s.iter} has extent ${s.extent}`);
        block(s.body, scope, [...loops, s]);
        break;
      case 'call':
        throw new Error('calls are inlined before');
      case 'store': {
        const target = scope.get(s.buf);
        if (target === undefined) return refuse(`${s.buf} is not in scope`);
        if (target.space === 'in' || target.space === 'const') refuse(`${s.buf} is written`);
        place(target, s.index, loops, false);
        for (const e of [...s.index, s.value]) expression(e, scope, loops);
      }
    }
  }
}

function expression(e: Expr, scope: ReadonlyMap<string, Buffer>, loops: readonly Loop[]): void {
  visitExpr(e, (x) => {
    if (x.kind === 'iter' && !loops.some((l) => l.iter === x.name)) refuse(`iterator ${x.name} is not bound`);
    if (x.kind !== 'load') return;
    const b = scope.get(x.buf);
    if (b === undefined) return refuse(`${x.buf} is not in scope`);
    place(b, x.index, loops, x.outside !== undefined);
  });
}

function place(b: Buffer, index: readonly Expr[], loops: readonly Loop[], padded: boolean): void {
  if (index.length !== b.shape.length) refuse(`${b.name} has ${b.shape.length} dimensions, not ${index.length}`);
  index.forEach((e, d) => {
    const range = extent(e, loops);
    if (range === undefined) return refuse(`${b.name}[${show(e)}] is not an affine index`);
    if (!padded && (range[0] < 0 || range[1] >= (b.shape[d] ?? 0)))
      refuse(`${b.name}[${show(e)}] reaches ${range[0]}..${range[1]} of ${b.shape[d]}`);
  });
}
