/** What the searches of bench/search.ts come to: medians over seeds beside the best that anybody knows. Pure. */
import type { Run } from './run.ts';

/** The searches of one task. */
export interface TaskRuns {
  readonly network: string;
  readonly task: string;
  readonly layer: string;
  readonly occurrences: number;
  /** Points of the search space. */
  readonly space: number;
  /** Cycles of the fastest record that ships; null where there is none. */
  readonly shipped: number | null;
  readonly runs: readonly Run[];
}
export interface TaskSummary extends Omit<TaskRuns, 'runs'> {
  /** The best over everything measured, records that ship included. */
  readonly bestKnown: number;
  /** By policy: the median over seeds of the best after so many trials, over the best known. 1.05 is 5 % above it. */
  readonly above: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By policy: trials until it was within 1 % of the best known, median over seeds; null where most seeds never were. */
  readonly reached: Readonly<Record<string, number | null>>;
  /** Candidates that guided did not compile because a bound proved them hopeless, and what it measured; medians. */
  readonly guidedPruned: number;
  readonly guidedTrials: number;
  readonly guidedWithin5: boolean;
}
export interface Summary {
  readonly tasks: readonly TaskSummary[];
  readonly guidedWithin5: number;
  /** By number of trials: geometric means over tasks of `above`, and where guided stands against each other policy. */
  readonly at: Readonly<Record<string, At>>;
}
export interface At {
  readonly above: Readonly<Record<string, number>>;
  /** By other policy: tasks on which guided is better, equal, worse. */
  readonly guidedAgainst: Readonly<Record<string, readonly [number, number, number]>>;
}

/** Best cycles after so many trials; infinite before the first success. A search that ran out of candidates stays where it is. */
export const bestAfter = (run: Run, trials: number): number =>
  run.steps.findLast(([at]) => at <= trials)?.[1] ?? Number.POSITIVE_INFINITY;

/** The trial that was the first to take no more than `cycles`; infinite where none was. */
export const firstWithin = (run: Run, cycles: number): number =>
  run.steps.find(([, c]) => c <= cycles)?.[0] ?? Number.POSITIVE_INFINITY;

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const rounded = (n: number): number => Number(n.toFixed(4));

/** `points`: numbers of trials to look at, the last one the whole budget. Tasks need runs of every policy. */
export function summaryOf(tasks: readonly TaskRuns[], policies: readonly string[], points: readonly number[]): Summary {
  const summaries = tasks.map((t) => taskSummary(t, policies, points));
  return {
    tasks: summaries,
    guidedWithin5: summaries.filter((t) => t.guidedWithin5).length,
    at: Object.fromEntries(points.map((n) => [n, standingAt(summaries, policies, n)])),
  };
}

function taskSummary({ runs, ...t }: TaskRuns, policies: readonly string[], points: readonly number[]): TaskSummary {
  const ends = runs.flatMap((r) => r.steps.slice(-1).map(([, cycles]) => cycles));
  const bestKnown = Math.min(t.shipped ?? Number.POSITIVE_INFINITY, ...ends);
  const of = (policy: string): readonly Run[] => runs.filter((r) => r.policy === policy);
  const above = (policy: string, n: number): number =>
    rounded(median(of(policy).map((r) => bestAfter(r, n))) / bestKnown);
  const reached = (policy: string): number | null => {
    const trials = median(of(policy).map((r) => firstWithin(r, 1.01 * bestKnown)));
    return Number.isFinite(trials) ? trials : null;
  };
  const last = points.at(-1) ?? 0;
  return {
    ...t,
    bestKnown,
    above: Object.fromEntries(policies.map((p) => [p, Object.fromEntries(points.map((n) => [n, above(p, n)]))])),
    reached: Object.fromEntries(policies.map((p) => [p, reached(p)])),
    guidedPruned: median(of('guided').map((r) => r.pruned)),
    guidedTrials: median(of('guided').map((r) => r.trials)),
    guidedWithin5: above('guided', last) <= 1.05,
  };
}

function standingAt(tasks: readonly TaskSummary[], policies: readonly string[], n: number): At {
  const of = (t: TaskSummary, policy: string): number => t.above[policy]?.[n] ?? Number.NaN;
  const mean = (policy: string): number =>
    rounded(Math.exp(tasks.reduce((s, t) => s + Math.log(of(t, policy)), 0) / tasks.length));
  const count = (other: string, sign: number): number =>
    tasks.filter((t) => Math.sign(of(t, other) - of(t, 'guided')) === sign).length;
  return {
    above: Object.fromEntries(policies.map((p) => [p, mean(p)])),
    guidedAgainst: Object.fromEntries(
      policies.filter((p) => p !== 'guided').map((p) => [p, [count(p, 1), count(p, 0), count(p, -1)] as const]),
    ),
  };
}
