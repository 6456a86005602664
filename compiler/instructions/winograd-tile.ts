/**
 * Winograd's minimal filtering of 3x3 windows, in integers: tiles of m x m outputs from n x n inputs (n = m + 2) with n*n products
 * instead of 9*m*m. The matrices, and the three nests that rewrite and instructions share: input transform, sums over channels,
 * output transform. Must stay true: output[i]' (G g * B d) = scale(i) * (g convolved with d)[i] for every g and d, scale(i) a
 * power of two times the same odd number; then all is exact modulo 2^32, and nothing is ever divided.
 */
import { add, bin, clamp, iter, load, loop, mul, num, refuse, register, store, sub } from '../program/build.ts';
import type { Expr, Stmt } from '../program/program.ts';

export interface Tile {
  /** Outputs along an edge, and inputs. */
  readonly m: number;
  readonly n: number;
  /** B: n x n, applied to inputs. */
  readonly input: readonly (readonly number[])[];
  /** G: n x 3, applied to filters. */
  readonly filter: readonly (readonly number[])[];
  /** A: m x n, applied to sums. */
  readonly output: readonly (readonly number[])[];
  /** Output (i, j) is base * 2^(doubled[i] + doubled[j]) times the true sum. */
  readonly base: number;
  readonly doubled: readonly number[];
  /** Added to each transformed input, so that two of them in a word stay apart under plain additions. */
  readonly lift: number;
}

/** 36 products for 16 outputs. Transformed inputs are -12750..17340 before the lift, filters within 49 * 128. */
const four: Tile = {
  m: 4,
  n: 6,
  input: [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  filter: [
    [3, 0, 0],
    [1, 1, 1],
    [1, -1, 1],
    [1, 2, 4],
    [1, -2, 4],
    [0, 0, 3],
  ],
  output: [
    [2, -4, -4, 1, 1, 0],
    [0, -2, 2, 1, -1, 0],
    [0, -1, -1, 1, 1, 0],
    [0, -1, 1, 2, -2, 2],
  ],
  base: 36,
  doubled: [2, 1, 0, 0],
  lift: 0x3200,
};

/** 16 products for 4 outputs. Filters are four times finer than they must be: it leaves the multiplier of a requantise its bits. */
const two: Tile = {
  m: 2,
  n: 4,
  input: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  filter: [
    [8, 0, 0],
    [4, 4, 4],
    [4, -4, 4],
    [0, 0, 8],
  ],
  output: [
    [1, 1, 1, 0],
    [0, 1, -1, -1],
  ],
  base: 64,
  doubled: [0, 0],
  lift: 0,
};

export const tiles: readonly Tile[] = [four, two];
/** The tile with m outputs along an edge. */
export const tileOf = (m: number): Tile => tiles.find((t) => t.m === m) ?? refuse(`no Winograd tile of ${m}`);
/** The tile with that many products. */
export const tileOfProducts = (products: number): Tile =>
  tiles.find((t) => t.n * t.n === products) ?? refuse(`no Winograd tile of ${products} products`);
/** Most doublings of an output. */
export const mostDoubled = (t: Tile): number => 2 * Math.max(...t.doubled);
/** The product whose sum reaches every output with that output's own scale: a constant is added there, `base` times. */
export const constantProduct = (t: Tile): number => t.n + 1;

/** What a nest covers: `down` x `across` tiles side by side, of C channels. */
export interface Region {
  readonly tile: Tile;
  readonly down: number;
  readonly across: number;
}
export type Origin = readonly Expr[];

/** Sum of coefficients times terms; those of 0 left out. */
export function combination(coefficients: readonly number[], term: (k: number) => Expr): Expr {
  const parts = coefficients.flatMap((c, k) => (c === 0 ? [] : [{ c, e: term(k) }]));
  // A positive one first, so that nothing needs a negation.
  const ordered = [...parts.filter(({ c }) => c > 0), ...parts.filter(({ c }) => c < 0)];
  const scaled = (c: number, e: Expr): Expr => (c === 1 ? e : mul(num(c), e));
  return ordered
    .slice(1)
    .reduce(
      (sum, { c, e }) => (c > 0 ? add(sum, scaled(c, e)) : sub(sum, scaled(-c, e))),
      scaled(ordered[0]?.c ?? 0, ordered[0]?.e ?? num(0)),
    );
}
export const within = (origin: Expr, tile: string, step: number, at: Expr): Expr =>
  add(origin, add(mul(num(step), iter(tile)), at));
export const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** v[n*i + j, ti, tj, c] = lift + (B x B')[i, j] of each tile, x from `origin` (row, column) on. */
export function inputNest({ tile, down, across }: Region, channels: number, [y, x]: Origin): Stmt {
  const { m, n, input, lift } = tile;
  const [ti, tj, c, column, row] = ['ti', 'tj', 'tc', 'tcol', 'trow'] as const;
  const pixel = (k: number): Expr =>
    load('x', within(y ?? num(0), ti, m, num(k)), within(x ?? num(0), tj, m, iter(column)), iter(c));
  const columns = range(n).map((i) => store('u', [num(i), iter(column)], combination(input[i] ?? [], pixel)));
  const rows = range(n).map((j) => {
    const value = combination(input[j] ?? [], (k) => load('u', iter(row), num(k)));
    const at = add(mul(num(n), iter(row)), num(j));
    return store('v', [at, iter(ti), iter(tj), iter(c)], lift === 0 ? value : add(value, num(lift)));
  });
  return loop(
    ti,
    down,
    loop(
      tj,
      across,
      loop(c, channels, register('u', 'i32', [n, n]), loop(column, n, ...columns), loop(row, n, ...rows)),
    ),
  );
}

/** s[ti, tj, d, p] = w[o + d, p, 0] + sum over c of v[p, ti, tj, c] * w[o + d, p, c + 1], for two channels. */
export function sumNest({ tile, down, across }: Region, channels: number, o: Expr): Stmt {
  const [p, ti, tj, d, c] = ['p', 'si', 'sj', 'sd', 'sc'].map(iter) as [Expr, Expr, Expr, Expr, Expr];
  const row = add(o, d);
  const product = mul(load('v', p, ti, tj, c), load('w', row, p, add(c, num(1))));
  const one = [
    register('t'),
    store('t', [], load('w', row, p, num(0))),
    loop('sc', channels, store('t', [], product, '+')),
    store('s', [ti, tj, d, p], load('t')),
  ];
  return loop('p', tile.n * tile.n, loop('si', down, loop('sj', across, loop('sd', 2, ...one))));
}

/** y[..., o + d] = requantised (A s A')[i, j] of each tile, y from `origin` (row, column, channel) on. `byte` gets the sum and its doublings. */
export function outputNest(
  { tile, down, across }: Region,
  [y, x, o]: Origin,
  byte: (sum: Expr, doubled: number, channel: Expr) => Expr,
): Stmt {
  const { m, n, output, doubled } = tile;
  const [d, ti, tj, column] = ['yd', 'yi', 'yj', 'ycol'] as const;
  const channel = add(o ?? num(0), iter(d));
  const sum = (k: number): Expr => load('s', iter(ti), iter(tj), iter(d), add(num(n * k), iter(column)));
  const columns = range(m).map((i) => store('q', [num(i), iter(column)], combination(output[i] ?? [], sum)));
  const bytes = range(m).flatMap((i) =>
    range(m).map((j) => {
      const value = combination(output[j] ?? [], (k) => load('q', num(i), num(k)));
      const at = [within(y ?? num(0), ti, m, num(i)), within(x ?? num(0), tj, m, num(j)), channel];
      return store('y', at, byte(value, (doubled[i] ?? 0) + (doubled[j] ?? 0), channel));
    }),
  );
  return loop(
    d,
    2,
    loop(ti, down, loop(tj, across, register('q', 'i32', [m, n]), loop(column, n, ...columns), ...bytes)),
  );
}

/** A proved requantise form: SMMLA and SSAT, 'signed' with a correction below zero. `right` is for a sum without doublings. */
export interface AffineForm {
  readonly form: 'affine' | 'signed';
  readonly right: number;
  readonly min: number;
  readonly max: number;
}
/** Its constants by channel. */
export const affineRoles = (form: AffineForm['form']): readonly ('mul' | 'add' | 'fix')[] =>
  form === 'signed' ? ['mul', 'add', 'fix'] : ['mul', 'add'];

/** What is stored of a sum that was doubled so often: the addend is doubled as well, and the doublings are shifted out again. */
export function affineByte({ form, right, min, max }: AffineForm, sum: Expr, doubled: number, o: Expr): Expr {
  const shifted = (e: Expr): Expr => (doubled === 0 ? e : bin('<<', e, num(doubled)));
  const below = bin('&', bin('>>', sum, num(31)), load('fix', o));
  const addend = form === 'signed' ? add(below, load('add', o)) : load('add', o);
  const scaled = add(bin('mulhi', sum, load('mul', o)), shifted(addend));
  return clamp(bin('>>', scaled, num(right + doubled)), min, max);
}
