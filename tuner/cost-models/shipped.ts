/**
 * The cost model that ships: trees that say how many cycles a candidate takes for each unit of its layer's work, trained on trials
 * of many layers (`npm run bench:networks -- --tune`), records/BOARD.trees. Features go by name in the file, so that a new
 * instruction does not shift their meaning. Must stay true: training is deterministic, the file is plain data.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { featureNames } from './features.ts';
import { type Forest, predict, type Tree, train } from './trees.ts';

/** log2 of cycles per unit of work; lower is faster. */
export type Ranker = (features: Float64Array, work: number) => number;
export interface NamedForest {
  readonly features: readonly string[];
  readonly rate: number;
  readonly base: number;
  readonly trees: readonly Tree[];
}
/** A trial of some layer. */
export interface Trained {
  readonly features: Float64Array;
  readonly work: number;
  readonly cycles: number;
}

/** Counts of what is executed grow with the layer: per unit of work they say the same of all layers. */
const isCount = (name: string): boolean =>
  /^(reads|writes|instr|param-sum|ops):|^(requantize|mulhi|outside|loops|iterations|calls|estimate|bound)$/.test(name);
/** Stands for a count of nothing: less than any other. */
const none = -40;

/** `names`: of the values of `features`. */
const relative = (features: Float64Array, names: readonly string[], work: number): Float64Array =>
  Float64Array.from(features, (v, i) => (!isCount(names[i] ?? '') ? v : v === 0 ? none : v - Math.log2(1 + work)));

/**
 * What is thought of a candidate before trees say how far off that is, log2 of cycles per unit of work: its static estimate. 0 for a file
 * of trees that never saw one.
 */
function priorOf(features: Float64Array, names: readonly string[], work: number): number {
  const at = names.includes('estimate') ? featureNames.indexOf('estimate') : -1;
  return at < 0 ? 0 : (features[at] as number) - Math.log2(work);
}

/** Few and shallow: the file ships, and what it must tell apart are the plans, not the last percent. */
const options = { rounds: 80, depth: 5, rate: 0.15, bins: 24, ridge: 1, loss: 'squares' } as const;

export function trainRanker(trials: readonly Trained[]): NamedForest {
  const costs = trials.map((t) => Math.log2(t.cycles / t.work) - priorOf(t.features, featureNames, t.work));
  const base = costs.reduce((n, c) => n + c, 0) / Math.max(1, costs.length);
  const samples = trials.map((t, i) => ({
    features: relative(t.features, featureNames, t.work),
    cost: (costs[i] as number) - base,
  }));
  const { trees, rate } = train(samples, options);
  return { features: featureNames, rate, base, trees };
}

/** A ranker from a file's contents. A feature that is no more counts as nothing. */
export function rankerOf({ features, rate, base, trees }: NamedForest): Ranker {
  const at = features.map((name) => featureNames.indexOf(name));
  const forest: Forest = { trees, rate };
  return (values, work) => {
    const now = relative(values, featureNames, work);
    // Trees predict what is good; cost is its opposite.
    return (
      priorOf(values, features, work) +
      base -
      predict(
        forest,
        Float64Array.from(at, (i, k) => now[i] ?? (isCount(features[k] ?? '') ? none : 0)),
      )
    );
  };
}

export const rankerFile = (dir: string, board: string): string => join(dir, `${board}.trees`);

/** The ranker that ships for a board; undefined where it has none. */
export function readRanker(dir: string, board: string): Ranker | undefined {
  const file = rankerFile(dir, board);
  return existsSync(file) ? rankerOf(parseRanker(readFileSync(file, 'utf8'))) : undefined;
}

/** A tree a line, behind one with all the rest. Six digits are plenty for a border or a leaf, and keep the file small. */
export function printRanker({ trees, ...rest }: NamedForest): string {
  const short = (_: string, v: unknown): unknown => (typeof v === 'number' ? Number(v.toPrecision(6)) : v);
  return `${[rest, ...trees].map((line) => JSON.stringify(line, short)).join('\n')}\n`;
}
export function parseRanker(text: string): NamedForest {
  const [rest, ...trees] = text.trimEnd().split('\n');
  const head = JSON.parse(rest ?? '') as Omit<NamedForest, 'trees'>;
  return { ...head, trees: trees.map((line) => JSON.parse(line) as Tree) };
}
