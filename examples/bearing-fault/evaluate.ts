/** How often a classifier is right, and what it takes for what. */
import type { Graph } from '../../compiler/graph/graph.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { numbers } from '../../compiler/ops/values.ts';
import type { Network, Signal } from './layers.ts';
import { inputOf } from './quantize.ts';
import { classes, type Example } from './signals.ts';

/** A signal -> its position in `classes`. */
export type Classifier = (signal: Signal) => number;

const strongest = (scores: ArrayLike<number>): number => {
  const list = Array.from(scores);
  return list.indexOf(Math.max(...list));
};
export const floatClassifier =
  (net: Network): Classifier =>
  (signal) =>
    strongest(net.forward(signal));
/** The int8 model as every device computes it. */
export const int8Classifier =
  (graph: Graph): Classifier =>
  (signal) =>
    strongest(numbers(runReference(graph, [inputOf(graph, signal)], { rounding: 'double' }).outputs[0] as Value));

export interface Scores {
  /** Share of windows that were recognised. */
  readonly accuracy: number;
  /** True class -> recognised class -> windows. */
  readonly confusion: Readonly<Record<string, Readonly<Record<string, number>>>>;
}
/** Scores of predictions, one for each example. */
export function score(data: readonly Example[], predictions: readonly number[]): Scores {
  const count = (label: number, prediction: number): number =>
    data.filter((e, i) => e.label === label && predictions[i] === prediction).length;
  const row = (label: number): Readonly<Record<string, number>> =>
    Object.fromEntries(classes.map((name, prediction) => [name, count(label, prediction)]));
  return {
    accuracy: data.filter((e, i) => e.label === predictions[i]).length / data.length,
    confusion: Object.fromEntries(classes.map((name, label) => [name, row(label)])),
  };
}
