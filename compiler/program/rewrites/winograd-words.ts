/**
 * winogradWords: a 3x3 convolution of stride 1 in a quarter of its products, as words modulo 2^32. It stands behind what makes the
 * border real and the requantise a form of sums from zero, and leaves both as they are: it rewrites how a sum comes about.
 * Must stay true: no multiple of a reachable sum that has to be shifted back leaves int32.
 */
import type { Region } from '../../instructions/winograd-tile.ts';
import { tileOf } from '../../instructions/winograd-tile.ts';
import { doublings, wordInputNest, wordOutputNest, wordSumNest } from '../../instructions/winograd-words.ts';
import { add, buffer, iter, load, loop, mul, num, refuse, register, store } from '../build.ts';
import { canonical } from '../canonical.ts';
import type { Buffer, Expr, Loop, Program, Stmt } from '../program.ts';
import { atLoop, bufferOf, loopOf, loopsIn, mapExpr, rename, spanOf, storesIn } from '../walk.ts';
import { knownSpan } from './known-span.ts';
import type { StepOf } from './steps.ts';
import { inverse, powerOfTwo, regionAt, transformed } from './winograd.ts';

interface Direct {
  readonly x: Buffer;
  readonly w: Buffer;
  readonly y: Buffer;
  /** The stored value, of the sum `acc` and of iterator `o`. */
  readonly value: Expr;
}

/**
 * `for oy, ox, o: acc = 0; acc += x[oy + ky, ox + kx, c]*w[o, ky, kx, c]; y = f(acc, o)`  ->  region by region of down x across
 * tiles: transformed inputs `v`, then for each channel sums `s` over all products, and y = f of what they make of acc.
 */
export function winogradWords(p: Program, s: StepOf<'winogradWords'>): Program {
  const nest = loopOf(p, s.loop);
  const d = directOf(p, nest, s.acc);
  const region: Region = { tile: tileOf(s.tile), down: s.down, across: s.across };
  const [N = 0, , , C = 0] = d.w.shape;
  requireRoom(region, d, p);
  const filters: Buffer = {
    ...buffer('wt', 'i16', [N, region.tile.n ** 2, C], 'const'),
    values: filterValues(region.tile, d.w),
  };
  const done = atLoop(p, s.loop, () => [bodyOf(region, d, s.acc)]);
  return { ...done, buffers: [...done.buffers, filters] };
}

/** Recognises the nest: it must be the direct one, to the letter. */
function directOf(p: Program, nest: Loop, acc: string): Direct {
  const stores = storesIn([nest]);
  const [, sum, last] = stores;
  if (stores.length !== 3 || sum?.value.kind !== 'binary' || last === undefined) return refuse('no sum from zero');
  const [a, b] = [sum.value.a, sum.value.b];
  if (a.kind !== 'load' || b.kind !== 'load') return refuse('no sum of products');
  const [x, w, y] = [bufferOf(p, a.buf), bufferOf(p, b.buf), bufferOf(p, last.buf)];
  const [OH = 0, OW = 0, N = 0] = y.shape;
  const C = x.shape[2] ?? 0;
  if (x.shape.length !== 3 || x.dtype !== 'i8' || y.shape.length !== 3 || w.values === undefined)
    refuse('no 3x3 convolution of int8');
  if (w.shape.join() !== [N, 3, 3, C].join()) refuse('no 3x3 convolution');
  const [, , channel] = loopsIn([nest]);
  const value = mapExpr(last.value, (e) => (e.kind === 'iter' && e.name === channel?.iter ? iter('o') : e));
  const [oy, ox, o, ky, kx, i] = ['oy', 'ox', 'o', 'ky', 'kx', 'i'].map(iter) as [Expr, Expr, Expr, Expr, Expr, Expr];
  const product = mul(load(x.name, add(oy, ky), add(ox, kx), i), load(w.name, o, ky, kx, i));
  const one: readonly Stmt[] = [
    register(acc),
    store(acc, [], num(0)),
    loop('ky', 3, loop('kx', 3, loop('i', C, store(acc, [], product, '+')))),
    store(y.name, [oy, ox, o], value),
  ];
  const want = loop('oy', OH, loop('ox', OW, loop('o', N, ...one)));
  if (canonical([nest], new Set([acc])) !== canonical([want], new Set([acc])))
    refuse('not the direct nest of a 3x3 convolution of stride 1 without a border, from zero');
  return { x, w, y, value };
}

/** The sums of weights' sizes times the farthest input, doubled as often as an output is. */
function requireRoom({ tile, down, across }: Region, { x, w, y }: Direct, p: Program): void {
  const [OH = 0, OW = 0, N = 1] = y.shape;
  if (down * tile.m > OH || across * tile.m > OW) refuse(`${OH}x${OW} outputs are less than a region`);
  const [lo, hi] = knownSpan(p, x.name);
  const most = 2 ** Math.max(...tile.doubled.flatMap((_, i) => tile.doubled.map((__, j) => doublings(tile, i, j))));
  const values = w.values ?? new Int32Array(0);
  const K = values.length / N;
  for (let o = 0; o < N; o++) {
    const size = values.subarray(o * K, (o + 1) * K).reduce((n, v) => n + Math.abs(v), 0);
    if (Math.max(-lo, hi) * size * most >= 2 ** 31) refuse(`sums of channel ${o} are too large for tiles of ${tile.m}`);
  }
}

/** wt[o, p, c] = (G g G')[p]. */
function filterValues(tile: Region['tile'], w: Buffer): Int32Array {
  const [N = 0, , , C = 0] = w.shape;
  const products = tile.n ** 2;
  const [least, most] = spanOf('i16');
  const out = new Int32Array(N * products * C);
  for (let at = 0; at < out.length; at++) {
    const [c, rest] = [at % C, Math.floor(at / C)];
    const [o, product] = [Math.floor(rest / products), rest % products];
    const value = transformed(tile, product, (tap) => w.values?.[(o * 9 + tap) * C + c] ?? 0);
    out[at] = value < least || value > most ? refuse('a transformed filter does not fit int16') : value;
  }
  return out;
}

function bodyOf(region: Region, { x, y, value }: Direct, acc: string): Stmt {
  const { tile, down, across } = region;
  const [OH = 1, OW = 1, N = 1] = y.shape;
  const C = x.shape[2] ?? 1;
  const at = [regionAt('ry', tile.m * down, OH), regionAt('rx', tile.m * across, OW)];
  const scratch = (name: string, shape: readonly number[]): Stmt => ({
    kind: 'alloc',
    buffer: buffer(name, 'i32', shape, 'scratch'),
  });
  const byte = (sum: Expr): Expr => mapExpr(value, (e) => (e.kind === 'load' && e.buf === acc ? sum : e));
  const odd = inverse(tile.base / powerOfTwo(tile.base));
  const channel = loop(
    'o',
    N,
    scratch('s', [tile.n ** 2, down, across]),
    wordSumNest(region, C, iter('o')),
    wordOutputNest(region, [...at, iter('o')], odd, byte),
  );
  const inner = [scratch('v', [tile.n ** 2, C, down, across]), wordInputNest(region, C, at), channel];
  const regions = loop('ry', Math.ceil(OH / (tile.m * down)), loop('rx', Math.ceil(OW / (tile.m * across)), ...inner));
  const names: Readonly<Record<string, string>> = { x: x.name, w: 'wt', y: y.name };
  return rename(
    [regions],
    (b) => names[b] ?? b,
    (l) => l,
  )[0] as Stmt;
}
