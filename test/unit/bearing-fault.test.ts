/** The example model: its signals, its hand-written gradients, its training, and that the committed files are what they claim. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { Graph } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { encode, numbers } from '../../compiler/ops/values.ts';
import { int8Classifier, score } from '../../examples/bearing-fault/evaluate.ts';
import {
  chain,
  conv,
  dense,
  depthwise,
  maxPool,
  mean,
  type Network,
  residual,
  type Signal,
} from '../../examples/bearing-fault/layers.ts';
import { bearingNetwork } from '../../examples/bearing-fault/network.ts';
import { inputOf, quantize } from '../../examples/bearing-fault/quantize.ts';
import { readRecordings, windowsOf } from '../../examples/bearing-fault/recordings.ts';
import results from '../../examples/bearing-fault/results.json' with { type: 'json' };
import {
  bearing,
  classes,
  type Example,
  examples,
  faultFrequencies,
  fullScale,
  normal,
  sampleRate,
  vibration,
  windowLength,
} from '../../examples/bearing-fault/signals.ts';
import { crossEntropy, train } from '../../examples/bearing-fault/training.ts';
import { type Random, seeded } from '../../tuner/random.ts';
import { samples } from '../samples.ts';

const home = resolve(import.meta.dirname, '../../examples/bearing-fault');
const noise = (random: Random, n: number): Signal => Float64Array.from({ length: n }, () => normal(random));
const average = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

describe('signals', () => {
  test('balls that pass either race add up to all balls, once a turn', () => {
    const { inner, outer } = faultFrequencies(bearing, 1);
    expect(inner + outer).toBeCloseTo(bearing.balls, 12);
    // Published for the 6205: 5.415 and 3.585 times the shaft.
    expect(inner).toBeCloseTo(5.415, 3);
    expect(outer).toBeCloseTo(3.585, 3);
  });

  test('equal seeds give equal signals, others do not, and all stay in the sensor range', () => {
    const [a, b, c] = [examples(seeded(3), 8), examples(seeded(3), 8), examples(seeded(4), 8)];
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    expect(a.map((e) => e.label)).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    expect(a.every((e) => e.signal.length === windowLength && e.signal.every((g) => Math.abs(g) <= fullScale))).toBe(
      true,
    );
  });

  test('imbalance shows at the shaft frequency, damaged races above 1.5 kHz', () => {
    const power = (state: (typeof classes)[number], low: number, high: number): number =>
      average(Array.from({ length: 24 }, (_, i) => bandPower(vibration(seeded(i), state), low, high)));
    expect(power('imbalance', 20, 40)).toBeGreaterThan(5 * power('healthy', 20, 40));
    expect(power('outer', 1500, 3700)).toBeGreaterThan(1.5 * power('healthy', 1500, 3700));
    expect(power('inner', 1500, 3700)).toBeGreaterThan(1.2 * power('healthy', 1500, 3700));
  });
});

/** Sum of squared Fourier coefficients between two frequencies. */
function bandPower(signal: Signal, low: number, high: number): number {
  let power = 0;
  const bin = (f: number): number => Math.round((f * windowLength) / sampleRate);
  for (let k = bin(low); k <= bin(high); k++) {
    const [step, sums] = [(2 * Math.PI * k) / windowLength, [0, 0] as [number, number]];
    signal.forEach((g, i) => {
      sums[0] += g * Math.cos(step * i);
      sums[1] += g * Math.sin(step * i);
    });
    power += sums[0] ** 2 + sums[1] ** 2;
  }
  return power;
}

describe('gradients equal finite differences', () => {
  const random = seeded(11);
  const shape = { width: 12, channels: 4 };
  const spec = { kernel: 5, stride: 1, activation: 'relu' } as const;
  const layers = {
    conv: conv(shape, { ...spec, channels: 8 }, random),
    'conv with stride and even kernel': conv(shape, { ...spec, kernel: 4, stride: 3, channels: 4 }, random),
    'linear conv': conv(shape, { ...spec, channels: 4, activation: 'none' }, random),
    'kernel wider than the signal': conv(shape, { ...spec, kernel: 31, channels: 4 }, random),
    depthwise: depthwise(shape, spec, random),
    'depthwise with stride': depthwise(shape, { kernel: 4, stride: 2, activation: 'none' }, random),
    dense: dense(8, 4, random),
    'max pool': maxPool(shape, 3),
    mean: mean(shape),
    residual: residual([depthwise(shape, spec, random), conv(shape, { ...spec, channels: 4 }, random)]),
  };
  for (const [name, layer] of Object.entries(layers)) {
    test(name, () => {
      const net = chain([layer]);
      const weights = noise(random, layer.output.width * layer.output.channels);
      const loss = (y: Signal): number => y.reduce((sum, v, i) => sum + v * (weights[i] as number), 0);
      expectGradients(net, noise(random, layer.input.width * layer.input.channels), loss, () => weights);
    });
  }

  test('a whole network under cross-entropy', () => {
    const net = bearingNetwork({ width: 64, filters: 4, channels: 4, classes: 4 }, random);
    const [loss, gradient] = [
      (y: Signal) => crossEntropy(y, 2).loss,
      (y: Signal) => crossEntropy(y, 2).gradient,
    ] as const;
    expectGradients(net, noise(random, 64), loss, gradient);
  });
});

/**
 * Every component of every gradient against a central difference. Biases start at random here: at 0, a filter that sees only
 * zeros stands exactly where a ReLU has no slope.
 */
function expectGradients(net: Network, x: Signal, loss: (y: Signal) => number, gradient: (y: Signal) => Signal): void {
  for (const { value } of net.parameters) if (value.every((b) => b === 0)) value.set(noise(seeded(12), value.length));
  const dx = net.backward(gradient(net.forward(x)));
  const pairs = [{ value: x, grad: dx }, ...net.parameters];
  const h = 1e-5;
  for (const { value, grad } of pairs) {
    value.forEach((before, i) => {
      const at = (v: number): number => {
        value[i] = v;
        return loss(net.forward(x));
      };
      const slope = (at(before + h) - at(before - h)) / (2 * h);
      value[i] = before;
      expect(Math.abs(slope - (grad[i] as number))).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope)));
    });
  }
}

describe('training', () => {
  const width = 256;
  const short = (list: readonly Example[]): readonly Example[] =>
    list.map((e) => ({ label: e.label, signal: e.signal.subarray(0, width) }));
  const data = short(examples(seeded(21), 96));
  /** A tiny network after a few epochs, and its losses. */
  function tiny(): { readonly net: Network; readonly losses: readonly number[] } {
    const losses: number[] = [];
    const random = seeded(5);
    const net = bearingNetwork({ width, filters: 4, channels: 8, classes: classes.length }, random);
    train(net, data, random, { epochs: 24, batch: 8, rate: 0.01, onEpoch: (_, loss) => losses.push(loss) });
    return { net, losses };
  }
  const bytesOf = (net: Network): Uint8Array =>
    writeTflite(
      quantize(
        net,
        data.map((e) => e.signal),
        'tiny',
        fullScale,
      ),
    );
  const once = tiny();

  test('reduces the loss, from that of guessing', () => {
    expect(once.losses[0]).toBeLessThan(1.25 * Math.log(classes.length));
    expect(once.losses.at(-1)).toBeLessThan(0.75 * (once.losses[0] as number));
  });

  test('equal seeds give equal models', () => {
    expect(bytesOf(tiny().net)).toEqual(bytesOf(once.net));
  });

  test('the int8 model answers what the float model answers', () => {
    const graph = imported(bytesOf(once.net));
    const apart = short(examples(seeded(22), 64)).map(({ signal }) => {
      const [exact] = [softmax(once.net.forward(signal))];
      const [quantized] = runReference(graph, [inputOf(graph, signal)], { rounding: 'double' }).outputs;
      return Math.max(
        ...Array.from(numbers(quantized as Int8Array), (q, i) => Math.abs((q + 128) / 256 - (exact[i] as number))),
      );
    });
    expect(average(apart)).toBeLessThan(0.03);
  });
});
const softmax = (scores: Signal): Signal => {
  const powers = scores.map(Math.exp);
  return powers.map((p) => p / powers.reduce((a, b) => a + b, 0));
};

function imported(bytes: Uint8Array): Graph {
  const graph = importModel(bytes, 'bearing-fault');
  if (!graph.ok) throw new Error(`${graph.error.code} ${graph.error.detail}`);
  return graph.value;
}

describe('the committed model', () => {
  const bytes = readFileSync(join(home, 'bearing-fault.tflite'));
  const graph = imported(bytes);

  test('is the one that results.json speaks of, small, and lost little in int8', () => {
    expect(crc32(bytes)).toBe(results.model.crc32);
    expect(bytes.length).toBe(results.model.bytes);
    expect(bytes.length).toBeLessThan(100_000);
    expect(results.float.accuracy - results.int8.accuracy).toBeLessThan(0.02);
  });

  test('has the accuracy that its README states', () => {
    const readme = readFileSync(join(home, 'README.md'), 'utf8');
    const percent = (share: number): string => `${Number((100 * share).toFixed(2))} %`;
    expect(readme).toContain(`**${percent(results.float.accuracy)}** in float`);
    expect(readme).toContain(`**${percent(results.int8.accuracy)}** as the int8 file`);
    expect(readme).toContain(`agree on ${percent(results.agreement)}`);
    for (const [name, row] of Object.entries(results.int8.confusion))
      expect(readme).toContain(`| **${name}** | ${Object.values(row).join(' | ')} |`);
  });

  test('recognises fresh signals as often as results.json says', () => {
    const fresh = examples(seeded(987), samples(240, 2000));
    const { accuracy } = score(
      fresh,
      fresh.map((e) => int8Classifier(graph)(e.signal)),
    );
    // Both accuracies are sample means: four standard deviations of their difference.
    const p = results.int8.accuracy;
    const deviation = Math.sqrt(p * (1 - p) * (1 / fresh.length + 1 / results.windows.test));
    expect(Math.abs(accuracy - p)).toBeLessThan(4 * deviation);
  });

  test.each(classes)('inputs/%s.bin is recognised', (name) => {
    const input = new Int8Array(readFileSync(join(home, 'inputs', `${name}.bin`)));
    const [output] = runReference(graph, [input], { rounding: 'double' }).outputs;
    const scores = [...encode(output as Int8Array)].map((b) => (b << 24) >> 24);
    expect(classes[scores.indexOf(Math.max(...scores))]).toBe(name);
  });
});

describe('recordings', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bearing-fault-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const put = (name: string, samplesOfIt: Float32Array): void =>
    writeFileSync(join(dir, `${name}.f32`), encode(samplesOfIt));

  test('are cut into windows, the last fifth held out', () => {
    for (const [label, name] of classes.entries())
      put(
        name,
        Float32Array.from({ length: 10 * windowLength + 7 }, (_, i) => label / 4 + Math.floor(i / windowLength) / 64),
      );
    const read = readRecordings(dir);
    if (!read.ok) throw new Error(read.reason);
    const first = (list: readonly Example[]): readonly number[] =>
      list.map((e) => 64 * ((e.signal[0] ?? 0) - e.label / 4));
    expect(first(read.value.training)).toEqual(classes.flatMap(() => [0, 1, 2, 3, 4, 5, 6, 7]));
    expect(first(read.value.test)).toEqual(classes.flatMap(() => [8, 9]));
  });

  test('that are missing, short or broken are named', () => {
    put('outer', new Float32Array(3 * windowLength));
    expect(readRecordings(dir)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/outer\.f32 holds 3 windows/),
    });
    put('outer', new Float32Array(10 * windowLength).fill(Number.NaN));
    expect(readRecordings(dir)).toMatchObject({ ok: false, reason: expect.stringMatching(/outer\.f32.*no numbers/) });
    rmSync(join(dir, 'outer.f32'));
    expect(readRecordings(dir)).toMatchObject({ ok: false, reason: expect.stringMatching(/outer\.f32 is missing/) });
  });

  test('clip where the sensor would', () => {
    const loud = encode(new Float32Array(windowLength).fill(9));
    expect(windowsOf(loud, 1)[0]?.signal[5]).toBe(fullScale);
  });
});
