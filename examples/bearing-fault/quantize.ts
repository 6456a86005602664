/**
 * A trained network -> an int8 graph with TFLite's conventions: weights symmetric, one scale an output channel (one a tensor
 * where fully connected); activations one scale and zero point a tensor, from the extremes seen on calibration signals; int32
 * biases at input scale times weight scale; a softmax behind the scores. int8 in, int8 out.
 */
import { elements, type Graph, type Node, type Quantization, type Tensor } from '../../compiler/graph/graph.ts';
import { quantize as toInteger } from '../../compiler/program/arithmetic.ts';
import { type Conv, type Dense, type Depthwise, type Layer, type Network, padding, type Signal } from './layers.ts';

/** Scales are stored as float32; rounding them first keeps the arithmetic here and in the file equal. */
const affine = (scale: readonly number[], zeroPoint: readonly number[], axis = 0): Quantization => ({
  scale: scale.map(Math.fround),
  zeroPoint,
  axis,
});
const symmetric = (largest: readonly number[], levels: number, axis: number): Quantization =>
  affine(
    largest.map((m) => Math.max(m, 1e-6) / levels),
    largest.map(() => 0),
    axis,
  );
function covering(low: number, high: number): Quantization {
  const [min, max] = [Math.min(0, low), Math.max(1e-6, high)];
  const scale = (max - min) / 255;
  return affine([scale], [Math.round(-128 - min / scale)]);
}
const scaleOf = (q: Quantization | undefined): number => q?.scale[0] ?? 1;

/** Smallest and largest output of each layer over the calibration signals. */
type Ranges = ReadonlyMap<Layer, readonly [number, number]>;

function calibrate(net: Network, signals: readonly Signal[]): Ranges {
  const ranges = new Map<Layer, readonly [number, number]>();
  const trace = (layers: readonly Layer[], x: Signal): void => {
    for (const layer of layers) {
      if (layer.kind === 'residual') trace(layer.body, x);
      x = layer.forward(x);
      const [low, high] = ranges.get(layer) ?? [Infinity, -Infinity];
      ranges.set(layer, [Math.min(low, ...x), Math.max(high, ...x)]);
    }
  };
  for (const signal of signals) trace(net.layers, signal);
  return ranges;
}

/** The network in int8; its input covers -`fullScale` to `fullScale`. */
export function quantize(net: Network, signals: readonly Signal[], name: string, fullScale: number): Graph {
  const g = new GraphBuilder();
  const ranges = calibrate(net, signals);
  const input = g.activation('acceleration', [1, 1, net.input.width, 1], affine([fullScale / 128], [0]));
  const scores = appendAll(g, ranges, input, net.layers);
  const output = g.activation('probabilities', [1, net.output.channels], affine([1 / 256], [-128]));
  g.node('softmax', { beta: 1 }, [scores], output);
  return { name, tensors: g.tensors, nodes: g.nodes, inputs: [input], outputs: [output] };
}

/** A graph in the making; its methods return tensor ids. */
class GraphBuilder {
  readonly tensors: Tensor[] = [];
  readonly nodes: Node[] = [];
  push(t: Tensor): number {
    return this.tensors.push(t) - 1;
  }
  activation(name: string, shape: readonly number[], quant: Quantization): number {
    return this.push({ name, dtype: 'int8', shape, quant });
  }
  quantOf(id: number): Quantization {
    return this.tensors[id]?.quant as Quantization;
  }
  node(op: string, attrs: Node['attrs'], inputs: readonly number[], output: number): number {
    const name = this.tensors[output]?.name ?? op;
    this.nodes.push({ op, attrs, inputs, outputs: [output], source: { index: this.nodes.length, name } });
    return output;
  }
}

const appendAll = (g: GraphBuilder, ranges: Ranges, x: number, layers: readonly Layer[]): number =>
  layers.reduce((id, layer) => append(g, ranges, id, layer), x);

/** Appends the nodes of a layer that reads tensor `x`. */
function append(g: GraphBuilder, ranges: Ranges, x: number, layer: Layer): number {
  const name = `${layer.kind}_${g.nodes.length}`;
  const { width, channels } = layer.output;
  const shape = [1, 1, width, channels];
  const quant = covering(...(ranges.get(layer) ?? [0, 0]));
  switch (layer.kind) {
    case 'conv':
    case 'depthwise':
    case 'dense': {
      const { weights, bias } = constantsOf(layer, name, scaleOf(g.quantOf(x)));
      const y = g.activation(name, layer.kind === 'dense' ? [1, channels] : shape, quant);
      return g.node(...operatorOf(layer), [x, g.push(weights), g.push(bias)], y);
    }
    case 'max-pool': {
      const window = [1, layer.size];
      const attrs = { filter: window, stride: window, pad: [0, 0, 0, 0], activation: 'none' };
      // Choosing one of its inputs, a pool keeps their scale.
      return g.node('max_pool2d', attrs, [x], g.activation(name, shape, g.quantOf(x)));
    }
    case 'mean':
      return g.node('mean', { axes: [1, 2], keepDims: false }, [x], g.activation(name, [1, channels], quant));
    case 'residual': {
      const inside = appendAll(g, ranges, x, layer.body);
      return g.node('add', { activation: 'none' }, [x, inside], g.activation(`add_${g.nodes.length}`, shape, quant));
    }
  }
}

/** Operator and attributes of a layer with weights. */
function operatorOf(layer: Conv | Depthwise | Dense): [string, Node['attrs']] {
  if (layer.kind === 'dense') return ['fully_connected', { activation: layer.activation, keepDims: false }];
  const pad = [0, 0, ...padding(layer.input.width, layer)];
  const window = { stride: [1, layer.stride], dilation: [1, 1], pad };
  const attrs = { ...window, activation: layer.activation };
  return layer.kind === 'conv' ? ['conv2d', attrs] : ['depthwise_conv2d', { ...attrs, multiplier: 1 }];
}

/** How a layer's weights lie in the file, and which of them share a scale. */
function weightLayout(layer: Conv | Depthwise | Dense): {
  readonly shape: readonly number[];
  readonly axis: number;
  /** Number of scales, and which of them weight i uses. */
  readonly scales: number;
  readonly scaleOf: (i: number) => number;
} {
  const { channels } = layer.output;
  const depth = layer.weights.value.length / channels;
  switch (layer.kind) {
    case 'conv':
      return {
        shape: [channels, 1, layer.kernel, layer.input.channels],
        axis: 0,
        scales: channels,
        scaleOf: (i) => Math.floor(i / depth),
      };
    case 'depthwise':
      return { shape: [1, 1, layer.kernel, channels], axis: 3, scales: channels, scaleOf: (i) => i % channels };
    case 'dense':
      return { shape: [channels, depth], axis: 0, scales: 1, scaleOf: () => 0 };
  }
}

function constantsOf(
  layer: Conv | Depthwise | Dense,
  name: string,
  inputScale: number,
): { readonly weights: Tensor; readonly bias: Tensor } {
  const { shape, axis, scales, scaleOf: which } = weightLayout(layer);
  const largest = Array<number>(scales).fill(0);
  layer.weights.value.forEach((w, i) => {
    largest[which(i)] = Math.max(largest[which(i)] as number, Math.abs(w));
  });
  const quant = symmetric(largest, 127, axis);
  const weights = Int8Array.from(layer.weights.value, (w, i) =>
    toInteger(w, quant.scale[which(i)] as number, 0, -127, 127),
  );
  const biasScale = quant.scale.map((s) => inputScale * s);
  const bias = Int32Array.from(layer.bias.value, (b, o) => Math.round(b / (biasScale[o] ?? (biasScale[0] as number))));
  return {
    weights: { name: `${name}/weights`, dtype: 'int8', shape, quant, data: bytesOf(weights) },
    bias: {
      name: `${name}/bias`,
      dtype: 'int32',
      shape: [bias.length],
      quant: affine(biasScale, Array<number>(scales).fill(0)),
      data: bytesOf(bias),
    },
  };
}
const bytesOf = (v: Int8Array | Int32Array): Uint8Array => new Uint8Array(v.buffer);

/** A signal as the bytes that the model takes. */
export function inputOf(graph: Graph, signal: Signal): Int8Array {
  const t = graph.tensors[graph.inputs[0] ?? -1];
  if (t?.quant === undefined || elements(t.shape) !== signal.length) throw new Error('the model has another input');
  const [scale, zero] = [scaleOf(t.quant), t.quant.zeroPoint[0] ?? 0];
  return Int8Array.from(signal, (g) => toInteger(g, scale, zero, -128, 127));
}
