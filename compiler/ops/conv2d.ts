/** CONV_2D, int8, NHWC with OHWI weights. The file to copy for an operator with a window. */
import { multiplyQuantized } from '../program/arithmetic.ts';
import {
  add,
  buffer,
  type Expr,
  iter,
  load,
  loadOr,
  loop,
  mul,
  num,
  type Program,
  program,
  register,
  store,
  sub,
} from '../program/index.ts';
import type { Workload } from '../workload.ts';
import { finish, initAcc, macAttrs, macOf } from './mac.ts';
import type { Operator } from './operator.ts';
import { int, ints, need, numbers, operand, operandType, result } from './values.ts';

/** Output extent of one dimension. */
export const outExtent = (
  n: number,
  k: number,
  stride: number,
  dilation: number,
  before: number,
  after: number,
): number => Math.floor((n + before + after - dilation * (k - 1) - 1) / stride) + 1;

export const conv2d: Operator = {
  name: 'conv2d',

  infer(node, [x, w], [y]) {
    need(x !== undefined && w !== undefined && y !== undefined, 'conv2d needs input, weights and output');
    need(x.shape.length === 4 && w.shape.length === 4, 'conv2d needs NHWC input and OHWI weights');
    const [n = 0, h = 0, width = 0, c = 0] = x.shape;
    const [o = 0, kh = 0, kw = 0, i = 0] = w.shape;
    need(c === i, `the weights want ${i} input channels, there are ${c}`);
    const [[sy = 1, sx = 1], [dy = 1, dx = 1], [top = 0, bottom = 0, left = 0, right = 0]] = [
      ints(node, 'stride'),
      ints(node, 'dilation'),
      ints(node, 'pad'),
    ];
    return [{ ...y, shape: [n, outExtent(h, kh, sy, dy, top, bottom), outExtent(width, kw, sx, dx, left, right), o] }];
  },

  reference(node, graph, [x, w], { rounding }) {
    const m = macOf(node, graph, 0, rounding, 'double');
    const [n = 0, h = 0, wd = 0, c = 0] = operand(graph, node, 0).shape;
    const [o = 0, kh = 0, kw = 0] = operand(graph, node, 1).shape;
    const [, oh = 0, ow = 0] = result(graph, node).shape;
    const [[sy = 1, sx = 1], [dy = 1, dx = 1], [top = 0, , left = 0]] = [
      ints(node, 'stride'),
      ints(node, 'dilation'),
      ints(node, 'pad'),
    ];
    const input = numbers(x as Int8Array);
    const weights = numbers(w as Int8Array);
    const { bias, mult, shift } = m.constants as Record<'bias' | 'mult' | 'shift', Int32Array>;
    const out = new Int8Array(n * oh * ow * o);
    let at = 0;
    for (let b = 0; b < n; b++) {
      for (let y = 0; y < oh; y++) {
        for (let xx = 0; xx < ow; xx++) {
          for (let k = 0; k < o; k++) {
            let acc = bias[k] as number;
            for (let fy = 0; fy < kh; fy++) {
              const iy = y * sy - top + fy * dy;
              if (iy < 0 || iy >= h) continue;
              for (let fx = 0; fx < kw; fx++) {
                const ix = xx * sx - left + fx * dx;
                if (ix < 0 || ix >= wd) continue;
                const from = ((b * h + iy) * wd + ix) * c;
                const wAt = ((k * kh + fy) * kw + fx) * c;
                for (let i = 0; i < c; i++)
                  acc += ((input[from + i] as number) - m.xZero) * (weights[wAt + i] as number);
              }
            }
            const q = multiplyQuantized(acc | 0, mult[k] as number, shift[k] as number, rounding) + m.yZero;
            out[at++] = Math.max(m.min, Math.min(m.max, q));
          }
        }
      }
    }
    return [out];
  },

  lower(node, graph, { rounding }) {
    const w = operand(graph, node, 1);
    const m = macOf(node, graph, 0, rounding, 'double');
    return {
      workload: {
        op: 'conv2d',
        attrs: {
          ...macAttrs(m),
          kernel: [w.shape[1] ?? 0, w.shape[2] ?? 0],
          stride: ints(node, 'stride'),
          dilation: ints(node, 'dilation'),
          pad: ints(node, 'pad'),
        },
        inputs: [operandType(operand(graph, node, 0))],
        outputs: [operandType(result(graph, node))],
      },
      constants: m.constants,
    };
  },

  /** 'rows': a matrix product with its pixels in rows and columns, for layouts that know of them. */
  programs: (w) => (isPointwise(w) ? { direct: pointwise(w), rows: direct(w) } : { direct: direct(w) }),

  macs(w) {
    const [kh = 0, kw = 0] = ints(w, 'kernel');
    return (w.outputs[0]?.shape ?? []).reduce((n, d) => n * d, kh * kw * (w.inputs[0]?.shape[3] ?? 0));
  },
};

/** 1x1, stride 1, no border: pixels are rows, and the layer is a matrix product. */
export const isPointwise = (w: Workload): boolean =>
  w.op === 'conv2d' &&
  [...ints(w, 'kernel'), ...ints(w, 'stride')].every((k) => k === 1) &&
  ints(w, 'pad').every((p) => p === 0);

function pointwise(w: Workload): Program {
  const [n = 0, h = 0, wd = 0, k = 0] = w.inputs[0]?.shape ?? [];
  return matrixProduct(w, n * h * wd, k, w.outputs[0]?.shape[3] ?? 0);
}

/** y[p, o] = requantize(bias[o] + sum over i of (x[p, i] - zero) * w[o, i]). Pointwise and fully connected layers. */
export function matrixProduct(w: Workload, P: number, K: number, N: number): Program {
  const [p, o, i] = [iter('p'), iter('o'), iter('i')];
  return program(
    w.op,
    [
      buffer('x', 'i8', [P, K], 'in'),
      buffer('y', 'i8', [P, N], 'out'),
      buffer('w', 'i8', [N, K], 'const'),
      ...channelConstants(N),
    ],
    loop(
      'p',
      P,
      loop(
        'o',
        N,
        register('acc'),
        initAcc(o),
        loop('i', K, store('acc', [], mul(sub(load('x', p, i), num(int(w, 'xZero'))), load('w', o, i)), '+')),
        finish(w, [p, o], o),
      ),
    ),
  );
}

export const channelConstants = (n: number): readonly ReturnType<typeof buffer>[] =>
  ['bias', 'mult', 'shift'].map((name) => buffer(name, 'i32', [n], 'const'));

/** Index of an input row or column: stride * o + dilation * k - before. */
export const tap = (o: Expr, k: Expr, stride: number, dilation: number, before: number): Expr =>
  sub(add(mul(num(stride), o), mul(num(dilation), k)), num(before));

/** A load that may leave the input only where there is a border. */
export const pixelOf = (w: Workload, zero: number, ...index: readonly Expr[]): Expr =>
  ints(w, 'pad').some((p) => p > 0) ? loadOr(zero, 'x', ...index) : load('x', ...index);

function direct(w: Workload): Program {
  const [n = 0, h = 0, wd = 0, c = 0] = w.inputs[0]?.shape ?? [];
  const [, oh = 0, ow = 0, o = 0] = w.outputs[0]?.shape ?? [];
  const [[kh = 0, kw = 0], [sy = 1, sx = 1], [dy = 1, dx = 1], [top = 0, , left = 0]] = [
    ints(w, 'kernel'),
    ints(w, 'stride'),
    ints(w, 'dilation'),
    ints(w, 'pad'),
  ];
  const batch = n > 1 ? [iter('n')] : [];
  const lead = n > 1 ? [n] : [];
  const zero = int(w, 'xZero');
  const at = iter('o');
  const x = pixelOf(
    w,
    zero,
    ...batch,
    tap(iter('oy'), iter('ky'), sy, dy, top),
    tap(iter('ox'), iter('kx'), sx, dx, left),
    iter('i'),
  );
  const sum = store('acc', [], mul(sub(x, num(zero)), load('w', at, iter('ky'), iter('kx'), iter('i'))), '+');
  const taps = loop('ky', kh, loop('kx', kw, loop('i', c, sum)));
  const body = loop(
    'oy',
    oh,
    loop(
      'ox',
      ow,
      loop('o', o, register('acc'), initAcc(at), taps, finish(w, [...batch, iter('oy'), iter('ox'), at], at)),
    ),
  );
  return program(
    'conv2d',
    [
      buffer('x', 'i8', [...lead, h, wd, c], 'in'),
      buffer('y', 'i8', [...lead, oh, ow, o], 'out'),
      buffer('w', 'i8', [o, kh, kw, c], 'const'),
      ...channelConstants(o),
    ],
    n > 1 ? loop('n', n, body) : body,
  );
}
