/**
 * Which schedule each occurrence of a task gets: the best one whose forms hold on that occurrence's constants, in the order
 * given, else the default. A schedule tuned on one layer's weights may rest on a proof that another layer's weights refuse.
 * Schedules that lay out their tensors are chosen for the network as a whole: what one layer leaves, the next must take.
 */
import type { Choice } from './emit/network.ts';
import type { Graph } from './graph/graph.ts';
import { type ScheduleLike, schedule } from './lower.ts';
import { agreeing, plainTensors, runtimeTensors, type Way } from './plan/tensor-layouts.ts';
import type { Memo, Program } from './program/index.ts';
import { layoutKey } from './program/tensor-layout.ts';
import type { Occurrence, Task } from './tasks.ts';

export interface Offer {
  readonly schedule: ScheduleLike;
  readonly words: string;
  readonly cycles?: { readonly count: number; readonly kind: string };
  /** What it is expected to take, where `cycles` do not stand: good for comparing offers of one network. */
  readonly expected?: number;
  /** Id of the record it came from. */
  readonly record?: string;
}
export interface Selected {
  readonly choice: Choice;
  readonly offer: Offer;
  /** Better offers that this occurrence's constants refused, and why. */
  readonly refused: readonly { readonly record: string | undefined; readonly reason: string }[];
}
type OffersOf = (task: Task) => readonly Offer[];

/** Does a schedule take or leave a tensor otherwise than as bytes in order? */
export const laysOut = ({ steps }: ScheduleLike): boolean => steps.some((s) => s.primitive === 'layOut');

/**
 * Choices for every node that runs, in execution order; all tensors lie in order. `offersOf` gives a task's offers, best first, the
 * default last.
 */
export function select(tasks: readonly Task[], offersOf: OffersOf, memo: Memo = new Map()): readonly Selected[] {
  const out = tasks.flatMap((task) => {
    const offers = offersOf(task).filter((o) => !laysOut(o.schedule));
    return task.occurrences.map((o): Selected => {
      const { first, reasons } = firstThatHolds(task, o, offers, memo);
      if (first !== undefined) return first;
      throw new Error(
        `task ${task.id} has no legal schedule, not even its default: ${reasons.at(-1) ?? 'none was offered'}`,
      );
    });
  });
  return inOrder(out);
}

/** The same with layouts between layers, where offers know of any: the fastest network of all whose layers agree. */
export function selectLaidOut(
  graph: Graph,
  tasks: readonly Task[],
  offersOf: OffersOf,
  memo: Memo = new Map(),
): readonly Selected[] {
  const inBytes = select(tasks, offersOf, memo);
  const layers = inBytes.map((plain) => {
    const { node } = plain.choice;
    const task = tasks.find((t) => t.occurrences.some((o) => o.node === node)) as Task;
    const occurrence = task.occurrences.find((o) => o.node === node) as Occurrence;
    return { node, selected: [plain, ...others(task, occurrence, offersOf(task), memo)] };
  });
  if (layers.every(({ selected }) => selected.length === 1)) return inBytes;
  const picks = agreeing(
    layers.map(({ node, selected }) => ({ tensors: runtimeTensors(graph, node), ways: selected.map(wayOf) })),
    plainTensors(graph),
  );
  return layers.map(({ selected }, i) => selected[picks?.[i] ?? 0] as Selected);
}

/** Of each combination of layouts that is not bytes in order throughout, the first that holds. */
function others(task: Task, o: Occurrence, offers: readonly Offer[], memo: Memo): readonly Selected[] {
  const groups = Map.groupBy(
    offers.filter(({ schedule: s }) => laysOut(s)),
    ({ schedule: { steps } }) => JSON.stringify(steps.filter((s) => s.primitive === 'layOut')),
  );
  return [...groups.values()].flatMap((group) => firstThatHolds(task, o, group, memo).first ?? []);
}

/** Stands for the cycles of an offer of which nobody knows any: more than any that was measured. */
export const unmeasured = 2 ** 40;
const wayOf = ({ choice, offer }: Selected): Way => ({
  cycles: offer.cycles?.count ?? offer.expected ?? unmeasured,
  keys: operands(choice.program).map(layoutKey),
});
/** Inputs, then outputs. */
const operands = ({ buffers }: Program): Program['buffers'] =>
  (['in', 'out'] as const).flatMap((space) => buffers.filter((b) => b.space === space));

function firstThatHolds(
  task: Task,
  o: Occurrence,
  offers: readonly Offer[],
  memo: Memo,
): { readonly first: Selected | undefined; readonly reasons: readonly string[] } {
  const refused: { record: string | undefined; reason: string }[] = [];
  for (const offer of offers) {
    const done = schedule(task.workload, o.constants, offer.schedule, memo);
    if (!done.ok) {
      refused.push({ record: offer.record, reason: done.reason });
      continue;
    }
    const choice = {
      node: o.node,
      workload: task.workload,
      program: done.program,
      words: offer.words,
      ...(offer.cycles !== undefined && { cycles: offer.cycles }),
    };
    return { first: { choice, offer, refused }, reasons: [] };
  }
  return { first: undefined, reasons: refused.map((r) => r.reason) };
}

const inOrder = (all: readonly Selected[]): readonly Selected[] =>
  [...all].sort((a, b) => a.choice.node - b.choice.node);
