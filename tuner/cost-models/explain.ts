/**
 * What a cost model has understood of a task: its trees are trained on a part of the trials and asked about the rest, in turns
 * (cross-validation), so that no trial is predicted by trees that have seen it. Importance is by permutation (Breiman, "Random
 * Forests", 2001): how much larger the squared error becomes when the values of one feature are dealt out anew. Pure and
 * deterministic.
 */
import type { Knobs } from '../../kernels/template.ts';
import { type Random, seeded } from '../random.ts';
import { type Forest, predict, type Sample, type Tree, train } from './trees.ts';

/** A trial that was measured. */
export interface Measurement {
  readonly record: string;
  readonly template: string;
  /** undefined where its schedule has no template. */
  readonly knobs: Knobs | undefined;
  readonly features: Float64Array;
  readonly cycles: number;
}
export interface Explained {
  /** Trials that it was trained on. */
  readonly trained: number;
  /** Spearman's correlation of predicted and measured counts; null where there is none. */
  readonly rank: number | null;
  readonly points: readonly { readonly record: string; readonly predicted: number; readonly measured: number }[];
  /** Shares of all features add up to 1; those without any are left out. */
  readonly importance: readonly { readonly feature: string; readonly share: number }[];
  /** Shares of the knobs of a template add up to 1. */
  readonly knobs: readonly { readonly template: string; readonly knob: string; readonly share: number }[];
}

/** Parts that the trials are cut into; below `fewest` nothing is said. */
const folds = 5;
const fewest = 10;
/** As for the ranker that ships: how many cycles, not only which is faster. */
const options = { rounds: 80, depth: 5, rate: 0.15, bins: 24, ridge: 1, loss: 'squares' } as const;

/** `names`: of the values of `features`. */
export function explain(measured: readonly Measurement[], names: readonly string[]): Explained {
  const nothing = { trained: measured.length, rank: null, points: [], importance: [], knobs: [] };
  if (measured.length < fewest) return nothing;
  const tried = crossValidate(measured.map((m) => ({ features: m.features, cost: Math.log2(m.cycles) })));
  const points = measured.map((m, i) => ({
    record: m.record,
    predicted: Number((2 ** (tried.predicted[i] as number)).toPrecision(6)),
    measured: m.cycles,
  }));
  return {
    trained: measured.length,
    rank: spearman(
      points.map((p) => p.predicted),
      points.map((p) => p.measured),
    ),
    points,
    importance: shares(tried.importance).map(([f, share]) => ({ feature: names[f] ?? String(f), share })),
    knobs: knobsOf(measured),
  };
}

/** Which knobs of each template move its counts, by trees that see nothing but their settings. */
function knobsOf(measured: readonly Measurement[]): Explained['knobs'] {
  const byTemplate = Map.groupBy(
    measured.filter((m) => m.knobs !== undefined),
    (m) => m.template,
  );
  return [...byTemplate.entries()].sort(byKey).flatMap(([template, all]) => {
    if (all.length < fewest) return [];
    const knobs = [...new Set(all.flatMap((m) => Object.keys(m.knobs ?? {})))].sort();
    const codes = knobs.map((knob) => codesOf(all.map((m) => m.knobs?.[knob])));
    const samples = all.map((m, i) => ({
      features: Float64Array.from(codes, (c) => c[i] as number),
      cost: Math.log2(m.cycles),
    }));
    return shares(crossValidate(samples).importance).map(([k, share]) => ({ template, knob: knobs[k] ?? '', share }));
  });
}
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/** Values as numbers: numbers as they are, words by their place among all words. */
function codesOf(values: readonly (string | number | undefined)[]): readonly number[] {
  const words = [...new Set(values.filter((v) => typeof v === 'string'))].sort();
  return values.map((v) => (typeof v === 'number' ? v : v === undefined ? -1 : words.indexOf(v)));
}

interface Tried {
  /** Cost of each sample by trees that have not seen it. */
  readonly predicted: Float64Array;
  /** By feature: how much the squared error grows without it, never below 0. */
  readonly importance: Float64Array;
}

function crossValidate(samples: readonly Sample[]): Tried {
  const predicted = new Float64Array(samples.length);
  const importance = new Float64Array(samples[0]?.features.length ?? 0);
  const random = seeded(1);
  for (let fold = 0; fold < folds; fold++) {
    const seen = samples.filter((_, i) => i % folds !== fold);
    const held = Array.from(samples.keys()).filter((i) => i % folds === fold);
    const base = seen.reduce((sum, s) => sum + s.cost, 0) / Math.max(1, seen.length);
    const forest = train(
      seen.map((s) => ({ ...s, prior: -base })),
      options,
    );
    const costOf = (features: Float64Array): number => base - predict(forest, features);
    for (const i of held) predicted[i] = costOf((samples[i] as Sample).features);
    const asked = held.map((i) => samples[i] as Sample);
    for (const f of featuresIn(forest)) importance[f] = (importance[f] as number) + lost(asked, f, costOf, random);
  }
  return { predicted, importance: importance.map((v) => Math.max(0, v)) };
}

/** By how much the squared errors grow when the samples swap their values of a feature. */
function lost(
  samples: readonly Sample[],
  feature: number,
  costOf: (features: Float64Array) => number,
  random: Random,
): number {
  const dealt = shuffled(
    samples.map((s) => s.features[feature] as number),
    random,
  );
  return samples.reduce((sum, s, i) => {
    const other = Float64Array.from(s.features);
    other[feature] = dealt[i] as number;
    return sum + (costOf(other) - s.cost) ** 2 - (costOf(s.features) - s.cost) ** 2;
  }, 0);
}

function shuffled(values: readonly number[], random: Random): readonly number[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j] as number, out[i] as number];
  }
  return out;
}

/** Features that any tree asks about, in order. */
function featuresIn({ trees }: Forest): readonly number[] {
  const found = new Set<number>();
  const walk = (tree: Tree): void => {
    if (!('feature' in tree)) return;
    found.add(tree.feature);
    walk(tree.low);
    walk(tree.high);
  };
  for (const tree of trees) walk(tree);
  return [...found].sort((a, b) => a - b);
}

/** Index and share of what is above 0, largest first. */
function shares(values: Float64Array): readonly (readonly [number, number])[] {
  const sum = values.reduce((a, b) => a + b, 0);
  return [...values.entries()]
    .filter(([, v]) => v > 0)
    .map(([i, v]) => [i, Number((v / sum).toPrecision(4))] as const)
    .sort(([i, a], [j, b]) => b - a || i - j);
}

/** Correlation of ranks; equal values share the middle of their ranks. null where one side is all equal. */
export function spearman(a: readonly number[], b: readonly number[]): number | null {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const mean = (a.length - 1) / 2;
  const sum = (of: (i: number) => number): number => x.reduce((n, _, i) => n + of(i), 0);
  const dx = (i: number): number => (x[i] as number) - mean;
  const dy = (i: number): number => (y[i] as number) - mean;
  const spread = Math.sqrt(sum((i) => dx(i) ** 2) * sum((i) => dy(i) ** 2));
  return spread === 0 ? null : Number((sum((i) => dx(i) * dy(i)) / spread).toPrecision(4));
}
function ranksOf(values: readonly number[]): readonly number[] {
  const order = [...values.keys()].sort((i, j) => (values[i] as number) - (values[j] as number));
  const ranks = new Array<number>(values.length).fill(0);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1] as number] === values[order[from] as number]) to++;
    for (let k = from; k <= to; k++) ranks[order[k] as number] = (from + to) / 2;
    from = to + 1;
  }
  return ranks;
}
