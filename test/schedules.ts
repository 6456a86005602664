/** Schedules for a whole network in tests: the default ones, or settings of the templates drawn by a seed, where they are legal. */
import type { Graph } from '../compiler/graph/graph.ts';
import type { Memo } from '../compiler/program/index.ts';
import { type Offer, type Selected, selectLaidOut } from '../compiler/select.ts';
import { type Task, tasksOf } from '../compiler/tasks.ts';
import { defaultSchedule, describeSchedule, type Features, templatesFor } from '../kernels/index.ts';
import { Random } from './unit/random.ts';

/** 'default', or which draw of template settings. */
export type Schedules = 'default' | { readonly seed: number };

/** Settings tried for each task before its default schedule. */
const draws = 6;

/** Every layer's schedule: the first that its constants allow. */
export function schedulesFor(graph: Graph, features: Features, which: Schedules): readonly Selected[] {
  const memo: Memo = new Map();
  const random = which === 'default' ? undefined : new Random(which.seed);
  const plain = (task: Task): Offer => {
    const schedule = defaultSchedule(task.workload, features);
    return { schedule, words: `default: ${describeSchedule({ schedule })}` };
  };
  const offers = (task: Task): readonly Offer[] =>
    random === undefined ? [plain(task)] : [...drawn(task, features, random), plain(task)];
  return selectLaidOut(graph, tasksOf(graph, { rounding: 'double' }), offers, memo);
}

function drawn(task: Task, features: Features, random: Random): readonly Offer[] {
  const templates = templatesFor(task.workload, features);
  if (templates.length === 0) return [];
  return Array.from({ length: draws }, () => {
    const { template, knobs: all } = random.pick(templates);
    const plain = Object.fromEntries(all.map((k) => [k.name, random.pick(k.values)]));
    // Layouts are as good as bytes in order, so that networks mix them.
    const { x = [], y = [] } = template.layouts?.(task.workload) ?? {};
    return [undefined, ...x].flatMap((from) =>
      [undefined, ...y].map((to): Offer => {
        const knobs = { ...plain, ...(from !== undefined && { x: from }), ...(to !== undefined && { y: to }) };
        return {
          schedule: template.schedule(task.workload, knobs),
          words: describeSchedule({ template: template.name, knobs }),
          expected: random.int(1, 1000),
        };
      }),
    );
  }).flat();
}
