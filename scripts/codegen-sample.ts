/**
 * `node scripts/codegen-sample.ts OUT MODEL.tflite…` writes the C of every model below OUT: with default schedules, and with two
 * settings of every template that applies. codegen-diff.ts runs the sample of two versions on the same model files.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { emitLibrary, identifier, networkOf } from '../compiler/emit/index.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import { importModel } from '../compiler/import/index.ts';
import { runPasses } from '../compiler/passes/index.ts';
import type { Memo } from '../compiler/program/index.ts';
import { type Offer, select } from '../compiler/select.ts';
import { type Task, tasksOf } from '../compiler/tasks.ts';
import { defaultSchedule, describeSchedule, type Knob, templatesFor } from '../kernels/index.ts';

const features = ['dsp', 'fpu'];

/** Which value of each knob; a task without templates, or whose constants refuse the setting, gets its default schedule. */
const variants: Readonly<Record<string, ((knob: Knob) => Knob['values'][number] | undefined) | undefined>> = {
  default: undefined,
  first: (knob) => knob.values[0],
  last: (knob) => knob.values.at(-1),
};

function offersOf(task: Task, value: (typeof variants)[string]): readonly Offer[] {
  const plain = { schedule: defaultSchedule(task.workload, features), words: 'default' };
  if (value === undefined) return [plain];
  const offers = templatesFor(task.workload, features).map(({ template, knobs: all }): Offer => {
    const knobs = Object.fromEntries(all.map((k) => [k.name, value(k) ?? 0]));
    const words = describeSchedule({ template: template.name, knobs });
    return { schedule: template.schedule(task.workload, knobs), words };
  });
  return [...offers, plain];
}

/** The files of one variant of one model. A version that cannot make them says so in a file, for the difference to show. */
function filesOf(graph: Graph, name: string, value: (typeof variants)[string]): ReadonlyMap<string, string> {
  try {
    return generate(graph, name, value);
  } catch (error) {
    return new Map([['error.txt', `${error instanceof Error ? error.message : error}\n`]]);
  }
}

function generate(graph: Graph, name: string, value: (typeof variants)[string]): ReadonlyMap<string, string> {
  const memo: Memo = new Map();
  const selected = select(tasksOf(graph, { rounding: 'double' }), (task) => offersOf(task, value), memo);
  const network = networkOf(
    graph,
    name,
    selected.map((s) => s.choice),
  );
  return emitLibrary(network, { board: 'sample' }).files;
}

const [out, ...models] = process.argv.slice(2);
if (out === undefined) throw new Error('usage: node scripts/codegen-sample.ts OUT MODEL.tflite…');
for (const file of models) {
  const name = identifier(basename(file, '.tflite'));
  const model = importModel(readFileSync(file), name);
  if (!model.ok) throw new Error(`${file}: ${model.error.detail}`);
  const graph = runPasses(model.value, { optional: 'all' });
  for (const [variant, value] of Object.entries(variants)) {
    for (const [path, text] of filesOf(graph, name, value)) {
      const to = join(out, name, variant, path);
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, text);
    }
  }
}
