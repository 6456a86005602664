/**
 * Which of a task's trials become records that ship: those that nothing else beats in cycles, flash and RAM at once, a few of them.
 * Must stay true: the fastest is among them, for every occurrence of the layer; for arenas the fastest that runs in place; and for
 * other constants the fastest of each form of requantisation, as a proof that fails elsewhere must not leave a layer with its default.
 * Of other layouts of its tensors, each combination has its fastest.
 * Where RAM is short, that of layers is not added up but for what is placed there: those that place nothing have a front of their own.
 */
import { schedule } from '../../compiler/lower.ts';
import { operatorOf } from '../../compiler/ops/index.ts';
import { runsInPlace } from '../../compiler/plan/in-place.ts';
import type { Memo, Program } from '../../compiler/program/index.ts';
import { laysOut } from '../../compiler/select.ts';
import type { Task } from '../../compiler/tasks.ts';
import { placedInRam } from '../../kernels/index.ts';
import type { ShippedRecord } from '../../server/shipped/file.ts';

/** Schedules of a task on its front. */
const most = 8;
/** What takes this much more memory, or a little, is no worse. */
const slack = { share: 1.05, bytes: 64 };

type Measured = Pick<ShippedRecord, 'cycles' | 'sizes' | 'schedule' | 'config'>;

const flashOf = ({ sizes }: Measured): number => sizes.codeBytes + sizes.constBytes;
function ramOf({ sizes, schedule: s }: Measured): number {
  const placed = placedInRam(s);
  const constants = placed.some((what) => what !== 'code') ? sizes.constBytes : 0;
  return sizes.scratchBytes + sizes.stackBytes + constants + (placed.includes('code') ? sizes.codeBytes : 0);
}
const noMore = (a: number, b: number): boolean => a <= b * slack.share + slack.bytes;

/** Of `all` trials of a task, the ones that ship, fastest first. */
export function frontOf<T extends Measured>(task: Task, all: readonly T[]): readonly T[] {
  const inBytes = all.filter((r) => !laysOut(r.schedule));
  return [...frontInBytes(task, inBytes), ...fastestLaidOut(task, all)].sort((a, b) => a.cycles - b.cycles);
}

/** Of each combination of layouts but bytes in order, for each occurrence the fastest that holds. */
export function fastestLaidOut<T extends Measured>(task: Task, all: readonly T[]): readonly T[] {
  const sorted = all.filter((r) => laysOut(r.schedule)).sort((a, b) => a.cycles - b.cycles);
  const groups = Map.groupBy(sorted, ({ schedule: { steps } }) =>
    JSON.stringify(steps.filter((s) => s.primitive === 'layOut')),
  );
  return [...groups.values()].flatMap((group) => [...new Set(perOccurrence(task, group))]);
}

/** Of those that take and leave bytes in order. */
function frontInBytes<T extends Measured>(task: Task, all: readonly T[]): readonly T[] {
  const sorted = [...all].sort((a, b) => a.cycles - b.cycles || flashOf(a) + ramOf(a) - flashOf(b) - ramOf(b));
  const front = unbeaten(sorted, (k, r) => noMore(flashOf(k), flashOf(r)) && noMore(ramOf(k), ramOf(r)));
  const unplaced = sorted.filter((r) => placedInRam(r.schedule).length === 0);
  const small = unbeaten(unplaced, (k, r) => noMore(ramOf(k), ramOf(r)));
  const chosen = new Set([...thinned(front), ...thinned(small), ...perOccurrence(task, sorted), ...perForm(sorted)]);
  for (const r of sorted) if (r.config.template === 'default') chosen.add(r);
  return sorted.filter((r) => chosen.has(r));
}

/** Of `sorted`, fastest first, those that none of the faster ones `beats`. */
function unbeaten<T>(sorted: readonly T[], beats: (faster: T, slower: T) => boolean): readonly T[] {
  const front: T[] = [];
  for (const r of sorted) if (!front.some((k) => beats(k, r))) front.push(r);
  return front;
}

/** The ends and an even choice between them. */
const thinned = <T>(front: readonly T[]): readonly T[] =>
  front.length <= most
    ? front
    : Array.from({ length: most }, (_, i) => front[Math.round((i * (front.length - 1)) / (most - 1))] as T);

/** For each occurrence the fastest that holds, and the fastest that may write its output over an input. */
function perOccurrence<T extends Measured>(task: Task, sorted: readonly T[]): readonly T[] {
  const memo: Memo = new Map();
  const over = operatorOf(task.workload.op).inPlace?.(task.workload) ?? [];
  return task.occurrences.flatMap(({ constants }) => {
    const programOf = (r: T): Program | undefined => {
      const done = schedule(task.workload, constants, r.schedule, memo);
      return done.ok ? done.program : undefined;
    };
    const first = sorted.find((r) => programOf(r) !== undefined);
    const inPlace = over.length === 0 ? undefined : sorted.find((r) => mayOverwrite(programOf(r), over));
    return [first, inPlace].filter((r) => r !== undefined);
  });
}
function mayOverwrite(program: Program | undefined, over: readonly number[]): boolean {
  const named = (space: 'in' | 'out'): readonly string[] =>
    (program?.buffers ?? []).filter((b) => b.space === space).map((b) => b.name);
  const [[y = ''], inputs] = [named('out'), named('in')];
  return program !== undefined && over.some((k) => runsInPlace(program, new Set([inputs[k] ?? '']), y));
}

function perForm<T extends Measured>(sorted: readonly T[]): readonly T[] {
  const best = new Map<unknown, T>();
  for (const r of sorted) {
    const form = 'knobs' in r.config ? r.config.knobs.requantize : undefined;
    if (form !== undefined && !best.has(form)) best.set(form, r);
  }
  return [...best.values()];
}
