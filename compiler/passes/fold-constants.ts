/** A node that reads only constants becomes a constant. Required: kernels expect at least one operand that is computed. */
import type { Graph, Node, Tensor } from '../graph/graph.ts';
import { operatorOf } from '../ops/index.ts';
import type { Value } from '../ops/operator.ts';
import { decode } from '../ops/values.ts';
import type { Rounding } from '../workload.ts';
import { bytesOfValue, type Pass } from './pass.ts';

const isConstant = (tensors: readonly Tensor[], node: Node): boolean =>
  node.inputs.every((id) => id < 0 || tensors[id]?.data !== undefined);

function fold(graph: Graph, rounding: Rounding): Graph {
  const tensors = [...graph.tensors];
  const nodes = graph.nodes.filter((node) => {
    if (!isConstant(tensors, node)) return true;
    const current = { ...graph, tensors };
    const inputs = node.inputs.map((id) => (id < 0 ? undefined : decode(tensors[id] as Tensor)));
    const values = operatorOf(node.op).reference(node, current, inputs, { rounding });
    node.outputs.forEach((id, i) => {
      tensors[id] = { ...(tensors[id] as Tensor), data: bytesOfValue(values[i] as Value) };
    });
    return false;
  });
  return { ...graph, tensors, nodes };
}

export const foldConstants: Pass = {
  name: 'fold-constants',
  reason: 'first: what follows asks which operands are constant',
  required: true,
  run: fold,
};
