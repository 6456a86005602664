/** Small naive programs of the usual layers, with random constants and inputs, for tests of the loop IR. */
import {
  add,
  bin,
  bind,
  buffer,
  iter,
  load,
  loadOr,
  loop,
  max,
  min,
  mul,
  num,
  type Program,
  program,
  register,
  store,
  sub,
} from '../../compiler/program/index.ts';
import type { Expr } from '../../compiler/program/program.ts';
import { Random } from './random.ts';

export interface Case {
  readonly program: Program;
  readonly inputs: Readonly<Record<string, Int8Array>>;
}

const requantize = (at: Expr, zero = -128): Expr => ({
  kind: 'requantize',
  acc: load('acc'),
  mult: load('mult', at),
  shift: load('shift', at),
  zero,
  min: -128,
  max: 127,
  rounding: 'double',
});
const bytes = (r: Random, n: number): Int8Array => Int8Array.from({ length: n }, () => r.int(-128, 127));

function channels(r: Random, n: number, weights: number): Record<string, Int32Array> {
  return {
    w: Int32Array.from({ length: weights }, () => r.int(-127, 127)),
    bias: Int32Array.from({ length: n }, () => r.int(-4000, 4000)),
    mult: Int32Array.from({ length: n }, () => r.int(2 ** 30, 2 ** 31 - 1)),
    shift: Int32Array.from({ length: n }, () => -r.int(5, 8)),
  };
}

/** y[p, o] = requantize(bias[o] + sum over i of (x[p, i] - zero) * w[o, i]). */
export function pointwise(P: number, K: number, N: number, seed = 1, zero = 3): Case {
  const r = new Random(seed);
  const [p, o, i] = [iter('p'), iter('o'), iter('i')];
  const naive = program(
    `pointwise_${P}x${K}x${N}`,
    [
      buffer('x', 'i8', [P, K], 'in'),
      buffer('y', 'i8', [P, N], 'out'),
      buffer('w', 'i8', [N, K], 'const'),
      ...['bias', 'mult', 'shift'].map((n) => buffer(n, 'i32', [N], 'const')),
    ],
    loop(
      'p',
      P,
      loop(
        'o',
        N,
        register('acc'),
        store('acc', [], load('bias', o)),
        loop('i', K, store('acc', [], mul(sub(load('x', p, i), num(zero)), load('w', o, i)), '+')),
        store('y', [p, o], requantize(o)),
      ),
    ),
  );
  return { program: bind(naive, channels(r, N, N * K)), inputs: { x: bytes(r, P * K) } };
}

/** A padded 3x3 convolution of stride 1. */
export function conv3x3(H: number, W: number, K: number, N: number, seed = 1, zero = -5): Case {
  const r = new Random(seed);
  const [oy, ox, o, ky, kx, i] = ['oy', 'ox', 'o', 'ky', 'kx', 'i'].map(iter) as [Expr, Expr, Expr, Expr, Expr, Expr];
  const pixel = loadOr(zero, 'x', sub(add(oy, ky), num(1)), sub(add(ox, kx), num(1)), i);
  const sum = store('acc', [], mul(sub(pixel, num(zero)), load('w', o, ky, kx, i)), '+');
  const naive = program(
    `conv3x3_${H}x${W}x${K}x${N}`,
    [
      buffer('x', 'i8', [H, W, K], 'in'),
      buffer('y', 'i8', [H, W, N], 'out'),
      buffer('w', 'i8', [N, 3, 3, K], 'const'),
      ...['bias', 'mult', 'shift'].map((n) => buffer(n, 'i32', [N], 'const')),
    ],
    loop(
      'oy',
      H,
      loop(
        'ox',
        W,
        loop(
          'o',
          N,
          register('acc'),
          store('acc', [], load('bias', o)),
          loop('ky', 3, loop('kx', 3, loop('i', K, sum))),
          store('y', [oy, ox, o], requantize(o)),
        ),
      ),
    ),
  );
  return { program: bind(naive, channels(r, N, N * 9 * K)), inputs: { x: bytes(r, H * W * K) } };
}

/** A padded 3x3 depthwise convolution of stride 1 or 2. */
export function depthwise(H: number, W: number, C: number, stride: number, seed = 1, zero = 7): Case {
  const r = new Random(seed);
  const [oh, ow] = [Math.ceil(H / stride), Math.ceil(W / stride)];
  const [oy, ox, c, ky, kx] = ['oy', 'ox', 'c', 'ky', 'kx'].map(iter) as [Expr, Expr, Expr, Expr, Expr];
  const at = (o: Expr, k: Expr): Expr => sub(add(mul(num(stride), o), k), num(1));
  const sum = store(
    'acc',
    [],
    mul(sub(loadOr(zero, 'x', at(oy, ky), at(ox, kx), c), num(zero)), load('w', ky, kx, c)),
    '+',
  );
  const naive = program(
    `depthwise_${H}x${W}x${C}s${stride}`,
    [
      buffer('x', 'i8', [H, W, C], 'in'),
      buffer('y', 'i8', [oh, ow, C], 'out'),
      buffer('w', 'i8', [3, 3, C], 'const'),
      ...['bias', 'mult', 'shift'].map((n) => buffer(n, 'i32', [C], 'const')),
    ],
    loop(
      'oy',
      oh,
      loop(
        'ox',
        ow,
        loop(
          'c',
          C,
          register('acc'),
          store('acc', [], load('bias', c)),
          loop('ky', 3, loop('kx', 3, sum)),
          store('y', [oy, ox, c], requantize(c)),
        ),
      ),
    ),
  );
  return { program: bind(naive, channels(r, C, 9 * C)), inputs: { x: bytes(r, H * W * C) } };
}

/** 2x2 max pooling: a reduction that is not a sum. */
export function maxPool(H: number, W: number, C: number, seed = 1): Case {
  const r = new Random(seed);
  const [oy, ox, c, ky, kx] = ['oy', 'ox', 'c', 'ky', 'kx'].map(iter) as [Expr, Expr, Expr, Expr, Expr];
  const pixel = load('x', add(mul(num(2), oy), ky), add(mul(num(2), ox), kx), c);
  const naive = program(
    'max_pool',
    [buffer('x', 'i8', [H, W, C], 'in'), buffer('y', 'i8', [H / 2, W / 2, C], 'out')],
    loop(
      'oy',
      H / 2,
      loop(
        'ox',
        W / 2,
        loop(
          'c',
          C,
          register('acc'),
          store('acc', [], num(-128)),
          loop('ky', 2, loop('kx', 2, store('acc', [], pixel, 'max'))),
          store('y', [oy, ox, c], load('acc')),
        ),
      ),
    ),
  );
  return { program: naive, inputs: { x: bytes(r, H * W * C) } };
}

/** y[a, b] = max(x0[a, b] + x1[b], 0): an elementwise layer that broadcasts. */
export function addRow(A: number, B: number, seed = 1): Case {
  const r = new Random(seed);
  const [a, b] = [iter('a'), iter('b')];
  const naive = program(
    'add_row',
    [buffer('x0', 'i8', [A, B], 'in'), buffer('x1', 'i8', [B], 'in'), buffer('y', 'i8', [A, B], 'out')],
    loop('a', A, loop('b', B, store('y', [a, b], max(add(load('x0', a, b), load('x1', b)), num(0))))),
  );
  return { program: naive, inputs: { x0: bytes(r, A * B), x1: bytes(r, B) } };
}

/** y[c] = requantize(sum over p of (x[p, c] - zero)): MEAN over rows. */
export function mean(P: number, C: number, seed = 1): Case {
  const r = new Random(seed);
  const [p, c] = [iter('p'), iter('c')];
  const value: Expr = {
    kind: 'requantize',
    acc: load('acc'),
    mult: load('mult'),
    shift: load('shift'),
    zero: r.int(-128, 127),
    min: -128,
    max: 127,
    rounding: r.pick(['double', 'single'] as const),
  };
  const naive = program(
    'mean',
    [
      buffer('x', 'i8', [P, C], 'in'),
      buffer('y', 'i8', [C], 'out'),
      ...['mult', 'shift'].map((n) => buffer(n, 'i32', [], 'const')),
    ],
    loop(
      'c',
      C,
      register('acc'),
      store('acc', [], num(0)),
      loop('p', P, store('acc', [], sub(load('x', p, c), num(r.pick([-128, -128, r.int(-128, 127)]))), '+')),
      store('y', [c], value),
    ),
  );
  const shift = Int32Array.of(1 - Math.ceil(Math.log2(P)) - r.int(0, 1));
  const constants = { mult: Int32Array.of(r.int(2 ** 30, 2 ** 31 - 1)), shift };
  return { program: bind(naive, constants), inputs: { x: bytes(r, P * C) } };
}

/** y[a] = requantize((x0[a] - z0) * (x1[a] - z1)): MUL. */
export function product(A: number, seed = 1): Case {
  const r = new Random(seed);
  const [x0, x1] = [0, 1].map((i) => sub(load(`x${i}`, iter('a')), num(r.int(-128, 127)))) as [Expr, Expr];
  const value: Expr = {
    kind: 'requantize',
    acc: mul(x0, x1),
    mult: load('mult'),
    shift: load('shift'),
    zero: r.int(-128, 127),
    min: -128,
    max: 127,
    rounding: 'double',
  };
  const naive = program(
    'product',
    [
      ...['x0', 'x1'].map((n) => buffer(n, 'i8', [A], 'in')),
      buffer('y', 'i8', [A], 'out'),
      ...['mult', 'shift'].map((n) => buffer(n, 'i32', [], 'const')),
    ],
    loop('a', A, store('y', [iter('a')], value)),
  );
  const constants = { mult: Int32Array.of(r.int(2 ** 30, 2 ** 31 - 1)), shift: Int32Array.of(-r.int(4, 8)) };
  return { program: bind(naive, constants), inputs: { x0: bytes(r, A), x1: bytes(r, A) } };
}

/** y[a] = requantize(x[a] - zero) for positive ones, the rest at another scale: LEAKY_RELU. */
export function oneByte(A: number, seed = 1): Case {
  const r = new Random(seed);
  const value = sub(load('x', iter('a')), num(r.int(-128, 127)));
  const rescaled = (acc: Expr, suffix: string): Expr => ({
    kind: 'requantize',
    acc,
    mult: load(`mult${suffix}`),
    shift: load(`shift${suffix}`),
    zero: 0,
    min: -128,
    max: 127,
    rounding: 'double',
  });
  const naive = program(
    'one_byte',
    [
      buffer('x', 'i8', [A], 'in'),
      buffer('y', 'i8', [A], 'out'),
      ...['mult0', 'shift0', 'mult1', 'shift1'].map((n) => buffer(n, 'i32', [], 'const')),
    ],
    loop(
      'a',
      A,
      store(
        'y',
        [iter('a')],
        max(min(add(rescaled(max(value, num(0)), '0'), rescaled(min(value, num(0)), '1')), num(127)), num(-128)),
      ),
    ),
  );
  const multiplier = (): Int32Array => Int32Array.of(r.int(2 ** 30, 2 ** 31 - 1));
  const constants = {
    mult0: multiplier(),
    shift0: Int32Array.of(0),
    mult1: multiplier(),
    shift1: Int32Array.of(-r.int(0, 4)),
  };
  return { program: bind(naive, constants), inputs: { x: bytes(r, A) } };
}

/** y[a] = requantize(requantize((x0[a] - z0) << 20) + requantize((x1[a] - z1) << 20)): ADD with three scales. */
export function residual(A: number, seed = 1): Case {
  const r = new Random(seed);
  const a = iter('a');
  const rescaled = (acc: Expr, which: string, min: number, max: number, zero: number): Expr => ({
    kind: 'requantize',
    acc,
    mult: load(`mult${which}`),
    shift: load(`shift${which}`),
    zero,
    min,
    max,
    rounding: 'double',
  });
  const input = (i: number): Expr =>
    rescaled(bin('<<', sub(load(`x${i}`, a), num(r.int(-128, 127))), num(20)), `${i}`, -(2 ** 31), 2 ** 31 - 1, 0);
  const names = ['0', '1', ''].flatMap((which) => [`mult${which}`, `shift${which}`]);
  const naive = program(
    'residual',
    [
      ...['x0', 'x1'].map((n) => buffer(n, 'i8', [A], 'in')),
      buffer('y', 'i8', [A], 'out'),
      ...names.map((n) => buffer(n, 'i32', [], 'const')),
    ],
    loop('a', A, store('y', [a], rescaled(add(input(0), input(1)), '', -128, 127, r.int(-128, 127)))),
  );
  const multiplier = (): Int32Array => Int32Array.of(r.int(2 ** 30, 2 ** 31 - 1));
  const constants = {
    mult0: multiplier(),
    shift0: Int32Array.of(-r.int(0, 3)),
    mult1: multiplier(),
    shift1: Int32Array.of(-r.int(0, 3)),
    mult: multiplier(),
    shift: Int32Array.of(-r.int(17, 20)),
  };
  return { program: bind(naive, constants), inputs: { x0: bytes(r, A), x1: bytes(r, A) } };
}
