/** Tasks: the distinct workloads of a graph. Equal layers are one task with several occurrences. */
import { createHash } from 'node:crypto';
import type { Graph } from './graph/graph.ts';
import { operatorOf, viewOps } from './ops/index.ts';
import { type Constants, type Rounding, type Workload, workloadKey } from './workload.ts';

export interface Occurrence {
  /** Position in graph.nodes. */
  readonly node: number;
  readonly constants: Constants;
}
export interface Task {
  /** Short hash of the key. */
  readonly id: string;
  readonly key: string;
  readonly workload: Workload;
  readonly occurrences: readonly Occurrence[];
  readonly macs: number;
}

/** The id of the task with this key. */
export const taskIdOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 12);

/** Tasks in order of their first occurrence. Views (reshape, squeeze) have none: they move nothing. */
export function tasksOf(graph: Graph, options: { readonly rounding: Rounding }): readonly Task[] {
  const tasks = new Map<string, Task>();
  graph.nodes.forEach((node, i) => {
    if (viewOps.has(node.op)) return;
    const operator = operatorOf(node.op);
    const { workload, constants } = operator.lower(node, graph, options);
    const key = workloadKey(workload);
    const known = tasks.get(key);
    tasks.set(key, {
      id: taskIdOf(key),
      key,
      workload,
      macs: operator.macs(workload),
      occurrences: [...(known?.occurrences ?? []), { node: i, constants }],
    });
  });
  return [...tasks.values()];
}
