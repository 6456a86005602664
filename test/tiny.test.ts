/** Begin reading here: the whole road of a model on one page, from a file to an answer of compiled C that equals the model's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { host } from '../boards/host/index.ts';
import { importModel } from '../compiler/import/index.ts';
import { writeTflite } from '../compiler/import/tflite/write.ts';
import { runPasses } from '../compiler/passes/index.ts';
import { select } from '../compiler/select.ts';
import { tasksOf } from '../compiler/tasks.ts';
import { defaultSchedule, templatesFor } from '../kernels/index.ts';
import { build, expectedOutputs, randomInput, runOnDevice } from '../server/build.ts';
import { started } from './emulated.ts';
import { unwrap } from './golden-run.ts';
import { Draft } from './unit/graphs.ts';
import { Random } from './unit/random.ts';

/** A convolution and a classifier, with random weights, as a .tflite file. */
function modelFile(): Uint8Array {
  const d = new Draft(new Random(1), 'tflite');
  const per = (scale: number, zero = 0) => ({ scale: [scale], zeroPoint: [zero], axis: 0 });
  const x = d.input('int8', [1, 6, 6, 2], per(0.05, -3));
  const filters = d.constant('int8', [4, 3, 3, 2], [-127, 127], per(0.01));
  const window = { stride: [1, 1], dilation: [1, 1], pad: [1, 1, 1, 1], activation: 'relu' };
  const image = d.node('conv2d', window, [x, filters, -1], { dtype: 'int8', quant: per(0.1, -128) });
  const weights = d.constant('int8', [3, 6 * 6 * 4], [-127, 127], per(0.01));
  const flat = { keepDims: false, activation: 'none' };
  const y = d.node('fully_connected', flat, [image, weights, -1], { dtype: 'int8', quant: per(1) });
  return writeTflite(d.finish('tiny', [y]));
}

test('model, C, gcc, answer', async () => {
  // The importer reads the file into a graph; passes rewrite the graph without changing what it computes.
  const model = unwrap(importModel(modelFile(), 'tiny'));
  const graph = runPasses(model, { optional: 'all' });
  // Each distinct layer is a task. It gets a schedule: what a template of kernels/ proposes, where it is legal; else the default.
  const tasks = tasksOf(graph, { rounding: 'double' });
  const selected = select(tasks, ({ workload }) => [
    ...templatesFor(workload, []).map(({ template, knobs }) => {
      const setting = Object.fromEntries(knobs.map((k) => [k.name, k.values[0] ?? 0]));
      return { schedule: template.schedule(workload, setting), words: template.describe(setting) };
    }),
    { schedule: defaultSchedule(workload, []), words: 'default' },
  ]);
  const dir = mkdtempSync(join(tmpdir(), 'mt-tiny-'));
  try {
    // Schedules rewrite the layers' loop programs, programs become C, gcc compiles it and links it with the server of a board.
    const where = { outDir: join(dir, 'out'), cacheDir: join(dir, 'cache') };
    const built = unwrap(await build({ graph, name: 'tiny', board: host, selected, ...where }));
    const device = await started(host, built.firmware);
    // An input goes over the wire, the network runs, the output comes back: equal to what the model's references say.
    const input = randomInput(model, 7);
    const macs = tasks.reduce((n, t) => n + t.macs, 0);
    const run = await runOnDevice(device, macs, input).finally(() => device.close());
    expect(Buffer.from(unwrap(run).outputs)).toEqual(Buffer.from(expectedOutputs(model, input)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
