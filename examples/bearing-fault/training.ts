/**
 * Softmax cross-entropy, Adam, and epochs over shuffled batches. Must stay true: all randomness comes from the generator
 * passed in, so equal seeds and data give equal weights, bit for bit.
 */
import type { Random } from '../../tuner/random.ts';
import type { Network, Parameter, Signal } from './layers.ts';
import type { Example } from './signals.ts';

/** -log of the label's probability, and its gradient over the scores. */
export function crossEntropy(scores: Signal, label: number): { readonly loss: number; readonly gradient: Signal } {
  const top = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - top));
  const total = powers.reduce((a, b) => a + b, 0);
  const gradient = powers.map((p, i) => p / total - (i === label ? 1 : 0));
  return { loss: Math.log(total) - ((scores[label] as number) - top), gradient };
}

/** One step of Adam (Kingma and Ba, 2015) at a learning rate; clears the gradients. */
export function adam(parameters: readonly Parameter[]): (rate: number) => void {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  const moments = parameters.map((p) => ({
    p,
    first: new Float64Array(p.value.length),
    second: new Float64Array(p.value.length),
  }));
  let steps = 0;
  return (rate) => {
    steps++;
    const size = (rate * Math.sqrt(1 - beta2 ** steps)) / (1 - beta1 ** steps);
    for (const { p, first, second } of moments) {
      p.grad.forEach((g, i) => {
        const m = beta1 * (first[i] as number) + (1 - beta1) * g;
        const v = beta2 * (second[i] as number) + (1 - beta2) * g * g;
        first[i] = m;
        second[i] = v;
        p.value[i] = (p.value[i] as number) - (size * m) / (Math.sqrt(v) + epsilon);
      });
      p.grad.fill(0);
    }
  };
}

export interface TrainingOptions {
  readonly epochs: number;
  readonly batch: number;
  /** Learning rate of the first step; it falls to 0 along a cosine. */
  readonly rate: number;
  /** Called after each epoch with its mean loss. */
  readonly onEpoch: (epoch: number, loss: number) => void;
}

/** Trains in place. */
export function train(net: Network, data: readonly Example[], random: Random, o: TrainingOptions): void {
  const step = adam(net.parameters);
  const perEpoch = Math.ceil(data.length / o.batch);
  for (let epoch = 0, taken = 0; epoch < o.epochs; epoch++) {
    const order = shuffled(data, random);
    let loss = 0;
    for (let from = 0; from < order.length; from += o.batch, taken++) {
      loss += accumulate(net, order.slice(from, from + o.batch));
      step(o.rate * 0.5 * (1 + Math.cos((Math.PI * taken) / (perEpoch * o.epochs))));
    }
    o.onEpoch(epoch, loss / data.length);
  }
}

/** Adds the mean gradient of a batch to the parameters' gradients; returns the summed loss. */
function accumulate(net: Network, batch: readonly Example[]): number {
  let sum = 0;
  for (const { signal, label } of batch) {
    const { loss, gradient } = crossEntropy(net.forward(signal), label);
    net.backward(gradient.map((g) => g / batch.length));
    sum += loss;
  }
  return sum;
}

/** A copy in random order (Fisher and Yates). */
function shuffled<T>(list: readonly T[], random: Random): readonly T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}
