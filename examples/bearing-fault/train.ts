/**
 * `node examples/bearing-fault/train.ts`: signals -> training -> int8 -> bearing-fault.tflite, results.json and one input file
 * a class. Equal seeds give equal files on the same Node. Accuracies are of windows that training never saw; those of the
 * int8 model are of the file itself, read back and run through the operators' references.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';
import type { Graph } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { encode } from '../../compiler/ops/values.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { seeded } from '../../tuner/random.ts';
import { floatClassifier, int8Classifier, score } from './evaluate.ts';
import type { Network } from './layers.ts';
import { bearingNetwork } from './network.ts';
import { inputOf, quantize } from './quantize.ts';
import { readRecordings, type Split } from './recordings.ts';
import { classes, examples, fullScale, windowLength } from './signals.ts';
import { train } from './training.ts';

const usage = `usage: node examples/bearing-fault/train.ts [--seed N] [--data DIR] [--out DIR]
  --seed N    decides signals, first weights and order (default 1)
  --data DIR  recordings instead of generated signals: ${classes.map((c) => `${c}.f32`).join(', ')}
  --out DIR   where the model, results.json and inputs/ go (default: beside this script)`;

/** How the committed model was made. */
const plan = { training: 2400, test: 2000, epochs: 10, batch: 16, rate: 0.004 };

/** The command line, or what is wrong with it. */
function argumentsOf(): { readonly values: ReturnType<typeof parse> } | { readonly problem: string } {
  try {
    return { values: parse() };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
const parse = () =>
  parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      data: { type: 'string' },
      out: { type: 'string', default: import.meta.dirname },
      help: { type: 'boolean', default: false },
    },
  }).values;

/** Does everything; returns what is wrong with the arguments or the recordings. */
function main(): string | undefined {
  const given = argumentsOf();
  if ('problem' in given) return given.problem;
  const { values } = given;
  if (values.help) {
    console.log(usage);
    return undefined;
  }
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0) return `--seed must be an integer from 0 on, not ${values.seed}`;
  const random = seeded(seed);
  const data = values.data === undefined ? generated(seed) : readRecordings(values.data);
  if (!data.ok) return data.reason;
  const { training, test } = data.value;
  console.log(`${training.length} windows to train on, ${test.length} to test with`);
  const size = { width: windowLength, filters: 16, channels: 32, classes: classes.length };
  const net = bearingNetwork(size, random.fork('weights'));
  train(net, training, random.fork('order'), {
    ...plan,
    onEpoch: (epoch, loss) => console.log(`epoch ${epoch + 1} of ${plan.epochs}: loss ${loss.toFixed(3)}`),
  });
  const signals = training.map((e) => e.signal);
  const bytes = writeTflite(quantize(net, signals, 'bearing-fault', fullScale));
  write(values.out, bytes, net, data.value, seed);
  return undefined;
}

/** Generated windows; training and test come from generators of their own. */
function generated(seed: number): { readonly ok: true; readonly value: Split } {
  const random = seeded(seed);
  const training = examples(random.fork('training'), plan.training);
  return { ok: true, value: { training, test: examples(random.fork('test'), plan.test) } };
}

/** Tests the model as it stands in the file, and writes everything. */
function write(out: string, bytes: Uint8Array, net: Network, { training, test }: Split, seed: number): void {
  const read = importModel(bytes, 'bearing-fault');
  if (!read.ok) throw new Error(`the model written does not import: ${read.error.detail}`);
  const graph = read.value;
  const inFloat = test.map((e) => floatClassifier(net)(e.signal));
  const inInt8 = test.map((e) => int8Classifier(graph)(e.signal));
  const results = {
    seed,
    windows: { training: training.length, test: test.length },
    model: {
      bytes: bytes.length,
      crc32: crc32(bytes),
      parameters: net.parameters.reduce((n, p) => n + p.value.length, 0),
      macs: macsOf(graph),
    },
    float: score(test, inFloat),
    int8: score(test, inInt8),
    agreement: inFloat.filter((p, i) => p === inInt8[i]).length / test.length,
  };
  mkdirSync(join(out, 'inputs'), { recursive: true });
  writeFileSync(join(out, 'bearing-fault.tflite'), bytes);
  writeFileSync(join(out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  for (const [label, name] of classes.entries()) {
    // The first of its class that the model recognises: these files are for trying `microtune run`, not for judging it.
    const sample = test.find((e, i) => e.label === label && inInt8[i] === label);
    if (sample !== undefined) writeFileSync(join(out, 'inputs', `${name}.bin`), encode(inputOf(graph, sample.signal)));
  }
  console.log(`accuracy: float ${results.float.accuracy}, int8 ${results.int8.accuracy}; ${bytes.length} bytes`);
}

const macsOf = (graph: Graph): number =>
  tasksOf(graph, { rounding: 'double' }).reduce((n, task) => n + task.macs * task.occurrences.length, 0);

const problem = main();
if (problem !== undefined) {
  console.error(`error: ${problem}\n${usage}`);
  process.exitCode = 1;
}
