/**
 * Finds one linear form of two bytes that equals a table of 65,536 results, and proves it on all of them. For given slopes the
 * offsets that fit are an interval, and its length is a concave function of the slopes: so the search climbs to where the
 * interval is longest, and then tries whole numbers around.
 */

/** Lowest and highest value of a byte. */
export type Span = readonly [number, number];

/** The results that are wanted, x by x and z by z, and what is known of them. */
export interface Target {
  readonly wanted: Int32Array;
  readonly spans: readonly [Span, Span];
  readonly min: number;
  readonly max: number;
  /** Slopes of x and z, before any rounding. */
  readonly slopes: Slopes;
}
type Slopes = readonly [number, number];

/**
 * Where the result lies in a 32-bit sum. 'word': x*m0 + z*m1 + add, shifted right by as little as possible. 'half': in its upper
 * half, so that two of them can be saturated at once; x*m0 >> 8 and z*m1 >> 8 are added, so m0 and m1 have 24 fraction bits.
 */
export type SumForm = 'word' | 'half';
export interface Linear {
  readonly m0: number;
  readonly m1: number;
  readonly add: number;
  readonly shift: number;
}

/** The form that is exact on every pair, or undefined where none was found. */
export function fitLinear(t: Target, form: SumForm): Linear | undefined {
  const shift = form === 'half' ? 16 : shiftFor(t);
  const bits = form === 'half' ? 24 : shift;
  if (shift < 1 || (form === 'half' && shiftFor(t) < 17)) return undefined;
  const best = climb(t, enough[form] / 2 ** shift);
  if (best === undefined) return undefined;
  for (const [d0, d1] of around(reach[form])) {
    const [m0, m1] = [Math.round(best[0] * 2 ** bits) + d0, Math.round(best[1] * 2 ** bits) + d1];
    if (Math.max(Math.abs(m0), Math.abs(m1)) >= 2 ** 31) return undefined;
    const [low, high] = window(t, products(t.spans, [m0, m1], form), 2 ** shift, 1);
    if (low <= high) return { m0, m1, add: Math.floor((low + high) / 2), shift };
  }
  return undefined;
}

/** Steps of the multipliers around the best slopes that are tried: products that are rounded down fit by luck more often. */
const reach: Readonly<Record<SumForm, number>> = { word: 6, half: 12 };

/** Units of the sum's last bit that leave room for rounded slopes: the climb ends there. */
const enough: Readonly<Record<SumForm, number>> = { word: 512, half: 6 };

/** Whole steps in two directions, the nearest first. */
function around(distance: number): readonly (readonly [number, number])[] {
  const steps = Array.from({ length: 2 * distance + 1 }, (_, i) => i - distance);
  const all = steps.flatMap((a) => steps.map((b): readonly [number, number] => [a, b]));
  return all.sort(([a, b], [c, d]) => Math.abs(a) + Math.abs(b) - Math.abs(c) - Math.abs(d));
}

/** The largest shift at which no sum leaves 32 bits; sums of parts may, they wrap back. 0 where all results are clamped. */
function shiftFor({ wanted, spans: [xs, zs], slopes, min, max }: Target): number {
  // One result that is not clamped tells where all others lie.
  const one = wanted.findIndex((level) => level > min && level < max);
  if (one < 0) return 0;
  const width = zs[1] - zs[0] + 1;
  const [x, z] = [xs[0] + Math.floor(one / width), zs[0] + (one % width)];
  const at = (a: number, b: number): number => (wanted[one] as number) + (a - x) * slopes[0] + (b - z) * slopes[1];
  const most = Math.max(...xs.flatMap((a) => zs.map((b) => Math.abs(at(a, b)))));
  return Math.min(30, Math.floor(31 - Math.log2(most + 2)));
}

/** What each value of x and of z adds to the sum. */
type Products = readonly [ArrayLike<number>, ArrayLike<number>];
function products(spans: Target['spans'], [m0, m1]: Slopes, form: SumForm | 'real'): Products {
  const each = ([from, to]: Span, m: number): Float64Array =>
    Float64Array.from({ length: to - from + 1 }, (_, i) => {
      const product = (from + i) * m;
      return form === 'half' ? Math.floor(product / 256) : product;
    });
  return [each(spans[0], m0), each(spans[1], m1)];
}

/** The offsets that give every wanted result, as an interval (empty where low > high), and the pairs at its two ends. */
function window(
  { wanted, min, max }: Target,
  [xs, zs]: Products,
  unit: number,
  step: number,
): readonly [number, number, number, number] {
  let [low, high, lowest, highest] = [-Infinity, Infinity, 0, 0];
  let i = 0;
  for (let x = 0; x < xs.length; x++) {
    const row = xs[x] as number;
    for (let z = 0; z < zs.length; z++, i++) {
      const level = wanted[i] as number;
      const from = level * unit - row - (zs[z] as number);
      if (level > min && from > low) [low, lowest] = [from, i];
      if (level < max && from + unit - step < high) [high, highest] = [from + unit - step, i];
    }
    if (step > 0 && low > high) break;
  }
  return [low, high, lowest, highest];
}

/** Rounds of the climb; each leaves 0.77 of the area in which the best slopes may lie. */
const rounds = 60;
/** How far the best slopes may be from those without rounding, as a part of them. */
const radius = 1e-4;

/**
 * The slopes with the longest interval of offsets, by the ellipsoid method in two dimensions; undefined where it is empty. The pairs
 * at the ends of the interval say in which direction it grows.
 */
function climb(t: Target, long: number): Slopes | undefined {
  let at: Slopes = t.slopes;
  let [p00, p01, p11] = [(radius * at[0]) ** 2, 0, (radius * at[1]) ** 2];
  let [best, longest]: [Slopes | undefined, number] = [undefined, 0];
  const width = t.spans[1][1] - t.spans[1][0] + 1;
  for (let round = 0; round < rounds && longest < long; round++) {
    const [low, high, lowest, highest] = window(t, products(t.spans, at, 'real'), 1, 0);
    if (high - low > longest) [best, longest] = [at, high - low];
    const g0 = Math.floor(lowest / width) - Math.floor(highest / width);
    const g1 = (lowest % width) - (highest % width);
    const [u0, u1] = [p00 * g0 + p01 * g1, p01 * g0 + p11 * g1];
    const length = Math.sqrt(g0 * u0 + g1 * u1);
    if (!(length > 0)) break;
    const [s0, s1] = [u0 / length, u1 / length];
    at = [at[0] + s0 / 3, at[1] + s1 / 3];
    p00 = (4 / 3) * (p00 - (2 / 3) * s0 * s0);
    p01 = (4 / 3) * (p01 - (2 / 3) * s0 * s1);
    p11 = (4 / 3) * (p11 - (2 / 3) * s1 * s1);
  }
  return best;
}
