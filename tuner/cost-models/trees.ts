/**
 * Gradient-boosted regression trees on histograms, with a pairwise ranking loss (LambdaRank's gradient without its weights:
 * Burges 2010): the model need not know cycles, only which of two candidates of one task is faster. A squared loss is there for
 * samples of several tasks, where it must know how much. Pure and deterministic.
 */
export interface TreeOptions {
  readonly rounds: number;
  readonly depth: number;
  readonly rate: number;
  readonly bins: number;
  /** Added to a leaf's hessian. */
  readonly ridge: number;
  /** 'pairs' learns which of two candidates is faster, 'squares' how much. */
  readonly loss: 'pairs' | 'squares';
}
const usualTrees: TreeOptions = { rounds: 60, depth: 5, rate: 0.15, bins: 24, ridge: 1, loss: 'pairs' };

/** Trees as plain data, so that they can be posted between threads. */
export type Tree =
  | { readonly feature: number; readonly at: number; readonly low: Tree; readonly high: Tree }
  | { readonly leaf: number };
export interface Forest {
  readonly trees: readonly Tree[];
  readonly rate: number;
}

export interface Sample {
  readonly features: Float64Array;
  /** Log of the count; lower is better. Failures carry a value above all measured ones. */
  readonly cost: number;
  /** What is thought of it before anything is learned, as a score: trees learn what that leaves open. 0 unless given. */
  readonly prior?: number;
}

/** Higher is better (predicted faster). */
export function predict(f: Forest, x: Float64Array): number {
  let sum = 0;
  for (let tree of f.trees) {
    while ('feature' in tree) tree = (x[tree.feature] as number) <= tree.at ? tree.low : tree.high;
    sum += tree.leaf;
  }
  return sum * f.rate;
}

export function train(samples: readonly Sample[], options: TreeOptions = usualTrees): Forest {
  if (samples.length < 2) return { trees: [], rate: options.rate };
  const cuts = cutPoints(samples, options.bins);
  const binned = samples.map((s) => Uint8Array.from(cuts, (c, f) => binOf(c, s.features[f] as number)));
  const scores = Float64Array.from(samples, (s) => s.prior ?? 0);
  const trees: Tree[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const { gradient, hessian } = options.loss === 'pairs' ? lambdas(samples, scores) : residuals(samples, scores);
    const tree = grow(Array.from(samples.keys()), 0, { binned, cuts, gradient, hessian, options });
    trees.push(tree);
    samples.forEach((s, i) => {
      scores[i] = (scores[i] as number) + options.rate * predict({ trees: [tree], rate: 1 }, s.features);
    });
  }
  return { trees, rate: options.rate };
}

/** Quantile borders of each feature; none where it is constant. */
function cutPoints(samples: readonly Sample[], bins: number): readonly Float64Array[] {
  const width = samples[0]?.features.length ?? 0;
  return Array.from({ length: width }, (_, f) => {
    const values = [...new Set(samples.map((s) => s.features[f] as number))].sort((a, b) => a - b);
    const borders = values.slice(0, -1).map((v, i) => (v + (values[i + 1] as number)) / 2);
    if (borders.length <= bins) return Float64Array.from(borders);
    return Float64Array.from(
      { length: bins },
      (_, k) => borders[Math.floor(((k + 0.5) * borders.length) / bins)] as number,
    );
  });
}
function binOf(cuts: Float64Array, v: number): number {
  let lo = 0;
  let hi = cuts.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (v <= (cuts[mid] as number)) hi = mid;
    else lo = mid + 1;
  }
  return lo;
}

interface Derivatives {
  readonly gradient: Float64Array;
  readonly hessian: Float64Array;
}

/** Of the squared error of -cost, which is what a score says here. */
const residuals = (samples: readonly Sample[], scores: Float64Array): Derivatives => ({
  gradient: Float64Array.from(samples, (s, i) => -s.cost - (scores[i] as number)),
  hessian: new Float64Array(samples.length).fill(1),
});

/** Pairs beyond this many neighbours in rank add little: each sample meets a fixed number of others. */
const partners = 24;

/** First and second derivative of the pairwise logistic loss. */
function lambdas(samples: readonly Sample[], scores: Float64Array): Derivatives {
  const n = samples.length;
  const gradient = new Float64Array(n);
  const hessian = new Float64Array(n);
  const stride = Math.max(1, Math.floor(n / partners));
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j += stride) {
      const difference = (samples[j] as Sample).cost - (samples[i] as Sample).cost;
      if (difference === 0) continue;
      const [better, worse] = difference > 0 ? [i, j] : [j, i];
      // A pair that is far apart matters more than one within the noise.
      const weight = Math.min(1, Math.abs(difference));
      const p = 1 / (1 + Math.exp((scores[better] as number) - (scores[worse] as number)));
      gradient[better] = (gradient[better] as number) + weight * p;
      gradient[worse] = (gradient[worse] as number) - weight * p;
      hessian[better] = (hessian[better] as number) + weight * p * (1 - p);
      hessian[worse] = (hessian[worse] as number) + weight * p * (1 - p);
    }
  }
  return { gradient, hessian };
}

interface Work {
  readonly binned: readonly Uint8Array[];
  readonly cuts: readonly Float64Array[];
  readonly gradient: Float64Array;
  readonly hessian: Float64Array;
  readonly options: TreeOptions;
}
function grow(rows: readonly number[], depth: number, w: Work): Tree {
  const sum = (v: Float64Array): number => rows.reduce((s, r) => s + (v[r] as number), 0);
  const [g, h] = [sum(w.gradient), sum(w.hessian)];
  const leaf: Tree = { leaf: g / (h + w.options.ridge) };
  if (depth >= w.options.depth || rows.length < 4) return leaf;
  const best = bestSplit(rows, g, h, w);
  if (best === undefined) return leaf;
  const low = rows.filter((r) => (w.binned[r]?.[best.feature] as number) <= best.bin);
  const high = rows.filter((r) => (w.binned[r]?.[best.feature] as number) > best.bin);
  return {
    feature: best.feature,
    at: w.cuts[best.feature]?.[best.bin] as number,
    low: grow(low, depth + 1, w),
    high: grow(high, depth + 1, w),
  };
}

function bestSplit(
  rows: readonly number[],
  g: number,
  h: number,
  w: Work,
): { readonly feature: number; readonly bin: number } | undefined {
  const { ridge } = w.options;
  let best: { feature: number; bin: number; gain: number } | undefined;
  for (let f = 0; f < w.cuts.length; f++) {
    const cuts = (w.cuts[f] as Float64Array).length;
    if (cuts === 0) continue;
    const gs = new Float64Array(cuts + 1);
    const hs = new Float64Array(cuts + 1);
    for (const r of rows) {
      const b = w.binned[r]?.[f] as number;
      gs[b] = (gs[b] as number) + (w.gradient[r] as number);
      hs[b] = (hs[b] as number) + (w.hessian[r] as number);
    }
    let [lg, lh] = [0, 0];
    for (let b = 0; b < cuts; b++) {
      lg += gs[b] as number;
      lh += hs[b] as number;
      const gain = (lg * lg) / (lh + ridge) + ((g - lg) * (g - lg)) / (h - lh + ridge) - (g * g) / (h + ridge);
      if (gain > 1e-6 && gain > (best?.gain ?? 0)) best = { feature: f, bin: b, gain };
    }
  }
  return best;
}
