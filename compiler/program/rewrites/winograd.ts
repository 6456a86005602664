/**
 * winograd: a 3x3 convolution of stride 1 with fewer products, exact for every input. The direct nest is recognised as a whole;
 * what replaces it computes a multiple of each sum modulo 2^32, which the requantise takes back. Must stay true: no sum of the
 * actual weights can be so large that its multiple leaves int32. Filters are transformed here, once.
 */
import {
  type AffineForm,
  affineByte,
  affineRoles,
  constantProduct,
  inputNest,
  mostDoubled,
  outputNest,
  type Region,
  sumNest,
  type Tile,
  tileOf,
} from '../../instructions/winograd-tile.ts';
import { type Range, simplify } from '../affine.ts';
import {
  add,
  bin,
  buffer,
  constant,
  iter,
  load,
  loadOr,
  loop,
  min,
  mul,
  num,
  refuse,
  register,
  store,
  sub,
} from '../build.ts';
import { canonical } from '../canonical.ts';
import type { Layout } from '../layouts.ts';
import type { Buffer, Expr, Program, Stmt } from '../program.ts';
import { allocsIn, bufferOf, mapStmts, rename, spanOf } from '../walk.ts';
import { fitAffine } from './affine-fit.ts';
import type { Memo } from './memo.ts';
import { type Reduction, reductionInto } from './reduction.ts';
import { accBounds, asksFor, type Requantize, theRequantize } from './requantize-affine.ts';
import type { Fit } from './staircase.ts';
import type { StepOf } from './steps.ts';

type Step = StepOf<'winograd'>;
/** A direct 3x3 convolution of stride 1: what the nest does not say by its shape. */
interface Layer {
  readonly reduction: Reduction;
  readonly requantize: Requantize;
  readonly H: number;
  readonly W: number;
  readonly C: number;
  readonly OH: number;
  readonly OW: number;
  readonly N: number;
  /** Rows and columns of border before the input. */
  readonly top: number;
  readonly left: number;
  /** What is subtracted from x, and what the border holds. */
  readonly offset: number;
  readonly border: number;
}

/**
 * `for oy, ox, o: acc = bias[o]; acc += x*w over 3x3 and channels; y = requantize(acc)`  ->  the input with its border as bytes
 * from 0 on; then, region by region: transformed inputs `v`, and for two channels at a time sums `s` and their outputs. A region
 * is `down` x `across` tiles of `tile` x `tile` outputs; the last ones overlap where the image is no multiple. Forms 'affine' and
 * 'signed' take the multiple back in the multiplier of the requantise, by proof; 'general' divides it out before.
 */
export function winograd(p: Program, s: Step, memo: Memo): Program {
  const layer = layerOf(p, s.acc);
  const region: Region = { tile: tileOf(s.tile), down: s.down, across: s.across };
  const { N, C, OH, OW } = layer;
  if (N % 2 !== 0 || C % 4 !== 0) refuse('channels must come in fours, and output channels in pairs');
  if (s.down * s.tile > OH || s.across * s.tile > OW) refuse(`${OH}x${OW} outputs are less than a region`);
  const bounds = accBounds(p, layer.reduction);
  requireRoom(region.tile, s.form, bounds);
  const affine = s.form === 'general' ? undefined : affineOf(p, layer, region.tile, s.form, bounds, memo);
  const constants = [
    filters(layer, region.tile, affine?.fits ?? []),
    ...(affine === undefined ? [] : affineConstants(affine)),
  ];
  return { ...p, buffers: [...p.buffers, ...constants], body: bodyOf(layer, region, affine) };
}

/** Recognises the nest: it must be the direct one, to the letter. */
function layerOf(p: Program, acc: string): Layer {
  const reduction = reductionInto(p, acc);
  const { x, w, offset } = reduction;
  const [xs, ys, ws] = [bufferOf(p, x.buf), bufferOf(p, 'y'), bufferOf(p, w.buf)];
  const [H = 0, W = 0, C = 0] = xs.shape;
  const [OH = 0, OW = 0, N = 0] = ys.shape;
  if (xs.shape.length !== 3 || xs.dtype !== 'i8' || ws.shape.join() !== [N, 3, 3, C].join())
    refuse('no 3x3 convolution of int8');
  const requantize = theRequantize(p, acc);
  const before = (e: Expr | undefined): number => {
    const at = simplify(e ?? num(0));
    const last = at.kind === 'binary' ? at.b : at;
    return last.kind === 'const' ? -last.value : 0;
  };
  const layer: Layer = {
    ...{ reduction, requantize, H, W, C, OH, OW, N },
    ...{ top: before(x.index[0]), left: before(x.index[1]) },
    offset: offset ?? 0,
    border: x.outside ?? offset ?? 0,
  };
  const temporaries = new Set(allocsIn(p.body).map((b) => b.name));
  if (canonical(p.body, temporaries) !== canonical([directNest(layer)], new Set(['acc'])))
    refuse('not the direct nest of a 3x3 convolution of stride 1');
  return layer;
}

/** The nest that a layer like this has, in names of its own. */
function directNest({ reduction: r, requantize, top, left, OH, OW, N, C }: Layer): Stmt {
  const [oy, ox, o, ky, kx, i] = ['oy', 'ox', 'o', 'ky', 'kx', 'i'].map(iter) as [Expr, Expr, Expr, Expr, Expr, Expr];
  const at = [sub(add(oy, ky), num(top)), sub(add(ox, kx), num(left)), i];
  const pixel = r.x.outside === undefined ? load(r.x.buf, ...at) : loadOr(r.x.outside, r.x.buf, ...at);
  const x = r.offset === undefined ? pixel : sub(pixel, num(r.offset));
  const sum = store('acc', [], mul(x, load(r.w.buf, o, ky, kx, i)), '+');
  const [mult, shift] = [requantize.mult, requantize.shift].map((e) =>
    e.kind === 'load' ? load(e.buf, o) : refuse('the multiplier is not one a channel'),
  ) as [Expr, Expr];
  const [direct] = mapStmts(
    [
      loop(
        'oy',
        OH,
        loop(
          'ox',
          OW,
          loop(
            'o',
            N,
            register('acc'),
            store('acc', [], load(r.bias.name, o)),
            loop('ky', 3, loop('kx', 3, loop('i', C, sum))),
            store('y', [oy, ox, o], { ...requantize, acc: load('acc'), mult, shift }),
          ),
        ),
      ),
    ],
    (e) => e,
  );
  return direct as Stmt;
}

/** From here on x is a byte from 0 on: what is read, minus the smallest int8. */
const smallest = spanOf('i8')[0];

/** Refuses where a multiple of a reachable sum would not fit int32. */
function requireRoom(tile: Tile, form: Step['form'], bounds: readonly Range[]): void {
  // Dividing by an odd number is exact modulo 2^32; only doublings are lost for good.
  const multiple = form === 'general' ? powerOfTwo(tile.base) : tile.base;
  const widest = multiple * 2 ** mostDoubled(tile);
  const o = bounds.findIndex(([lo, hi]) => (Math.max(-lo, hi) + 1) * widest > 2 ** 31);
  if (o >= 0) refuse(`sums of channel ${o} are too large for tiles of ${tile.m}`);
}
/** The largest that divides n. */
export const powerOfTwo = (n: number): number => n & -n;

interface Affine {
  readonly form: AffineForm;
  readonly fits: readonly Fit[];
}
/** Proves a form for every channel; they share a shift. */
function affineOf(
  p: Program,
  { requantize }: Layer,
  tile: Tile,
  form: AffineForm['form'],
  bounds: readonly Range[],
  memo: Memo,
): Affine {
  // A fraction of a step of the sum, added where it starts, places the steps finer than the addend can.
  const offsets = [0, 4, 2, 1, 3, 5, 6, 7].map((n) => Math.floor((n * tile.base) / 8));
  const how = { scale: tile.base, offsets, room: mostDoubled(tile), fixed: form === 'signed' };
  const { right, asks } = asksFor(p, requantize, bounds, how);
  const fits = asks.map((ask, o) => fitAffine(ask, memo) ?? refuse(`no form ${form} is exact for channel ${o}`));
  return { form: { form, right, min: requantize.min, max: requantize.max }, fits };
}

const affineConstants = ({ form, fits }: Affine): readonly Buffer[] =>
  affineRoles(form.form).map((role) =>
    constant(
      role,
      [fits.length],
      fits.map((f) => f[role]),
    ),
  );

/** wt[o, p]: where the sum of product p starts, then the transformed filter of each input channel. */
function filters({ N, C, offset, reduction: { bias, weights } }: Layer, tile: Tile, fits: readonly Fit[]): Buffer {
  const products = tile.n * tile.n;
  const values = new Int32Array(N * products * (C + 1));
  const w = (o: number, tap: number, c: number): number => weights.values?.[(o * 9 + tap) * C + c] ?? 0;
  for (let o = 0; o < N; o++) {
    const total = sumOf(9 * C, (i) => w(o, Math.floor(i / C), i % C));
    const alone = (bias.values?.[o] ?? 0) + (smallest - offset) * total;
    for (let p = 0; p < products; p++) {
      const at = (o * products + p) * (C + 1);
      for (let c = 0; c < C; c++) values[at + 1 + c] = transformed(tile, p, (tap) => w(o, tap, c));
      const lifted = tile.lift * sumOf(C, (c) => values[at + 1 + c] ?? 0);
      const start = p === constantProduct(tile) ? tile.base * alone + (fits[o]?.offset ?? 0) : 0;
      values[at] = start - lifted;
    }
  }
  return constant('wt', [N, products, C + 1], values);
}
const sumOf = (n: number, term: (i: number) => number): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += term(i);
  return sum;
};

/** (G g G')[p]. */
export function transformed({ n, filter }: Tile, p: number, g: (tap: number) => number): number {
  const [down, across] = [filter[Math.floor(p / n)] ?? [], filter[p % n] ?? []];
  return sumOf(9, (tap) => (down[Math.floor(tap / 3)] ?? 0) * (across[tap % 3] ?? 0) * g(tap));
}

/** Sums are of two channels at a time, pixels as SXTB16 leaves four of them. */
const quads: Layout = { kind: 'quad', order: [0, 2, 1, 3] };

function bodyOf(layer: Layer, region: Region, affine: Affine | undefined): readonly Stmt[] {
  const { C, OH, OW, N } = layer;
  const { tile, down, across } = region;
  const products = tile.n * tile.n;
  const at = [regionAt('ry', tile.m * down, OH), regionAt('rx', tile.m * across, OW)];
  const scratch = (name: string, dtype: 'u8' | 'i16' | 'i32', shape: readonly number[], layout?: Layout): Stmt => ({
    kind: 'alloc',
    buffer: { ...buffer(name, dtype, shape, 'scratch'), ...(layout !== undefined && { layout }) },
  });
  const o = mul(num(2), iter('oo'));
  const inner = [
    scratch('v', 'i16', [products, down, across, C], quads),
    inputNest(region, C, at),
    loop(
      'oo',
      N / 2,
      scratch('s', 'i32', [down, across, 2, products]),
      sumNest(region, C, o),
      outputNest(region, [...at, o], (sum, doubled, channel) => byteOf(layer, tile, affine, sum, doubled, channel)),
    ),
  ];
  const regions = loop('ry', Math.ceil(OH / (tile.m * down)), loop('rx', Math.ceil(OW / (tile.m * across)), ...inner));
  const names: Readonly<Record<string, string>> = { x: 'xw', w: 'wt' };
  return [
    scratch('xw', 'u8', [OH + 2, OW + 2, C]),
    frameNest(layer),
    ...rename(
      [regions],
      (b) => names[b] ?? b,
      (l) => l,
    ),
  ];
}

/** Where region number `name` begins: the last one is pushed back into the image. */
export function regionAt(name: string, size: number, image: number): Expr {
  const at = mul(num(size), iter(name));
  return image % size === 0 ? at : min(at, num(image - size));
}

/** xw[a, b, c] = x with its border, from 0 on. */
function frameNest({ reduction: r, top, left, OH, OW, C, border }: Layer): Stmt {
  const [a, b, c] = [iter('a'), iter('b'), iter('c')];
  const at = [sub(a, num(top)), sub(b, num(left)), c];
  const pixel = r.x.outside === undefined ? load(r.x.buf, ...at) : loadOr(border, r.x.buf, ...at);
  const value = add(pixel, num(-smallest));
  return loop('a', OH + 2, loop('b', OW + 2, loop('c', C, store('xw', [a, b, c], value))));
}

function byteOf(
  { requantize }: Layer,
  { base }: Tile,
  affine: Affine | undefined,
  sum: Expr,
  doubled: number,
  o: Expr,
): Expr {
  if (affine !== undefined) return affineByte(affine.form, sum, doubled, o);
  const odd = base / powerOfTwo(base);
  // Odd numbers have an inverse modulo 2^32; what is left are doublings.
  const exact = odd === 1 ? sum : mul(sum, num(inverse(odd)));
  const at = (e: Expr): Expr => (e.kind === 'load' ? load(e.buf, o) : e);
  return {
    ...requantize,
    acc: bin('>>', exact, num(Math.log2(powerOfTwo(base)) + doubled)),
    mult: at(requantize.mult),
    shift: at(requantize.shift),
  };
}
/** The inverse of an odd number modulo 2^32: each step doubles the bits that are right. */
export function inverse(odd: number): number {
  let x = odd;
  for (let bits = 3; bits < 32; bits *= 2) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}
