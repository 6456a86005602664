/**
 * Layers of networks that people run on microcontrollers, by family: what records are made for beside those of the reference networks.
 * Only shapes, strides and activations are theirs; weights are drawn, so that a layer's proofs (ranges of sums, forms of requantisation)
 * are about as hard as a trained one's. MCUNet's networks differ from model to model: its rows are blocks such as they have.
 */
import type { TensorId } from '../../compiler/graph/graph.ts';
import { Draft } from '../../test/unit/graphs.ts';
import { Random } from '../../test/unit/random.ts';
import type { Subject } from '../session.ts';

/** 'linear' has no activation: the end of an inverted residual, a classifier. */
type Ending = 'relu' | 'relu6' | 'linear';
type Pair = readonly [number, number];
type LayerShape =
  | {
      readonly op: 'conv2d' | 'depthwise_conv2d';
      readonly image: readonly [height: number, width: number, channels: number];
      readonly out: number;
      readonly kernel: Pair;
      readonly stride: Pair;
      readonly ending: Ending;
    }
  | { readonly op: 'fully_connected'; readonly inputs: number; readonly out: number; readonly ending: Ending }
  | { readonly op: 'add'; readonly image: readonly [number, number, number] }
  | { readonly op: 'average_pool2d'; readonly image: readonly [number, number, number] };

export interface Family {
  readonly name: string;
  readonly layers: readonly LayerShape[];
}

const conv = (
  side: number | Pair,
  c: number,
  out: number,
  kernel: number | Pair,
  stride: number | Pair,
  ending: Ending,
): LayerShape => ({
  op: 'conv2d',
  image: [...pair(side), c],
  out,
  kernel: pair(kernel),
  stride: pair(stride),
  ending,
});
const depthwise = (
  side: number | Pair,
  c: number,
  kernel: number,
  stride: number | Pair,
  ending: Ending,
): LayerShape => ({
  op: 'depthwise_conv2d',
  image: [...pair(side), c],
  out: c,
  kernel: pair(kernel),
  stride: pair(stride),
  ending,
});
const pool = (side: number | Pair, c: number): LayerShape => ({ op: 'average_pool2d', image: [...pair(side), c] });
const dense = (inputs: number, out: number, ending: Ending): LayerShape => ({
  op: 'fully_connected',
  inputs,
  out,
  ending,
});
const pair = (n: number | Pair): Pair => (typeof n === 'number' ? [n, n] : n);
/** Channels at a width multiplier, as both MobileNets round them. */
const wide = (c: number, alpha: number): number => {
  const rounded = Math.max(8, Math.floor((c * alpha + 4) / 8) * 8);
  return rounded < 0.9 * c * alpha ? rounded + 8 : rounded;
};
const half = (n: number, stride: number): number => Math.ceil(n / stride);

/** Channels and stride of each depthwise block. */
const mobileNet1: readonly Pair[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [1024, 2],
  [1024, 1],
];
function mobileNetV1(side: number, alpha: number): Family {
  let [at, c] = [half(side, 2), wide(32, alpha)];
  const layers = [conv(side, 3, c, 3, 2, 'relu6')];
  for (const [out, stride] of mobileNet1) {
    layers.push(depthwise(at, c, 3, stride, 'relu6'));
    at = half(at, stride);
    layers.push(conv(at, c, wide(out, alpha), 1, 1, 'relu6'));
    c = wide(out, alpha);
  }
  return { name: `mobilenet-v1-${alpha}-${side}`, layers: [...layers, pool(at, c)] };
}

/** Expansion, channels and stride of each inverted residual; of equal ones in a row two, as the first may widen or shrink. */
const mobileNet2: readonly (readonly [number, number, number])[] = [
  [1, 16, 1],
  [6, 24, 2],
  [6, 24, 1],
  [6, 32, 2],
  [6, 32, 1],
  [6, 64, 2],
  [6, 64, 1],
  [6, 96, 1],
  [6, 96, 1],
  [6, 160, 2],
  [6, 160, 1],
  [6, 320, 1],
];
function mobileNetV2(side: number, alpha: number): Family {
  let [at, c] = [half(side, 2), wide(32, alpha)];
  const layers = [conv(side, 3, c, 3, 2, 'relu6')];
  for (const [expand, channels, stride] of mobileNet2) {
    const out = wide(channels, alpha);
    layers.push(...inverted(at, c, out, expand, 3, stride));
    [at, c] = [half(at, stride), out];
  }
  return { name: `mobilenet-v2-${alpha}-${side}`, layers };
}
function inverted(
  side: number,
  c: number,
  out: number,
  expand: number,
  kernel: number,
  stride: number,
): readonly LayerShape[] {
  const inner = c * expand;
  const after = half(side, stride);
  return [
    ...(expand > 1 ? [conv(side, c, inner, 1, 1, 'relu6')] : []),
    depthwise(side, inner, kernel, stride, 'relu6'),
    conv(after, inner, out, 1, 1, 'linear'),
    ...(stride === 1 && c === out ? [{ op: 'add', image: [side, side, c] } as const] : []),
  ];
}

/** Expansion, window, channels in and out, stride and side of blocks such as MCUNet's searches find. */
const mcuNet: readonly (readonly [number, number, number, number, number, number])[] = [
  [3, 5, 8, 16, 2, 40],
  [5, 7, 16, 16, 1, 20],
  [4, 5, 16, 24, 2, 20],
  [6, 7, 24, 24, 1, 10],
  [5, 3, 24, 40, 2, 10],
  [6, 5, 40, 48, 1, 5],
  [4, 7, 48, 96, 2, 5],
];
const mcuNetBlocks = (): Family => ({
  name: 'mcunet-blocks',
  layers: mcuNet.flatMap(([expand, kernel, c, out, stride, side]) => inverted(side, c, out, expand, kernel, stride)),
});

/** Filters of the three networks of "Hello Edge", on 49 x 10 MFCC. */
const dsCnn = (filters: number, first: Pair, second: Pair): Family => {
  const at: Pair = [half(49, first[0]), half(10, first[1])];
  const after: Pair = [half(at[0], second[0]), half(at[1], second[1])];
  return {
    name: `ds-cnn-${filters}`,
    layers: [
      conv([49, 10], 1, filters, [10, 4], first, 'relu'),
      ...(second.some((s) => s > 1) ? [depthwise(at, filters, 3, second, 'relu')] : []),
      depthwise(after, filters, 3, 1, 'relu'),
      conv(after, filters, filters, 1, 1, 'relu'),
      pool(after, filters),
      dense(filters, 12, 'linear'),
    ],
  };
};

const resNet = (side: number, width: number): Family => ({
  name: `resnet-8-${width}-${side}`,
  layers: [
    conv(side, 3, width, 3, 1, 'relu'),
    ...[0, 1, 2].flatMap((stage): readonly LayerShape[] => {
      const [at, c] = [side >> stage, width << stage];
      const narrow = conv(at * 2, c / 2, c, 3, 2, 'relu');
      return [
        ...(stage > 0 ? [narrow, conv(at * 2, c / 2, c, 1, 2, 'linear')] : [conv(at, c, c, 3, 1, 'relu')]),
        conv(at, c, c, 3, 1, 'linear'),
        { op: 'add', image: [at, at, c] },
      ];
    }),
    pool(side >> 2, width << 2),
  ],
});

const autoencoder = (inputs: number, hidden: number, code: number): Family => ({
  name: `autoencoder-${inputs}`,
  layers: [
    dense(inputs, hidden, 'relu'),
    dense(hidden, hidden, 'relu'),
    dense(hidden, code, 'relu'),
    dense(code, hidden, 'relu'),
    dense(hidden, inputs, 'linear'),
  ],
});

/** Convolutions over time alone, as for vibration, ECG and activity. */
const timeSeries: Family = {
  name: 'time-series',
  layers: [
    conv([1, 128], 3, 16, [1, 5], [1, 1], 'relu'),
    conv([1, 128], 16, 32, [1, 5], [1, 2], 'relu'),
    conv([1, 64], 32, 32, [1, 3], [1, 1], 'relu'),
    conv([1, 512], 1, 8, [1, 16], [1, 4], 'relu'),
  ],
};

export const shapeFamilies: readonly Family[] = [
  mobileNetV1(96, 0.25),
  mobileNetV1(128, 0.25),
  mobileNetV1(96, 0.5),
  mobileNetV2(96, 0.35),
  mobileNetV2(144, 0.35),
  resNet(32, 16),
  resNet(32, 8),
  dsCnn(64, [2, 2], [1, 1]),
  dsCnn(172, [2, 1], [2, 2]),
  mcuNetBlocks(),
  autoencoder(640, 128, 8),
  autoencoder(256, 64, 4),
  timeSeries,
];

/** A graph whose nodes are the family's layers side by side, each on an input of its own. */
export function subjectOfShapes({ name, layers }: Family): Subject {
  const draft = new Draft(new Random(1), 'tflite');
  const outputs = layers.map((layer) => grow(draft, layer));
  return { model: { file: name, sha256: '' }, graph: draft.finish(name, outputs) };
}

const activations = {
  relu: { activation: 'relu', scale: 8 / 255, zero: -128 },
  relu6: { activation: 'relu6', scale: 6 / 255, zero: -128 },
  linear: { activation: 'none', scale: 16 / 255, zero: 3 },
} as const;
const quant = (scale: number, zero: number) => ({ scale: [Math.fround(scale)], zeroPoint: [zero], axis: 0 });
const inputScale = 6 / 255;
/** Of values and weights about zero, and of a sum in real numbers: most outputs lie within the range, some beyond. */
const spread = { value: 60, weight: 45, sum: 2.5 };

function grow(d: Draft, layer: LayerShape): TensorId {
  switch (layer.op) {
    case 'conv2d':
    case 'depthwise_conv2d':
      return window(d, layer);
    case 'fully_connected': {
      const x = d.input('int8', [1, layer.inputs], quant(inputScale, -128));
      const { activation, ...y } = activations[layer.ending];
      const [w, bias] = weights(d, [layer.out, layer.inputs], 0, layer.inputs);
      return d.node('fully_connected', { keepDims: false, activation }, [x, w, bias], {
        dtype: 'int8',
        quant: quant(y.scale, y.zero),
      });
    }
    case 'add': {
      const a = d.input('int8', [1, ...layer.image], quant(0.05, 4));
      const b = d.input('int8', [1, ...layer.image], quant(0.06, -7));
      return d.node('add', { activation: 'none' }, [a, b], { dtype: 'int8', quant: quant(0.08, -3) });
    }
    case 'average_pool2d': {
      const [height, width] = layer.image;
      const x = d.input('int8', [1, ...layer.image], quant(inputScale, -128));
      const attrs = { filter: [height, width], stride: [height, width], pad: [0, 0, 0, 0], activation: 'none' };
      return d.node('average_pool2d', attrs, [x], { dtype: 'int8', quant: quant(inputScale, -128) });
    }
  }
}

function window(d: Draft, l: LayerShape & { readonly op: 'conv2d' | 'depthwise_conv2d' }): TensorId {
  const [height, width, c] = l.image;
  const x = d.input('int8', [1, height, width, c], quant(inputScale, -128));
  const { activation, scale, zero } = activations[l.ending];
  const pad = [same(height, l.kernel[0], l.stride[0]), same(width, l.kernel[1], l.stride[1])].flat();
  const common = { stride: l.stride, dilation: [1, 1], pad, activation };
  const y = { dtype: 'int8', quant: quant(scale, zero) } as const;
  const taps = l.kernel[0] * l.kernel[1];
  if (l.op === 'conv2d') {
    const [w, bias] = weights(d, [l.out, ...l.kernel, c], 0, taps * c);
    return d.node('conv2d', common, [x, w, bias], y);
  }
  const [w, bias] = weights(d, [1, ...l.kernel, l.out], 3, taps);
  return d.node('depthwise_conv2d', { ...common, multiplier: l.out / c }, [x, w, bias], y);
}

/** Borders of padding SAME. */
function same(n: number, kernel: number, stride: number): Pair {
  const total = Math.max(0, (Math.ceil(n / stride) - 1) * stride + kernel - n);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

/** Weights with a scale a channel, and a bias. */
function weights(d: Draft, shape: readonly number[], axis: number, terms: number): readonly [TensorId, TensorId] {
  const n = shape[axis] ?? 1;
  const usual = spread.sum / (inputScale * spread.value * spread.weight * Math.sqrt(terms));
  const scale = Array.from({ length: n }, () => Math.fround(usual * (0.7 + 0.6 * d.random.next())));
  const zeroPoint = scale.map(() => 0);
  const w = d.constant('int8', shape, [-78, 78], { scale, zeroPoint, axis });
  const bias = d.constant('int32', [n], [-2000, 2000], {
    scale: scale.map((s) => Math.fround(s * inputScale)),
    zeroPoint,
    axis: 0,
  });
  return [w, bias];
}
