/**
 * The shape that all multiply-accumulate layers share, found once for the rewrites that need it:
 * `acc = bias[o]; for k...: acc += x * w` (or `(x - c) * w`), then a requantize of acc.
 */
import { itersOf } from '../affine.ts';
import { refuse } from '../build.ts';
import type { Buffer, Expr, Loop, Program, Store } from '../program.ts';
import { accesses, bufferOf, mapStmts, storesIn } from '../walk.ts';
import type { Load } from './evaluate.ts';

export interface Reduction {
  /** The accumulator's buffer name. */
  readonly acc: string;
  readonly init: Load;
  readonly bias: Buffer;
  readonly x: Load;
  /** The c of (x - c); undefined where x stands alone. */
  readonly offset: number | undefined;
  readonly w: Load;
  readonly weights: Buffer;
  /** Loops around the sum that run over its terms (they index w or x but not bias and acc). */
  readonly over: readonly Loop[];
  /** Loops around the bias. */
  readonly outer: readonly Loop[];
}

/** Finds the reduction into `acc`. Refuses where it is not of that shape or its constants are not bound. */
export function reductionInto(p: Program, acc: string): Reduction {
  const stores = storesIn(p.body).filter((s) => s.buf === acc);
  const [init] = stores.filter((s) => s.reduce === undefined);
  const [sum] = stores.filter((s) => s.reduce === '+');
  if (stores.length !== 2 || init?.value.kind !== 'load' || sum === undefined)
    return refuse(`${acc} is not one bias and one sum`);
  const product = sum.value;
  if (product.kind !== 'binary' || product.op !== '*') return refuse(`${acc} does not sum products`);
  const [x, offset] = withoutOffset(product.a);
  const w = product.b;
  if (x.kind !== 'load' || w.kind !== 'load') return refuse(`${acc} does not sum x*w`);
  const bias = bufferOf(p, init.value.buf);
  const weights = bufferOf(p, w.buf);
  if (bias.values === undefined || weights.values === undefined) refuse('bias and weights must be constants');
  const fixed = new Set([...init.value.index, ...init.index, ...sum.index].flatMap((e) => [...itersOf(e)]));
  const around = accesses(p.body).find((a) => a.buf === acc && a.how === 'reduce')?.loops ?? [];
  const used = new Set([...w.index, ...x.index].flatMap((e) => [...itersOf(e)]));
  const outer = accesses(p.body).find((a) => a.buf === acc && a.how === 'write')?.loops ?? [];
  const initLoops = new Set(outer.map((l) => l.iter));
  return {
    acc,
    init: init.value,
    bias,
    x,
    offset,
    w,
    weights,
    over: around.filter((l) => used.has(l.iter) && !fixed.has(l.iter) && !initLoops.has(l.iter)),
    outer,
  };
}

/** x and c of (x - c); c is undefined where there is none. */
export function withoutOffset(e: Expr): readonly [Expr, number | undefined] {
  if (e.kind === 'binary' && e.op === '-' && e.b.kind === 'const') return [e.a, e.b.value];
  return [e, undefined];
}

/**
 * For each element of bias: the index lists into the weights that its sum runs over. Refuses unless the weights' index
 * depends on the bias' own iterators and the reduction loops alone.
 */
export function weightsPerBias(r: Reduction): readonly (readonly number[])[] {
  const [at, ...more] = r.init.index;
  if (at === undefined || more.length > 0 || r.bias.shape.length !== 1) return refuse('bias is not a list');
  const allowed = new Set([...itersOf(at), ...r.over.map((l) => l.iter)]);
  const free = r.w.index.flatMap((e) => [...itersOf(e)]);
  if (free.some((n) => !allowed.has(n))) refuse('the weights move with other loops than the bias');
  return iterationsPerBias(at, r).map((iterators) => {
    const out: number[] = [];
    const env = new Map(iterators);
    const go = (d: number): void => {
      const l = r.over[d];
      if (l === undefined) {
        out.push(r.w.index.reduce((sum, e, k) => sum * (r.weights.shape[k] ?? 1) + number(e, env), 0));
        return;
      }
      for (let i = 0; i < l.extent; i++) {
        env.set(l.iter, i);
        go(d + 1);
      }
    };
    go(0);
    return out;
  });
}

/** For each element of bias the one iteration that reads it, by the iterators of its index. */
function iterationsPerBias(at: Expr, r: Reduction): readonly ReadonlyMap<string, number>[] {
  const n = r.bias.shape[0] ?? 0;
  if (at.kind === 'iter') return Array.from({ length: n }, (_, o) => new Map([[at.name, o]]));
  const names = itersOf(at);
  const loops = r.outer.filter((l) => names.has(l.iter));
  const all = loops.reduce<readonly ReadonlyMap<string, number>[]>(
    (some, l) => some.flatMap((env) => Array.from({ length: l.extent }, (_, i) => new Map([...env, [l.iter, i]]))),
    [new Map()],
  );
  const found = new Map(all.map((env) => [number(at, env), env]));
  if (all.length !== n || found.size !== n) refuse('bias is not read once an element');
  return Array.from({ length: n }, (_, o) => found.get(o) ?? refuse(`nothing reads bias[${o}]`));
}

/** Value of an index made of iterators, + - * and min. */
function number(e: Expr, env: ReadonlyMap<string, number>): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'iter':
      return env.get(e.name) ?? refuse(`${e.name} is not bound`);
    case 'binary': {
      const [a, b] = [number(e.a, env), number(e.b, env)];
      if (e.op === '+') return a + b;
      if (e.op === '-') return a - b;
      if (e.op === '*') return a * b;
      if (e.op === 'min') return Math.min(a, b);
      return refuse(`${e.op} in an index of weights`);
    }
    default:
      return refuse('the weights are not indexed by loops alone');
  }
}

/** Replaces the stores to a buffer. */
export const mapStoresTo = (p: Program, buf: string, f: (s: Store) => Store): Program => ({
  ...p,
  body: mapStmts(
    p.body,
    (e) => e,
    (s) => [s.kind === 'store' && s.buf === buf ? f(s) : s],
  ),
});
