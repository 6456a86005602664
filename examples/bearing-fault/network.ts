/**
 * The example network, shaped after how an engineer looks for bearing faults: a bank of filters, rectified, its envelope
 * taken (max pool), then blocks that look for the envelope's rhythm. Channels are multiples of four; the two blocks are
 * equal, so their layers are tuned once.
 */
import type { Random } from '../../tuner/random.ts';
import {
  chain,
  conv,
  dense,
  depthwise,
  type Layer,
  maxPool,
  mean,
  type Network,
  residual,
  type Shape,
} from './layers.ts';

export interface Size {
  /** Samples a window. */
  readonly width: number;
  /** Filters of the first layer, and channels after it. */
  readonly filters: number;
  readonly channels: number;
  readonly classes: number;
}

/** An untrained network: acceleration in g in, one score a class out (softmax comes with quantization). */
export function bearingNetwork(size: Size, random: Random): Network {
  const layers: Layer[] = [];
  const then = (make: (input: Shape) => Layer): void => {
    layers.push(make(layers.at(-1)?.output ?? { width: size.width, channels: 1 }));
  };
  then((s) => conv(s, { kernel: 16, stride: 4, channels: size.filters, activation: 'relu' }, random));
  then((s) => maxPool(s, 2));
  then((s) => depthwise(s, { kernel: 5, stride: 1, activation: 'relu' }, random));
  then((s) => pointwise(s, size.channels, random));
  then((s) => block(s, random));
  then((s) => block(s, random));
  then((s) => mean(s));
  then((s) => dense(s.channels, size.classes, random));
  return chain(layers);
}

const pointwise = (input: Shape, channels: number, random: Random): Layer =>
  conv(input, { kernel: 1, stride: 1, channels, activation: 'relu' }, random);

/** Nine positions are 9 ms: about one interval between two impacts. */
const block = (input: Shape, random: Random): Layer =>
  residual([
    depthwise(input, { kernel: 9, stride: 1, activation: 'relu' }, random),
    pointwise(input, input.channels, random),
  ]);
