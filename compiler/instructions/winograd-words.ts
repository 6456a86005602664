/**
 * The nests of a Winograd convolution on CPUs whose multiplication keeps 32 bits: transformed inputs are words, the tiles of a
 * region side by side, so that one filter word serves them all. Shared by the rewrite (rewrites/winograd-words.ts) and the three
 * instructions. Must stay true: whatever the order of sums, words are exact modulo 2^32.
 */
import { add, bin, iter, load, loop, mul, num, register, store } from '../program/build.ts';
import type { Expr, Stmt } from '../program/program.ts';
import { combination, type Origin, type Region, range, within } from './winograd-tile.ts';

/** v[n*i + j, c, ti, tj] = (B x B')[i, j] of each tile, x from `origin` (row, column) on. */
export function wordInputNest({ tile, down, across }: Region, channels: number, [y, x]: Origin): Stmt {
  const { m, n, input } = tile;
  const at = (k: number, column: Expr): Expr =>
    load('x', within(y ?? num(0), 'ti', m, num(k)), within(x ?? num(0), 'tj', m, column), iter('tc'));
  const columns = range(n).map((i) =>
    store(
      'u',
      [num(i), iter('tcol')],
      combination(input[i] ?? [], (k) => at(k, iter('tcol'))),
    ),
  );
  const rows = range(n).map((j) =>
    store(
      'v',
      [add(mul(num(n), iter('trow')), num(j)), iter('tc'), iter('ti'), iter('tj')],
      combination(input[j] ?? [], (k) => load('u', iter('trow'), num(k))),
    ),
  );
  const one = [register('u', 'i32', [n, n]), loop('tcol', n, ...columns), loop('trow', n, ...rows)];
  return loop('ti', down, loop('tj', across, loop('tc', channels, ...one)));
}

/** s[p, ti, tj] = sum over c of v[p, c, ti, tj] * w[o, p, c]. */
export function wordSumNest({ tile, down, across }: Region, channels: number, o: Expr): Stmt {
  const [p, c, si, sj] = ['p', 'sc', 'si', 'sj'].map(iter) as [Expr, Expr, Expr, Expr];
  const one = [
    register('t'),
    store('t', [], num(0)),
    loop('sc', channels, store('t', [], mul(load('v', p, c, si, sj), load('w', o, p, c)), '+')),
    store('s', [p, si, sj], load('t')),
  ];
  return loop('p', tile.n * tile.n, loop('si', down, loop('sj', across, ...one)));
}

/**
 * y[..., o] = byte of each tile's sums: (A s A')[i, j] is an odd number times a power of two times the sum; the odd number's inverse
 * takes the one back, a shift the other.
 */
export function wordOutputNest(
  { tile, down, across }: Region,
  [y, x, o]: Origin,
  inverse: number,
  byte: (sum: Expr) => Expr,
): Stmt {
  const { m, n, output } = tile;
  const sum = (k: number): Expr => load('s', add(mul(num(n), iter('yrow')), num(k)), iter('yi'), iter('yj'));
  const rows = range(m).map((j) => store('q', [iter('yrow'), num(j)], combination(output[j] ?? [], sum)));
  const bytes = range(m).flatMap((j) =>
    range(m).flatMap((i) => {
      const value = combination(output[i] ?? [], (k) => load('q', num(k), num(j)));
      const at = [within(y ?? num(0), 'yi', m, num(i)), within(x ?? num(0), 'yj', m, num(j)), o ?? num(0)];
      return [
        store('e', [], bin('>>', mul(value, num(inverse)), num(doublings(tile, i, j)))),
        store('y', at, byte(load('e'))),
      ];
    }),
  );
  const one = [register('q', 'i32', [n, m]), register('e'), loop('yrow', n, ...rows), ...bytes];
  return loop('yi', down, loop('yj', across, ...one));
}

/** How often output (i, j) is twice what the odd number makes of it. */
export const doublings = ({ base, doubled }: Region['tile'], i: number, j: number): number =>
  Math.log2(base & -base) + (doubled[i] ?? 0) + (doubled[j] ?? 0);
