/**
 * Affine forms of indices: a sum of coefficient * atom. An atom is an iterator, or min/max/div/... of such forms, which is
 * carried along as it is (a shifted-in tail is `min(4*pb, 121)`). simplify() gives equal forms equal text.
 */
import { bin, num } from './build.ts';
import type { Expr, Loop } from './program.ts';
import { show } from './show.ts';

export interface Term {
  readonly coef: number;
  readonly atom: Expr;
}
/** Terms by the text of their atom; the constant has key ''. */
export type Affine = ReadonlyMap<string, Term>;

export function affine(e: Expr): Affine {
  const out = new Map<string, Term>();
  const put = (key: string, atom: Expr, c: number): void => {
    const coef = (out.get(key)?.coef ?? 0) + c;
    if (coef === 0) out.delete(key);
    else out.set(key, { coef, atom });
  };
  const go = (x: Expr, c: number): void => {
    if (x.kind === 'const') return put('', num(1), c * x.value);
    if (x.kind === 'binary' && (x.op === '+' || x.op === '-')) {
      go(x.a, c);
      return go(x.b, x.op === '+' ? c : -c);
    }
    if (x.kind === 'binary' && x.op === '*' && x.b.kind === 'const') return go(x.a, c * x.b.value);
    if (x.kind === 'binary' && x.op === '*' && x.a.kind === 'const') return go(x.b, c * x.a.value);
    const atom = x.kind === 'binary' && (x.op === 'min' || x.op === 'max') ? foldExtremum(x.op, x.a, x.b) : x;
    if (atom.kind === 'const') return put('', num(1), c * atom.value);
    put(show(atom), atom, c);
  };
  go(e, 1);
  return out;
}

function foldExtremum(op: 'min' | 'max', a: Expr, b: Expr): Expr {
  const x = simplify(a);
  const y = simplify(b);
  if (x.kind === 'const' && y.kind === 'const')
    return num(op === 'min' ? Math.min(x.value, y.value) : Math.max(x.value, y.value));
  return bin(op, x, y);
}

/** The canonical expression of an index: atoms in order of their text, the constant last. */
export function simplify(e: Expr): Expr {
  if (e.kind === 'const' || e.kind === 'iter') return e;
  const terms = [...affine(e)].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  const parts = terms.map(([key, { coef, atom }]) =>
    key === '' ? num(coef) : coef === 1 ? atom : bin('*', num(coef), atom),
  );
  return parts.length > 0 ? parts.reduce((a, b) => bin('+', a, b)) : num(0);
}

/** Names of the iterators in an expression. */
export function itersOf(e: Expr): ReadonlySet<string> {
  const names = new Set<string>();
  const go = (x: Expr): void => {
    switch (x.kind) {
      case 'const':
        return;
      case 'iter':
        names.add(x.name);
        return;
      case 'load':
        return x.index.forEach(go);
      case 'binary':
        go(x.a);
        return go(x.b);
      case 'clz':
        return go(x.a);
      case 'requantize':
        go(x.acc);
        go(x.mult);
        return go(x.shift);
      case 'quantize':
      case 'dequantize':
        return go(x.value);
    }
  };
  go(e);
  return names;
}

/** The affine form cut in two: the terms that mention one of `names`, and the rest. */
export function partition(e: Expr, names: ReadonlySet<string>): readonly [Expr, Expr] {
  let moving = num(0);
  let fixed = num(0);
  for (const { coef, atom } of affine(e).values()) {
    const term = bin('*', num(coef), atom);
    if ([...itersOf(atom)].some((n) => names.has(n))) moving = bin('+', moving, term);
    else fixed = bin('+', fixed, term);
  }
  return [simplify(moving), simplify(fixed)];
}

/** Row-major flat index. */
export const flat = (shape: readonly number[], index: readonly Expr[]): Expr =>
  simplify(index.reduce((sum, e, d) => bin('+', bin('*', sum, num(shape[d] ?? 1)), e), num(0)));

/** Smallest and largest value. */
export type Range = readonly [number, number];

/** The range of an index inside `loops`; undefined where it is not made of iterators, min and max. */
export const extent = (e: Expr, loops: readonly Loop[]): Range | undefined =>
  extentIn(e, (name) => {
    const l = loops.find((x) => x.iter === name);
    return l && [0, l.extent - 1];
  });

/** The same, from the ranges of iterators. */
export function extentIn(e: Expr, rangeOf: (iter: string) => Range | undefined): Range | undefined {
  let lo = 0;
  let hi = 0;
  for (const { coef, atom } of affine(e).values()) {
    const range = atomRange(atom, rangeOf);
    if (range === undefined) return undefined;
    const [a, b] = [coef * range[0], coef * range[1]];
    lo += Math.min(a, b);
    hi += Math.max(a, b);
  }
  return [lo, hi];
}
function atomRange(atom: Expr, rangeOf: (iter: string) => Range | undefined): Range | undefined {
  if (atom.kind === 'const') return [atom.value, atom.value];
  if (atom.kind === 'iter') return rangeOf(atom.name);
  // A value from memory: only a min and max around it can bring it into bounds (a table lookup).
  if (atom.kind === 'load') return [-(2 ** 31), 2 ** 31 - 1];
  if (atom.kind !== 'binary' || (atom.op !== 'min' && atom.op !== 'max')) return undefined;
  const a = extentIn(atom.a, rangeOf);
  const b = extentIn(atom.b, rangeOf);
  if (a === undefined || b === undefined) return undefined;
  const pick = atom.op === 'min' ? Math.min : Math.max;
  return [pick(a[0], b[0]), pick(a[1], b[1])];
}
