/**
 * What a budget of RAM leaves a layer for scratch, beside the tensors that live while it runs: no candidate with more could be used.
 * Reckoned with default schedules, which take none of their own for code or constants.
 */
import type { Board } from '../boards/index.ts';
import { needsOf } from '../compiler/emit/network.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import type { Task } from '../compiler/tasks.ts';
import { selectKnown, type Toolchain } from './offers.ts';

export interface Tight {
  readonly graph: Graph;
  readonly tasks: readonly Task[];
  readonly board: Board;
  readonly toolchain: Toolchain;
  readonly ramBytes: number;
}

/** Bytes by task: as many as the roomiest of its layers has. */
export function roomForScratch({ graph, tasks, board, toolchain, ramBytes }: Tight): (task: Task) => number {
  const plain = selectKnown(tasks, board, undefined, toolchain).map((s) => s.choice);
  const needs = needsOf(graph, 'network', plain);
  const room = (node: number): number => {
    const layer = needs[plain.findIndex((choice) => choice.node === node)];
    return ramBytes - (layer === undefined ? 0 : layer.arenaBytes - layer.kernel.scratchBytes);
  };
  return (task) => Math.max(0, ...task.occurrences.map((o) => room(o.node)));
}
