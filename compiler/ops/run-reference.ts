/** A whole graph through the operators' references: the truth that devices are compared with. */
import type { Graph } from '../graph/graph.ts';
import type { Rounding } from '../workload.ts';
import { operatorOf } from './index.ts';
import type { Value } from './operator.ts';
import { decode } from './values.ts';

export interface ReferenceRun {
  readonly outputs: readonly Value[];
  /** Outputs of each node, in the order of graph.nodes. */
  readonly nodes: readonly (readonly Value[])[];
}

/** Runs the graph on values for graph.inputs, in that order. */
export function runReference(
  graph: Graph,
  inputs: readonly Value[],
  options: { readonly rounding: Rounding },
): ReferenceRun {
  const values: (Value | undefined)[] = graph.tensors.map(decode);
  graph.inputs.forEach((id, i) => {
    values[id] = inputs[i];
  });
  const nodes = graph.nodes.map((node) => {
    const out = operatorOf(node.op).reference(
      node,
      graph,
      node.inputs.map((id) => values[id]),
      options,
    );
    node.outputs.forEach((id, i) => {
      values[id] = out[i];
    });
    return out;
  });
  const outputs = graph.outputs.map((id) => {
    const v = values[id];
    if (v === undefined) throw new Error(`output ${id} was never computed`);
    return v;
  });
  return { outputs, nodes };
}
