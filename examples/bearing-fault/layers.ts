/**
 * The layers of a small one-dimensional network, forward and backward by hand. A signal is [width][channels] in one typed
 * array; layers see one signal at a time. Must stay true: backward() belongs to the forward() just before it, returns the
 * gradient of its input and adds those of its parameters (test/unit/bearing-fault.test.ts checks them by finite differences).
 */
import type { Random } from '../../tuner/random.ts';
import { normal } from './signals.ts';
import { addBoth, addFourDots, addProducts, addScaled, at, passed, relu, sum } from './vectors.ts';

export type Signal = Float64Array;
export interface Shape {
  readonly width: number;
  readonly channels: number;
}
/** Weights or biases, and the sum of their gradients since the optimiser last looked. */
export interface Parameter {
  readonly value: Float64Array;
  readonly grad: Float64Array;
}
interface Trainable {
  readonly input: Shape;
  readonly output: Shape;
  readonly parameters: readonly Parameter[];
  forward(x: Signal): Signal;
  backward(dy: Signal): Signal;
}

export type Activation = 'none' | 'relu';
export interface WindowSpec {
  readonly kernel: number;
  readonly stride: number;
}
interface Weighted extends Trainable, WindowSpec {
  readonly weights: Parameter;
  readonly bias: Parameter;
  readonly activation: Activation;
}
/** Weights [output channel][tap][input channel]. */
export interface Conv extends Weighted {
  readonly kind: 'conv';
}
/** Weights [tap][channel]. */
export interface Depthwise extends Weighted {
  readonly kind: 'depthwise';
}
/** A convolution over one position; weights [output][input]. */
export interface Dense extends Weighted {
  readonly kind: 'dense';
}
export interface MaxPool extends Trainable {
  readonly kind: 'max-pool';
  /** Kernel and stride at once: windows lie side by side. */
  readonly size: number;
}
/** Mean over the width. */
export interface Mean extends Trainable {
  readonly kind: 'mean';
}
/** x + body(x). */
export interface Residual extends Trainable {
  readonly kind: 'residual';
  readonly body: readonly Layer[];
}
export type Layer = Conv | Depthwise | Dense | MaxPool | Mean | Residual;

const parameter = (value: Float64Array): Parameter => ({ value, grad: new Float64Array(value.length) });
/** Gaussian weights whose variance keeps that of the signal through a ReLU (He et al., 2015). */
const initial = (random: Random, count: number, fanIn: number): Parameter =>
  parameter(Float64Array.from({ length: count }, () => normal(random) * Math.sqrt(2 / fanIn)));
const sizeOf = (s: Shape): number => s.width * s.channels;

/** TFLite's SAME padding: samples missing before and after the signal. */
export function padding(width: number, w: WindowSpec): readonly [number, number] {
  const total = Math.max(0, (Math.ceil(width / w.stride) - 1) * w.stride + w.kernel - width);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}
/** Which part of window `position` lies in the signal: first tap, first sample, taps. */
function spanOf(width: number, w: WindowSpec, position: number): { tap: number; sample: number; taps: number } {
  const start = position * w.stride - padding(width, w)[0];
  const tap = Math.max(0, -start);
  return { tap, sample: start + tap, taps: Math.min(w.kernel, width - start) - tap };
}

/**
 * Convolution along the width with SAME padding, to a multiple of four channels. A window is one run of memory, and so are
 * its weights in each row.
 */
export function conv(
  input: Shape,
  spec: WindowSpec & { readonly channels: number; readonly activation: Activation },
  random: Random,
): Conv {
  if (spec.channels % 4 !== 0) throw new Error(`${spec.channels} channels are no multiple of four`);
  const output = { width: Math.ceil(input.width / spec.stride), channels: spec.channels };
  const depth = spec.kernel * input.channels;
  const weights = initial(random, spec.channels * depth, depth);
  const bias = parameter(new Float64Array(spec.channels));
  let x: Signal = new Float64Array();
  let y: Signal = x;
  const windows = Array.from({ length: output.width }, (_, p) => {
    const { tap, sample, taps } = spanOf(input.width, spec, p);
    return { w: tap * input.channels, x: sample * input.channels, n: taps * input.channels };
  });
  return {
    kind: 'conv',
    ...spec,
    input,
    output,
    weights,
    bias,
    parameters: [weights, bias],
    forward(signal) {
      x = signal;
      y = new Float64Array(sizeOf(output));
      windows.forEach((span, p) => {
        y.set(bias.value, p * spec.channels);
        for (let o = 0; o < spec.channels; o += 4)
          addFourDots(y, p * spec.channels + o, weights.value, o * depth + span.w, depth, x, span.x, span.n);
      });
      return relu(y, spec.activation);
    },
    backward(dy) {
      const g = passed(dy, y, spec.activation);
      const dx = new Float64Array(sizeOf(input));
      windows.forEach((span, p) => {
        for (let o = 0; o < spec.channels; o++) {
          const gradient = at(g, p * spec.channels + o);
          if (gradient === 0) continue;
          bias.grad[o] = at(bias.grad, o) + gradient;
          addBoth(weights, o * depth + span.w, gradient, x, dx, span.x, span.n);
        }
      });
      return dx;
    },
  };
}
/** One filter a channel, SAME padding. */
export function depthwise(
  input: Shape,
  spec: WindowSpec & { readonly activation: Activation },
  random: Random,
): Depthwise {
  const { channels } = input;
  const output = { width: Math.ceil(input.width / spec.stride), channels };
  const weights = initial(random, spec.kernel * channels, spec.kernel);
  const bias = parameter(new Float64Array(channels));
  let x: Signal = new Float64Array();
  let y: Signal = x;
  const spans = Array.from({ length: output.width }, (_, p) => spanOf(input.width, spec, p));
  /** Calls visit(output row, weight row, input row) for every tap inside the signal, as offsets. */
  const taps = (visit: (y: number, w: number, x: number) => void): void =>
    spans.forEach(({ tap, sample, taps }, p) => {
      for (let k = 0; k < taps; k++) visit(p * channels, (tap + k) * channels, (sample + k) * channels);
    });
  return {
    kind: 'depthwise',
    ...spec,
    input,
    output,
    weights,
    bias,
    parameters: [weights, bias],
    forward(signal) {
      x = signal;
      y = new Float64Array(sizeOf(output));
      for (let p = 0; p < output.width; p++) y.set(bias.value, p * channels);
      taps((yRow, wRow, xRow) => addProducts(y, yRow, weights.value, wRow, x, xRow, channels));
      return relu(y, spec.activation);
    },
    backward(dy) {
      const g = passed(dy, y, spec.activation);
      const dx = new Float64Array(sizeOf(input));
      for (let p = 0; p < output.width; p++) addScaled(bias.grad, 0, 1, g, p * channels, channels);
      taps((yRow, wRow, xRow) => {
        addProducts(weights.grad, wRow, g, yRow, x, xRow, channels);
        addProducts(dx, xRow, g, yRow, weights.value, wRow, channels);
      });
      return dx;
    },
  };
}
/** Fully connected: a convolution whose signal is one position wide. */
export function dense(channelsIn: number, channels: number, random: Random): Dense {
  const input = { width: 1, channels: channelsIn };
  return { ...conv(input, { kernel: 1, stride: 1, channels, activation: 'none' }, random), kind: 'dense' };
}

/** The largest of every `size` neighbours in each channel; the width must be a multiple of `size`. */
export function maxPool(input: Shape, size: number): MaxPool {
  if (input.width % size !== 0) throw new Error(`a width of ${input.width} is no multiple of ${size}`);
  const { channels } = input;
  const output = { width: input.width / size, channels };
  const winners = new Int32Array(sizeOf(output));
  return {
    kind: 'max-pool',
    size,
    input,
    output,
    parameters: [],
    forward(x) {
      const y = new Float64Array(winners.length);
      for (let p = 0, i = 0; p < output.width; p++) {
        for (let c = 0; c < channels; c++, i++) {
          let best = p * size * channels + c;
          for (let k = 1, other = best + channels; k < size; k++, other += channels)
            if (at(x, other) > at(x, best)) best = other;
          winners[i] = best;
          y[i] = at(x, best);
        }
      }
      return y;
    },
    backward(dy) {
      const dx = new Float64Array(sizeOf(input));
      for (let i = 0; i < winners.length; i++) dx[winners[i] as number] = at(dy, i);
      return dx;
    },
  };
}

/** Mean over the width: where in the window something happened no longer matters. */
export function mean(input: Shape): Mean {
  const output = { width: 1, channels: input.channels };
  return {
    kind: 'mean',
    input,
    output,
    parameters: [],
    forward(x) {
      const y = new Float64Array(input.channels);
      for (let p = 0; p < input.width; p++) addScaled(y, 0, 1 / input.width, x, p * input.channels, input.channels);
      return y;
    },
    backward(dy) {
      const share = dy.map((g) => g / input.width);
      const dx = new Float64Array(sizeOf(input));
      for (let p = 0; p < input.width; p++) dx.set(share, p * input.channels);
      return dx;
    },
  };
}

/** x + body(x); the body keeps the shape. */
export function residual(body: readonly Layer[]): Residual {
  const inside = chain(body);
  if (sizeOf(inside.input) !== sizeOf(inside.output)) throw new Error('the body of a residual must keep the shape');
  return {
    kind: 'residual',
    body,
    input: inside.input,
    output: inside.output,
    parameters: inside.parameters,
    forward: (x) => sum(x, inside.forward(x)),
    backward: (dy) => sum(dy, inside.backward(dy)),
  };
}
/** Layers one after another. */
export interface Network extends Trainable {
  readonly layers: readonly Layer[];
}
export function chain(layers: readonly Layer[]): Network {
  const [first, last] = [layers[0], layers.at(-1)];
  if (first === undefined || last === undefined) throw new Error('a network needs a layer');
  return {
    layers,
    input: first.input,
    output: last.output,
    parameters: layers.flatMap((l) => l.parameters),
    forward: (x) => layers.reduce((signal, l) => l.forward(signal), x),
    backward: (dy) => layers.reduceRight((gradient, l) => l.backward(gradient), dy),
  };
}
