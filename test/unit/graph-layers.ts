/** What graphs.ts draws from: for each operator a fitting random input, and the operator with random attributes put behind a tensor. */
import { elements, type Node, type Quantization, type Tensor, type TensorId } from '../../compiler/graph/graph.ts';
import type { Draft } from './graphs.ts';
import type { Random } from './random.ts';

export interface Layer {
  /** A graph input that this operator can read. */
  start(d: Draft): TensorId;
  fits(t: Tensor): boolean;
  /** Puts the operator behind `x`; its output. */
  grow(d: Draft, x: TensorId): TensorId;
}

const f = Math.fround;
const scaleOf = (r: Random, lo = -7, hi = -1): number => f(2 ** (lo + (hi - lo) * r.next()));
const zeroOf = (r: Random): number => r.pick([-128, 127, 0, r.int(-128, 127), r.int(-128, 127)]);
const perTensor = (scale: number, zero: number): Quantization => ({ scale: [f(scale)], zeroPoint: [zero], axis: 0 });
export const randomQuant = (r: Random): Quantization => perTensor(scaleOf(r), zeroOf(r));
const activationOf = (r: Random): string => r.pick(['none', 'none', 'relu', 'relu6', 'relu_n1_to_1']);
const scaleAt = (t: Tensor): number => t.quant?.scale[0] ?? 1;

const image = (r: Random, side = 7, channels = 6): readonly number[] => [
  r.pick([1, 1, 2]),
  r.int(1, side),
  r.int(1, side),
  r.int(1, channels),
];
const anyShape = (r: Random, lo = 1, hi = 4): readonly number[] =>
  Array.from({ length: r.int(lo, hi) }, () => r.int(1, 5));
const int8 = (d: Draft, shape: readonly number[]): TensorId => d.input('int8', shape, randomQuant(d.random));
const isInt8 = (t: Tensor): boolean => t.dtype === 'int8' && t.shape.length > 0;
const isImage = (t: Tensor): boolean => isInt8(t) && t.shape.length === 4;

/** Borders [before, after] of one dimension for a window of `reach` at `stride`. */
function border(
  r: Random,
  n: number,
  reach: number,
  stride: number,
  kind: 'same' | 'valid' | 'any',
): readonly number[] {
  switch (kind) {
    case 'valid':
      return [0, 0];
    case 'same': {
      const total = Math.max(0, (Math.ceil(n / stride) - 1) * stride + reach - n);
      return [Math.floor(total / 2), total - Math.floor(total / 2)];
    }
    case 'any':
      return [r.int(0, reach - 1), r.int(0, reach - 1)];
  }
}
interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly pad: readonly number[];
}
/** A window that fits an image: at least one output pixel, none that sees only border. */
function windowOf(d: Draft, x: Tensor, dilated: 'dilated' | 'plain'): Window {
  const r = d.random;
  for (;;) {
    const kind = r.pick(d.borders === 'any' ? (['same', 'valid', 'any'] as const) : (['same', 'valid'] as const));
    const pair = (hi: number): readonly [number, number] => [r.int(1, hi), r.int(1, hi)];
    const kernel = r.next() < 0.2 ? ([1, 1] as const) : pair(4);
    const dilation = dilated === 'dilated' && r.next() < 0.3 ? pair(3) : ([1, 1] as const);
    // TFLite refuses dilation and stride together in some versions; both apart are common, both at once is not.
    const stride = dilation.some((v) => v > 1) ? ([1, 1] as const) : pair(3);
    const reach = [0, 1].map((i) => (dilation[i] ?? 1) * ((kernel[i] ?? 1) - 1) + 1);
    const pads = [0, 1].map((i) => border(r, x.shape[i + 1] ?? 1, reach[i] ?? 1, stride[i] ?? 1, kind));
    const fits = pads.every(([a = 0, b = 0], i) => (x.shape[i + 1] ?? 0) + a + b >= (reach[i] ?? 1));
    if (fits) return { kernel, stride, dilation, pad: pads.flat() };
  }
}

/** Weights with one scale or one a channel, a bias or none, and an output scale under which sums of `terms` spread. */
function weighted(d: Draft, x: TensorId, shape: readonly number[], axis: number, terms: number) {
  const r = d.random;
  const n = shape[axis] ?? 1;
  const many = r.next() < 0.6;
  const scale = Array.from({ length: many ? n : 1 }, () => scaleOf(r, -9, -5));
  const w = d.constant('int8', shape, [-127, 127], {
    scale,
    zeroPoint: scale.map(() => 0),
    axis: scale.length > 1 ? axis : 0,
  });
  const xScale = scaleAt(d.at(x));
  const bias = r.next() < 0.25 ? -1 : d.constant('int32', [n], [-3000, 3000], biasQuant(scale.map((s) => s * xScale)));
  const quant = perTensor(xScale * (scale[0] ?? 1) * Math.sqrt(terms) * 40 * (0.5 + r.next()), zeroOf(r));
  return { inputs: [x, w, bias], y: { dtype: 'int8' as const, quant } };
}
const biasQuant = (scale: readonly number[]): Quantization => ({
  scale: scale.map(f),
  zeroPoint: scale.map(() => 0),
  axis: 0,
});

function pool(op: string): Layer {
  return {
    start: (d) => int8(d, image(d.random)),
    fits: isImage,
    grow(d, x) {
      const { kernel, stride, pad } = windowOf(d, d.at(x), 'plain');
      const attrs = { filter: kernel, stride, pad, activation: activationOf(d.random) };
      return d.node(op, attrs, [x], same(d.at(x)));
    },
  };
}
const same = (t: Tensor) => ({ dtype: t.dtype, ...(t.quant && { quant: t.quant }) });

/** A second operand that broadcasts with `x`: a constant, a new input, or (now and then) `x` itself. */
function partner(d: Draft, x: TensorId): TensorId {
  const r = d.random;
  const t = d.at(x);
  const how = r.next();
  if (how < 0.1) return x;
  const shape = how < 0.5 ? t.shape : t.shape.map((n) => (r.next() < 0.5 ? 1 : n)).slice(r.int(0, t.shape.length - 1));
  const quant = perTensor(scaleAt(t) * 2 ** (4 * r.next() - 2), zeroOf(r));
  return r.next() < 0.4 ? d.constant('int8', shape, [-128, 127], quant) : d.input('int8', shape, quant);
}
function binary(op: 'add' | 'mul'): Layer {
  return {
    start(d) {
      const shape = anyShape(d.random);
      // Each side may be the one that is stretched.
      return int8(d, d.random.next() < 0.3 ? shape.map((n) => (d.random.next() < 0.5 ? 1 : n)) : shape);
    },
    fits: isInt8,
    grow(d, x) {
      const r = d.random;
      const b = d.at(x).shape.some((n) => n === 1) && r.next() < 0.5 ? stretched(d, x) : partner(d, x);
      const [s0, s1] = [scaleAt(d.at(x)), scaleAt(d.at(b))];
      const whole = op === 'add' ? Math.max(s0, s1) * (1 + r.next()) : s0 * s1 * 90 * (0.5 + r.next());
      const inputs = r.next() < 0.5 ? [x, b] : [b, x];
      return d.node(op, { activation: activationOf(r) }, inputs, { dtype: 'int8', quant: perTensor(whole, zeroOf(r)) });
    },
  };
}
/** An operand that is wide where `x` is narrow. */
function stretched(d: Draft, x: TensorId): TensorId {
  const r = d.random;
  const shape = d.at(x).shape.map((n) => (n === 1 ? r.int(1, 4) : r.pick([1, n])));
  return d.input('int8', shape, perTensor(scaleAt(d.at(x)) * (0.5 + r.next()), zeroOf(r)));
}

const unary = (op: string, attrs: (r: Random) => Node['attrs'] = () => ({})): Layer => ({
  start: (d) => int8(d, anyShape(d.random)),
  fits: isInt8,
  grow(d, x) {
    const r = d.random;
    const t = d.at(x);
    const quant = r.next() < 0.4 ? t.quant : perTensor(scaleAt(t) * (0.4 + r.next()), zeroOf(r));
    return d.node(op, attrs(r), [x], { dtype: 'int8', ...(quant && { quant }) });
  },
});

const zeros = { int8: [-128, 127], uint8: [0, 255], int16: [0, 0] } as const;
type Integer = keyof typeof zeros;
const typed = (r: Random, dtype: Integer): Quantization =>
  perTensor(dtype === 'int16' ? scaleOf(r, -14, -10) : scaleOf(r), r.int(zeros[dtype][0], zeros[dtype][1]));
const integers: readonly Integer[] = ['int8', 'uint8', 'int16'];

/** Factors of `n` in a random order: a shape with that many elements. */
function shapeOf(r: Random, n: number): readonly number[] {
  const out: number[] = [];
  for (let rest = n; rest > 1 && out.length < 3; ) {
    const factor = r.pick(Array.from({ length: rest }, (_, i) => i + 1).filter((k) => rest % k === 0));
    out.push(factor);
    rest /= factor;
  }
  const left = n / out.reduce((a, b) => a * b, 1);
  return left > 1 || out.length === 0 ? [...out, left] : out;
}
const moving = (grow: Layer['grow']): Layer => ({ start: (d) => int8(d, anyShape(d.random)), fits: isInt8, grow });

/** Operator -> how it is drawn. A new operator needs a line here: tests go over all of them. */
export const growers: Readonly<Record<string, Layer>> = {
  conv2d: {
    start: (d) => int8(d, image(d.random)),
    fits: isImage,
    grow(d, x) {
      const { kernel, ...window } = windowOf(d, d.at(x), 'dilated');
      const c = d.at(x).shape[3] ?? 1;
      const { inputs, y } = weighted(d, x, [d.random.int(1, 6), ...kernel, c], 0, kernel[0] * kernel[1] * c);
      return d.node('conv2d', { ...window, activation: activationOf(d.random) }, inputs, y);
    },
  },
  depthwise_conv2d: {
    start: (d) => int8(d, image(d.random)),
    fits: isImage,
    grow(d, x) {
      const { kernel, ...window } = windowOf(d, d.at(x), 'dilated');
      const multiplier = d.random.pick([1, 1, 2, 3]);
      const channels = multiplier * (d.at(x).shape[3] ?? 1);
      const { inputs, y } = weighted(d, x, [1, ...kernel, channels], 3, kernel[0] * kernel[1]);
      return d.node('depthwise_conv2d', { ...window, multiplier, activation: activationOf(d.random) }, inputs, y);
    },
  },
  fully_connected: {
    start: (d) => int8(d, d.random.next() < 0.5 ? [d.random.int(1, 3), d.random.int(1, 40)] : anyShape(d.random, 2, 4)),
    fits: (t) => isInt8(t) && t.shape.length >= 2,
    grow(d, x) {
      const r = d.random;
      const { shape } = d.at(x);
      const keepDims = shape.length > 1 && r.next() < 0.3;
      const k = keepDims || r.next() < 0.5 ? (shape.at(-1) ?? 1) : elements(shape.slice(1));
      const { inputs, y } = weighted(d, x, [r.int(1, 12), k], 0, k);
      return d.node('fully_connected', { keepDims, activation: activationOf(r) }, inputs, y);
    },
  },
  average_pool2d: pool('average_pool2d'),
  max_pool2d: pool('max_pool2d'),
  add: binary('add'),
  mul: binary('mul'),
  relu: unary('relu'),
  relu6: unary('relu6'),
  leaky_relu: unary('leaky_relu', (r) => ({ alpha: Math.fround(r.pick([0.01, 0.1, 0.3, r.next(), 1.5])) })),
  mean: {
    start: (d) => int8(d, anyShape(d.random)),
    fits: isInt8,
    grow(d, x) {
      const r = d.random;
      const t = d.at(x);
      const axes = t.shape.map((_, i) => i).filter(() => r.next() < 0.5);
      const quant = perTensor(scaleAt(t) * (0.3 + r.next()), zeroOf(r));
      // A result without dimensions is legal and has one element.
      return d.node('mean', { axes: axes.length > 0 ? axes : [0], keepDims: r.next() < 0.5 }, [x], {
        dtype: 'int8',
        quant,
      });
    },
  },
  softmax: {
    // Scales up to where all but the largest value vanish.
    start(d) {
      const r = d.random;
      return d.input('int8', [r.int(1, 4), r.int(1, 12)], perTensor(scaleOf(r, -8, r.pick([-1, 6])), zeroOf(r)));
    },
    fits: isInt8,
    grow: (d, x) =>
      d.node('softmax', { beta: d.random.pick([1, 1, 0.5, 2]) }, [x], {
        dtype: 'int8',
        quant: perTensor(1 / 256, -128),
      }),
  },
  quantize: {
    start(d) {
      const r = d.random;
      const dtype = r.pick(['float32', ...integers] as const);
      return d.input(dtype, anyShape(r), dtype === 'float32' ? undefined : typed(r, dtype));
    },
    fits: (t) => t.dtype !== 'float32',
    grow(d, x) {
      const dtype = d.random.pick(integers);
      return d.node('quantize', {}, [x], { dtype, quant: typed(d.random, dtype) });
    },
  },
  dequantize: {
    start(d) {
      const dtype = d.random.pick(integers);
      return d.input(dtype, anyShape(d.random), typed(d.random, dtype));
    },
    fits: (t) => t.dtype !== 'float32',
    grow: (d, x) => d.node('dequantize', {}, [x], { dtype: 'float32' }),
  },
  reshape: moving((d, x) => {
    const shape = shapeOf(d.random, elements(d.at(x).shape));
    return d.node('reshape', { shape }, [x], { ...same(d.at(x)), shape });
  }),
  squeeze: moving((d, x) => {
    const t = d.at(x);
    const axes = t.shape.flatMap((n, i) => (n === 1 ? [i] : []));
    const shape = t.shape.filter((n) => n !== 1);
    return d.node('squeeze', { axes }, [x], { ...same(t), shape });
  }),
  transpose: moving((d, x) => {
    const left = d.at(x).shape.map((_, i) => i);
    const perm = d.at(x).shape.map(() => left.splice(d.random.int(0, left.length - 1), 1)[0] ?? 0);
    return d.node('transpose', { perm }, [x], same(d.at(x)));
  }),
  pad: moving((d, x) => {
    const r = d.random;
    const t = d.at(x);
    const pads = t.shape.flatMap(() => [r.int(0, 2), r.int(0, 2)]);
    const value = r.next() < 0.7 ? (t.quant?.zeroPoint[0] ?? 0) : r.int(-128, 127);
    return d.node('pad', { pads, value }, [x], same(t));
  }),
  concat: moving((d, x) => {
    const r = d.random;
    const t = d.at(x);
    const axis = r.int(0, t.shape.length - 1);
    const others = Array.from({ length: r.int(1, 3) }, () =>
      d.input(
        'int8',
        t.shape.map((n, i) => (i === axis ? r.int(1, 4) : n)),
        t.quant,
      ),
    );
    return d.node('concat', { axis, activation: 'none' }, [x, ...others], same(t));
  }),
};
