/**
 * Settings that differ from one that was found in nothing but layouts: how a layer takes its input and leaves its output. A search of
 * one layer cannot weigh them, as what it saves its neighbour pays; so its best settings are measured in all layouts that
 * their neighbours know, and the network chooses (compiler/plan/tensor-layouts.ts).
 */
import type { Graph, TensorId } from '../compiler/graph/graph.ts';
import { plainTensors, runtimeTensors } from '../compiler/plan/tensor-layouts.ts';
import { laysOut } from '../compiler/select.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Features, Layouts, Template, TensorKnob } from '../kernels/template.ts';
import { configKey } from './space.ts';
import type { Config, MeasureResult } from './types.ts';

/** Bytes in order alone. */
export const noLayouts: Required<Layouts> = { x: [], y: [] };
const none: ReadonlySet<TensorKnob> = new Set();

/**
 * Of each task the layouts that all who use a tensor have a template for, by task id. Layers that are not among the tasks stay as
 * they are.
 */
export function layoutsIn(
  graph: Graph,
  tasks: readonly Task[],
  templates: readonly Template[],
  features: Features,
): ReadonlyMap<string, Required<Layouts>> {
  const own = new Map(tasks.map((task) => [task.id, knownTo(task, templates, features)]));
  const uses = tasks.flatMap((task) =>
    task.occurrences.map(({ node }) => {
      const tensors = runtimeTensors(graph, node);
      return { task: task.id, x: tensors[0], y: tensors.at(-1), others: tensors.slice(1, -1) };
    }),
  );
  const plain = plainTensors(graph);
  const common = new Map<TensorId, ReadonlySet<TensorKnob>>([...plain].map((t) => [t, none]));
  const meet = (t: TensorId | undefined, known: readonly TensorKnob[]): void => {
    if (t === undefined) return;
    const before = common.get(t);
    common.set(t, new Set(before === undefined ? known : known.filter((k) => before.has(k))));
  };
  const asked = new Set(tasks.flatMap((task) => task.occurrences.map((o) => o.node)));
  for (const node of graph.nodes.keys()) if (!asked.has(node)) for (const t of runtimeTensors(graph, node)) meet(t, []);
  for (const { task, x, y, others } of uses) {
    meet(x, own.get(task)?.x ?? []);
    meet(y, own.get(task)?.y ?? []);
    for (const t of others) meet(t, []);
  }
  const of = (task: string, which: 'x' | 'y'): readonly TensorKnob[] => [
    ...new Set(uses.flatMap((u) => (u.task === task ? [...(common.get(u[which] ?? -1) ?? none)] : []))),
  ];
  return new Map(tasks.map(({ id }) => [id, { x: of(id, 'x'), y: of(id, 'y') }]));
}

/** What any template can do with a task's first input and its output. */
function knownTo({ workload }: Task, templates: readonly Template[], features: Features): Required<Layouts> {
  const all = templates
    .filter((t) => t.knobs(workload, features) !== undefined)
    .map((t) => t.layouts?.(workload) ?? {});
  return { x: [...new Set(all.flatMap((l) => l.x ?? []))], y: [...new Set(all.flatMap((l) => l.y ?? []))] };
}

/** A template's setting in every combination of layouts but bytes in order on both sides. */
export function inLayouts(
  config: Config,
  { workload }: Task,
  templates: readonly Template[],
  { x, y }: Required<Layouts>,
): readonly Config[] {
  if (!('knobs' in config)) return [];
  const template = templates.find((t) => t.name === config.template && t.version === config.version);
  const own = template?.layouts?.(workload) ?? {};
  const choices = (
    mine: readonly TensorKnob[] = [],
    allowed: readonly TensorKnob[],
  ): readonly (TensorKnob | null)[] => [null, ...mine.filter((k) => allowed.includes(k))];
  return choices(own.x, x).flatMap((from) =>
    choices(own.y, y).flatMap((to): readonly Config[] =>
      from === null && to === null
        ? []
        : [{ ...config, knobs: { ...config.knobs, ...(from !== null && { x: from }), ...(to !== null && { y: to }) } }],
    ),
  );
}

/** Does a config take or leave other layouts than bytes in order? */
export const inOtherLayouts = (c: Config): boolean =>
  'knobs' in c ? c.knobs.x !== undefined || c.knobs.y !== undefined : laysOut(c.schedule);

/** What of one task is left to be tried in other layouts. */
export class LayoutTrials {
  /** At most so many trials. */
  readonly most: number;
  private readonly of: (config: Config) => readonly Config[];
  /** The fastest setting, and what was tried of any. */
  private best: { readonly config: Config; readonly cycles: number } | undefined;
  private readonly tried = new Set<string>();

  constructor(task: Task, templates: readonly Template[], layouts: Required<Layouts>) {
    this.most = (1 + layouts.x.length) * (1 + layouts.y.length) - 1;
    this.of = (config) => inLayouts(config, task, templates, layouts);
  }

  /** A measurement, in whatever layouts. */
  note(config: Config, result: MeasureResult): void {
    if (inOtherLayouts(config)) this.tried.add(configKey(config));
    else if (result.status === 'ok' && result.cycles < (this.best?.cycles ?? Number.POSITIVE_INFINITY))
      this.best = { config, cycles: result.cycles };
  }
  /** It does not stand. */
  drop(config: Config): void {
    if (this.best !== undefined && configKey(this.best.config) === configKey(config)) this.best = undefined;
    this.tried.delete(configKey(config));
  }
  next(): readonly Config[] {
    return this.best === undefined ? [] : this.of(this.best.config).filter((c) => !this.tried.has(configKey(c)));
  }
}
