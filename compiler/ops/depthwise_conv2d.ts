/** DEPTHWISE_CONV_2D, int8, NHWC; weights (1, KH, KW, C * multiplier), output channel c * multiplier + q. */
import { multiplyQuantized } from '../program/arithmetic.ts';
import { add, buffer, type Expr, iter, load, loop, mul, num, program, register, store, sub } from '../program/index.ts';
import { channelConstants, outExtent, pixelOf, tap } from './conv2d.ts';
import { finish, initAcc, macAttrs, macOf } from './mac.ts';
import type { Operator } from './operator.ts';
import { int, ints, need, numbers, operand, operandType, result } from './values.ts';

export const depthwiseConv2d: Operator = {
  name: 'depthwise_conv2d',

  infer(node, [x, w], [y]) {
    need(x !== undefined && w !== undefined && y !== undefined, 'depthwise_conv2d needs input, weights and output');
    need(x.shape.length === 4 && w.shape.length === 4, 'depthwise_conv2d needs NHWC input and (1, KH, KW, C) weights');
    const [n = 0, h = 0, width = 0, c = 0] = x.shape;
    const [one = 0, kh = 0, kw = 0, o = 0] = w.shape;
    need(one === 1, `the first dimension of the weights is ${one}, 1 is needed`);
    need(
      o === c * int(node, 'multiplier'),
      `the weights have ${o} channels, ${c} times multiplier ${int(node, 'multiplier')} is needed`,
    );
    const [[sy = 1, sx = 1], [dy = 1, dx = 1], [top = 0, bottom = 0, left = 0, right = 0]] = [
      ints(node, 'stride'),
      ints(node, 'dilation'),
      ints(node, 'pad'),
    ];
    return [{ ...y, shape: [n, outExtent(h, kh, sy, dy, top, bottom), outExtent(width, kw, sx, dx, left, right), o] }];
  },

  reference(node, graph, [x, w], { rounding }) {
    const [, kh = 0, kw = 0, o = 0] = operand(graph, node, 1).shape;
    const m = macOf(node, graph, 3, rounding, 'double');
    const multiplier = int(node, 'multiplier');
    const [n = 0, h = 0, wd = 0, c = 0] = operand(graph, node, 0).shape;
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
    for (let b = 0; b < n; b++) {
      for (let y = 0; y < oh; y++) {
        for (let xx = 0; xx < ow; xx++) {
          for (let k = 0; k < o; k++) {
            const channel = Math.floor(k / multiplier);
            let acc = bias[k] as number;
            for (let fy = 0; fy < kh; fy++) {
              const iy = y * sy - top + fy * dy;
              if (iy < 0 || iy >= h) continue;
              for (let fx = 0; fx < kw; fx++) {
                const ix = xx * sx - left + fx * dx;
                if (ix < 0 || ix >= wd) continue;
                acc +=
                  ((input[((b * h + iy) * wd + ix) * c + channel] as number) - m.xZero) *
                  (weights[(fy * kw + fx) * o + k] as number);
              }
            }
            const q = multiplyQuantized(acc | 0, mult[k] as number, shift[k] as number, rounding) + m.yZero;
            out[((b * oh + y) * ow + xx) * o + k] = Math.max(m.min, Math.min(m.max, q));
          }
        }
      }
    }
    return [out];
  },

  lower(node, graph, { rounding }) {
    const [, kh = 0, kw = 0] = operand(graph, node, 1).shape;
    const m = macOf(node, graph, 3, rounding, 'double');
    return {
      workload: {
        op: 'depthwise_conv2d',
        attrs: {
          ...macAttrs(m),
          kernel: [kh, kw],
          multiplier: int(node, 'multiplier'),
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

  programs(w) {
    const [n = 0, h = 0, wd = 0, c = 0] = w.inputs[0]?.shape ?? [];
    const [, oh = 0, ow = 0, o = 0] = w.outputs[0]?.shape ?? [];
    const [[kh = 0, kw = 0], [sy = 1, sx = 1], [dy = 1, dx = 1], [top = 0, , left = 0]] = [
      ints(w, 'kernel'),
      ints(w, 'stride'),
      ints(w, 'dilation'),
      ints(w, 'pad'),
    ];
    const multiplier = int(w, 'multiplier');
    const [batch, lead] = n > 1 ? [[iter('n')], [n]] : [[], []];
    const zero = int(w, 'xZero');
    // One input channel feeding many is as common as one to one; both index by plain loops, so that rewrites see through them.
    const channel: Expr = multiplier === 1 ? iter('c') : c === 1 ? num(0) : iter('c');
    const out: Expr = multiplier === 1 || c === 1 ? iter('c') : add(mul(num(multiplier), iter('c')), iter('q'));
    const x = pixelOf(
      w,
      zero,
      ...batch,
      tap(iter('oy'), iter('ky'), sy, dy, top),
      tap(iter('ox'), iter('kx'), sx, dx, left),
      channel,
    );
    const taps = loop(
      'ky',
      kh,
      loop('kx', kw, store('acc', [], mul(sub(x, num(zero)), load('w', iter('ky'), iter('kx'), out)), '+')),
    );
    const one = [register('acc'), initAcc(out), taps, finish(w, [...batch, iter('oy'), iter('ox'), out], out)];
    const channels =
      multiplier === 1
        ? loop('c', c, ...one)
        : c === 1
          ? loop('c', o, ...one)
          : loop('c', c, loop('q', multiplier, ...one));
    const body = loop('oy', oh, loop('ox', ow, channels));
    const buffers = [
      buffer('x', 'i8', [...lead, h, wd, c], 'in'),
      buffer('y', 'i8', [...lead, oh, ow, o], 'out'),
      buffer('w', 'i8', [kh, kw, o], 'const'),
      ...channelConstants(o),
    ];
    return { direct: program('depthwise_conv2d', buffers, n > 1 ? loop('n', n, body) : body) };
  },

  inPlace: (w) => (w.inputs[0]?.shape.at(-1) === w.outputs[0]?.shape.at(-1) ? [0] : []),

  macs(w) {
    const [kh = 0, kw = 0] = ints(w, 'kernel');
    return (w.outputs[0]?.shape ?? []).reduce((k, d) => k * d, kh * kw);
  },
};
