/**
 * Schedules for a layer that nobody measured: settings that were best for layers like it, fitted to its knobs, those kept that are
 * legal for its constants, fastest first by what their origin took and by the cost model. Must stay true: nothing here is exact but
 * legality; estimates are marked as such, and equal inputs give equal schedules.
 */
import type { Board } from '../../boards/index.ts';
import { type DType, tensorBytes } from '../../compiler/graph/graph.ts';
import { operatorOf } from '../../compiler/ops/index.ts';
import { laysOut } from '../../compiler/select.ts';
import type { Task } from '../../compiler/tasks.ts';
import type { Workload } from '../../compiler/workload.ts';
import { defaultSchedule, type Knob, type Knobs, templates } from '../../kernels/index.ts';
import { type Candidate, candidateMaker, type Proposed } from '../../tuner/candidates.ts';
import type { Ranker } from '../../tuner/cost-models/shipped.ts';
import { scratchRoom } from '../../tuner/measure/rooms.ts';
import { configKey, type Part, type SearchSpace, spaceOf } from '../../tuner/space.ts';
import type { Config } from '../../tuner/types.ts';
import type { ShippedRecord } from './file.ts';
import type { Guess } from './records.ts';

/** Layers whose settings are tried, and settings of each. */
const neighbours = 12;
const settings = 6;
/** Legal candidates that are ranked. */
const enough = 32;
/** So many of the best are tried with one knob changed; a gain that the cost model sees (log2) is believed in part, a small one is noise. */
const bred = 4;
const trust = 0.5;
const noise = 0.2;
/** log2 of cycles per unit of work of what nobody knows anything about: slow. */
const unknown = 6;
/** Where a layer is this far away, the cost model is believed as much as what the layer took. */
const halfWay = 1;

/** How much there is to do: multiplications, or values where there are none. */
export const workOf = (w: Workload): number =>
  Math.max(1, operatorOf(w.op).macs(w), ...w.outputs.map((t) => product(t.shape)));
const product = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/**
 * How unlike two layers of one operator are: doublings and halvings of their dimensions and attributes, more for what decides
 * how a kernel is built. 0 for layers that differ in zero points only. Infinite where operators or ranks differ.
 */
export function distance(a: Workload, b: Workload): number {
  if (a.op !== b.op || a.inputs.length !== b.inputs.length) return Number.POSITIVE_INFINITY;
  const shapes = (w: Workload): readonly (readonly number[])[] => [...w.inputs, ...w.outputs].map((t) => t.shape);
  const others = shapes(b);
  const apart = shapes(a).reduce((n, shape, i) => n + logs(shape, others[i] ?? [], 0.5), 0);
  const attrs = ['kernel', 'filter', 'stride', 'dilation', 'pad', 'multiplier'].reduce(
    (n, name) => n + logs(listOf(a, name), listOf(b, name), name === 'pad' ? 0.5 : 2),
    0,
  );
  const rounding = a.attrs.rounding === b.attrs.rounding ? 0 : 2;
  return apart + attrs + rounding + (clamped(a) === clamped(b) ? 0 : 1);
}
function logs(a: readonly number[], b: readonly number[], weight: number): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((n, v, i) => n + weight * Math.abs(Math.log2((1 + v) / (1 + (b[i] ?? 0)))), 0);
}
function listOf(w: Workload, name: string): readonly number[] {
  const v = w.attrs[name];
  return typeof v === 'number' ? [v] : Array.isArray(v) ? (v as readonly number[]) : [];
}
/** Whether a ReLU is fused: it decides which requantisation is exact. */
const clamped = (w: Workload): boolean => w.attrs.min !== undefined && w.attrs.min === w.attrs.yZero;

/** A candidate with what it is hoped to take. */
interface Hoped {
  readonly candidate: Candidate;
  readonly cycles: number;
  readonly from: ShippedRecord | undefined;
}

/** Estimated, fastest first. `known`: records of the board's file, `ranker`: its cost model, where there is one. */
export function nearest(
  task: Task,
  board: Board,
  known: readonly ShippedRecord[],
  ranker: Ranker | undefined,
): readonly Guess[] {
  const { features } = board.target;
  const space = spaceOf(task.workload, features, { templates, defaultSchedule });
  const limits = { board, scratchBytes: scratchRoom(board, operandBytes(task.workload)) };
  const legal = oncePerConfig(candidateMaker(task, space, limits));
  const work = workOf(task.workload);
  const transferred: Hoped[] = [];
  // What a layout of its tensors saves a layer, its neighbours pay.
  const inBytes = known.filter((r) => !laysOut(r.schedule));
  for (const { config, from, apart } of ideas(task.workload, space, inBytes, features)) {
    if (transferred.length >= enough) break;
    const candidate = firstLegal(formsOf(config, space), legal);
    if (candidate === undefined) continue;
    transferred.push({ candidate, from, cycles: work * 2 ** hope(candidate, from, apart, work, ranker) });
  }
  transferred.sort((a, b) => a.cycles - b.cycles);
  const varied =
    ranker === undefined ? [] : variants(transferred.slice(0, bred), space, legal, (c) => ranker(c.features, work));
  return [...transferred, ...varied].sort((a, b) => a.cycles - b.cycles).map(guessOf);
}

type Legal = (config: Config) => Candidate | undefined;
/** Proposes; what was proposed before comes to nothing. */
function oncePerConfig(propose: (config: Config) => Proposed): Legal {
  const done = new Set<string>();
  return (config) => {
    const key = configKey(config);
    if (done.has(key)) return undefined;
    done.add(key);
    const made = propose(config);
    return made.ok ? made.candidate : undefined;
  };
}

/** A setting with each form of requantisation, cheapest first: which of them hold depends on the constants, and so not on the origin. */
function formsOf(config: Config, space: SearchSpace): readonly Config[] {
  const forms = partOf(config, space)?.knobs.find((k) => k.name === 'requantize')?.values ?? [];
  return 'knobs' in config && forms.length > 0
    ? forms.map((form) => ({ ...config, knobs: { ...config.knobs, requantize: form } }))
    : [config];
}
function firstLegal(configs: readonly Config[], legal: Legal): Candidate | undefined {
  for (const config of configs) {
    const made = legal(config);
    if (made !== undefined) return made;
  }
  return undefined;
}

/** The best with one knob changed, as far as the cost model likes that better: it is not believed the whole way. */
function variants(
  all: readonly Hoped[],
  space: SearchSpace,
  legal: Legal,
  rank: (candidate: Candidate) => number,
): readonly Hoped[] {
  return all.flatMap(({ candidate, cycles, from }) => {
    const changes = space.neighbours(candidate.config).map(legal);
    return changes.flatMap((changed): readonly Hoped[] => {
      const better = changed === undefined ? 0 : rank(candidate) - rank(changed);
      return changed === undefined || better <= noise
        ? []
        : [{ candidate: changed, from, cycles: cycles * 2 ** (-better * trust) }];
    });
  });
}
const partOf = (config: Config, space: SearchSpace): Part | undefined =>
  space.parts.find((p) => p.template.name === config.template && p.template.version === config.version);

function operandBytes(w: Workload) {
  const bytes = (of: Workload['inputs']): readonly number[] =>
    of.map((t) => tensorBytes({ dtype: t.dtype as DType, shape: t.shape }));
  return { inputBytes: bytes(w.inputs), outputBytes: bytes(w.outputs) };
}

interface Idea {
  readonly config: Config;
  readonly from: ShippedRecord | undefined;
  readonly apart: number;
}

/** Fitted settings of the nearest layers, nearest first, then what each template would begin with. */
function ideas(
  w: Workload,
  space: SearchSpace,
  known: readonly ShippedRecord[],
  features: readonly string[],
): readonly Idea[] {
  const layers = [...Map.groupBy(known, (r) => r.task).values()].flatMap((records) =>
    records.slice(0, 1).map((first) => ({ apart: distance(w, first.workload), records })),
  );
  const near = layers
    .filter(({ apart }) => Number.isFinite(apart))
    .sort((a, b) => a.apart - b.apart)
    .slice(0, neighbours);
  const settled = near.flatMap(({ apart, records }) =>
    [...records]
      .sort((a, b) => a.cycles - b.cycles)
      .slice(0, settings)
      .flatMap((from): readonly Idea[] => {
        const config = fitted(from, space, features);
        return config === undefined ? [] : [{ config, from, apart }];
      }),
  );
  return [
    ...settled,
    ...space.openings.map((config) => ({ config, from: undefined, apart: Number.POSITIVE_INFINITY })),
  ];
}

/** The setting of another layer in terms of this one's knobs; undefined where its template is not the one of today, or does not apply. */
function fitted(
  { config, workload }: ShippedRecord,
  space: SearchSpace,
  features: readonly string[],
): Config | undefined {
  if (!('knobs' in config)) return undefined;
  const part = partOf(config, space);
  if (part === undefined) return undefined;
  const before = part.template.knobs(workload, features) ?? [];
  const value = (knob: Knob): Knobs[string] => {
    const old = config.knobs[knob.name];
    const [first = 0] = knob.values;
    if (old === undefined || knob.values.includes(old)) return old ?? first;
    if (before.find((k) => k.name === knob.name)?.values[0] === old) return first;
    return typeof old === 'number' ? closest(knob.values, old) : first;
  };
  return { ...config, knobs: Object.fromEntries(part.knobs.map((k) => [k.name, value(k)])) };
}
function closest(values: readonly Knobs[string][], to: number): Knobs[string] {
  const far = (v: Knobs[string]): number =>
    typeof v === 'number' ? Math.abs(Math.log2((1 + v) / (1 + to))) : Number.POSITIVE_INFINITY;
  return [...values].sort((a, b) => far(a) - far(b))[0] ?? to;
}

/** log2 of cycles per unit of work: between what the origin took and what the model says, by how far the origin is. */
function hope(
  { features }: Candidate,
  from: ShippedRecord | undefined,
  apart: number,
  work: number,
  ranker: Ranker | undefined,
): number {
  const model = ranker?.(features, work);
  const origin = from && Math.log2(from.cycles / workOf(from.workload));
  if (origin === undefined) return model ?? unknown;
  if (model === undefined) return origin;
  const belief = apart / (apart + halfWay);
  return (1 - belief) * origin + belief * model;
}

const guessOf = ({ candidate: { config, schedule, kernel }, cycles, from }: Hoped): Guess => ({
  config,
  schedule,
  cycles: Math.round(cycles),
  sizes: {
    codeBytes: from?.sizes.codeBytes ?? 0,
    constBytes: kernel.constants.reduce((n, c) => n + c.bytes.length, 0),
    scratchBytes: kernel.scratchBytes,
    stackBytes: from?.sizes.stackBytes ?? 0,
  },
  doubt: from === undefined ? 'estimated' : `estimated after ${from.for.join(', ')}`,
});
