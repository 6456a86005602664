/** Small naive programs with random constants, for the printer's tests. Apart from compiler/ops on purpose: odd shapes, any shift. */
import {
  add,
  bin,
  buffer,
  clamp,
  type Expr,
  iter,
  load,
  loadOr,
  loop,
  max,
  mul,
  num,
  type Program,
  program,
  register,
  store,
  sub,
} from '../../compiler/program/index.ts';

/** mulberry32: numbers in 0..1. */
export function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const values = (seed: number, n: number, lo: number, hi: number): Int32Array => {
  const r = random(seed);
  return Int32Array.from({ length: n }, () => Math.floor(lo + r() * (hi - lo + 1)));
};
const constant = (
  name: string,
  dtype: 'i8' | 'i32',
  shape: readonly number[],
  v: Int32Array,
): Program['buffers'][number] => ({
  ...buffer(name, dtype, shape, 'const'),
  values: v,
});
const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

interface Requantized {
  readonly rounding: 'double' | 'single';
  readonly shift: number;
}
const out = (o: Expr, rounding: 'double' | 'single' = 'double'): Expr => ({
  kind: 'requantize',
  acc: load('acc'),
  mult: load('mult', o),
  shift: load('shift', o),
  zero: -5,
  min: -128,
  max: 127,
  rounding,
});
const scales = (n: number, shift: number): Program['buffers'] => [
  constant('bias', 'i32', [n], values(2, n, -3000, 3000)),
  constant('mult', 'i32', [n], values(3, n, 2 ** 30, 2 ** 31 - 1)),
  constant('shift', 'i32', [n], values(4, n, shift - 2, shift)),
];

export function gemm(P: number, K: number, N: number, { rounding, shift }: Requantized): Program {
  const [p, o, i] = [iter('p'), iter('o'), iter('i')];
  return program(
    `gemm_${P}x${K}x${N}`,
    [
      buffer('x', 'i8', [P, K], 'in'),
      buffer('y', 'i8', [P, N], 'out'),
      constant('w', 'i8', [N, K], values(1, N * K, -128, 127)),
      ...scales(N, shift),
    ],
    loop(
      'p',
      P,
      loop(
        'o',
        N,
        register('acc'),
        store('acc', [], load('bias', o)),
        loop('i', K, store('acc', [], mul(sub(load('x', p, i), num(3)), load('w', o, i)), '+')),
        store('y', [p, o], out(o, rounding)),
      ),
    ),
  );
}

interface Spatial {
  readonly H: number;
  readonly W: number;
  readonly C: number;
  readonly K: number;
  readonly stride: number;
  readonly pad: number;
}
const outSize = (n: number, s: Spatial): number => Math.floor((n + 2 * s.pad - s.K) / s.stride) + 1;
const tap = (o: string, k: string, s: Spatial): Expr => sub(add(mul(num(s.stride), iter(o)), iter(k)), num(s.pad));

export function conv(s: Spatial & { readonly N: number }): Program {
  const { C, N, K } = s;
  const o = iter('o');
  const x = loadOr(3, 'x', tap('oy', 'ky', s), tap('ox', 'kx', s), iter('i'));
  const body = store('acc', [], mul(sub(x, num(3)), load('w', o, iter('ky'), iter('kx'), iter('i'))), '+');
  return program(
    'conv',
    [
      buffer('x', 'i8', [s.H, s.W, C], 'in'),
      buffer('y', 'i8', [outSize(s.H, s), outSize(s.W, s), N], 'out'),
      constant('w', 'i8', [N, K, K, C], values(1, N * K * K * C, -128, 127)),
      ...scales(N, -7),
    ],
    loop(
      'oy',
      outSize(s.H, s),
      loop(
        'ox',
        outSize(s.W, s),
        loop(
          'o',
          N,
          register('acc'),
          store('acc', [], load('bias', o)),
          loop('ky', K, loop('kx', K, loop('i', C, body))),
          store('y', [iter('oy'), iter('ox'), o], out(o)),
        ),
      ),
    ),
  );
}

export function depthwise(s: Spatial): Program {
  const { C, K } = s;
  const c = iter('c');
  const x = loadOr(3, 'x', tap('oy', 'ky', s), tap('ox', 'kx', s), c);
  return program(
    'depthwise',
    [
      buffer('x', 'i8', [s.H, s.W, C], 'in'),
      buffer('y', 'i8', [outSize(s.H, s), outSize(s.W, s), C], 'out'),
      constant('w', 'i8', [K, K, C], values(1, K * K * C, -128, 127)),
      ...scales(C, -5),
    ],
    loop(
      'oy',
      outSize(s.H, s),
      loop(
        'ox',
        outSize(s.W, s),
        loop(
          'c',
          C,
          register('acc'),
          store('acc', [], load('bias', c)),
          loop(
            'ky',
            K,
            loop('kx', K, store('acc', [], mul(sub(x, num(3)), load('w', iter('ky'), iter('kx'), c)), '+')),
          ),
          store('y', [iter('oy'), iter('ox'), c], out(c)),
        ),
      ),
    ),
  );
}

/** One of everything that has no other nest: shifts, division, high words, clz, wrapping arithmetic. */
export function elementwise(n: number): Program {
  const [a, b] = [load('a', iter('i')), load('b', iter('i'))];
  const big = mul(mul(a, num(1 << 20)), mul(b, num(77_777)));
  const cells: readonly Expr[] = [
    clamp(bin('>>', add(mul(a, num(500)), mul(b, num(-300))), num(7)), -100, 90),
    big,
    bin('<<', a, num(27)),
    bin('<<', b, bin('&', a, num(15))),
    bin('>>', big, bin('&', b, num(31))),
    bin('mulhi', big, add(big, a)),
    add(bin('mulhi', big, num(123_456_789)), b),
    bin('rdmulh', big, num(-2147483648)),
    bin('rdmulh', num(-2147483648), num(-2147483648)),
    bin('div', big, a),
    bin('div', bin('*', a, num(100)), num(-1)),
    { kind: 'clz', a: big },
    bin('^', bin('|', a, b), bin('&', big, num(255))),
    sub(big, bin('>>', big, num(31))),
    max(a, bin('min', b, num(7))),
  ];
  return program(
    'elementwise',
    [
      buffer('a', 'i8', [n], 'in'),
      buffer('b', 'i16', [n], 'in'),
      buffer('y', 'i32', [cells.length, n], 'out'),
      buffer('z', 'u8', [n], 'out'),
    ],
    loop(
      'i',
      n,
      ...cells.map((e, k) => store('y', [num(k), iter('i')], e)),
      store('z', [iter('i')], a),
      store('z', [iter('i')], b, '+'),
    ),
  );
}

export const pool = (H: number, W: number, C: number): Program =>
  program(
    'pool',
    [buffer('x', 'i8', [H, W, C], 'in'), buffer('y', 'i8', [H - 1, W - 1, C], 'out')],
    loop(
      'oy',
      H - 1,
      loop(
        'ox',
        W - 1,
        loop(
          'c',
          C,
          register('acc'),
          store('acc', [], num(-128)),
          loop(
            'ky',
            2,
            loop(
              'kx',
              2,
              store('acc', [], load('x', add(iter('oy'), iter('ky')), add(iter('ox'), iter('kx')), iter('c')), 'max'),
            ),
          ),
          store('y', [iter('oy'), iter('ox'), iter('c')], load('acc')),
        ),
      ),
    ),
  );

/** float32 in, quantized, and back to float32. */
export const floats = (n: number): Program =>
  program(
    'floats',
    [buffer('f', 'f32', [n], 'in'), buffer('q', 'i8', [n], 'out'), buffer('g', 'f32', [n], 'out')],
    loop(
      'i',
      n,
      store('q', [iter('i')], {
        kind: 'quantize',
        value: load('f', iter('i')),
        scale: 0.037,
        zero: 7,
        min: -128,
        max: 127,
      }),
      store('g', [iter('i')], { kind: 'dequantize', value: load('q', iter('i')), scale: 0.037, zero: 7 }),
    ),
  );

/** Random elements for every in buffer; the first ones are extremes. */
export function inputsOf(p: Program, seed: number): Readonly<Record<string, number[]>> {
  const extremes: Readonly<Record<string, readonly number[]>> = {
    i8: [-128, 127, 0, -1],
    i16: [-32768, 32767, 0, -1],
    f32: [Number.NaN, Infinity, -Infinity, 0.0185, -0.0185, 1e20, -1e20, 0.4999999 * 0.037, 3e38],
  };
  const ins = p.buffers.filter((b) => b.space === 'in');
  return Object.fromEntries(
    ins.map((b, k) => {
      const n = count(b.shape);
      const span = b.dtype === 'i16' ? 30_000 : 128;
      const r = random(seed * 31 + k);
      const one = (i: number): number => {
        const edge = extremes[b.dtype]?.[i];
        if (edge !== undefined) return edge;
        return b.dtype === 'f32' ? Math.fround((r() - 0.5) * 12) : Math.floor((r() * 2 - 1) * span);
      };
      return [b.name, Array.from({ length: n }, (_, i) => one(i))];
    }),
  );
}
