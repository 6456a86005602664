/** How tensors look from C. */
import { type Graph, type Tensor, type TensorId, tensorOf } from '../graph/graph.ts';

/** The element type in C; bool is a byte. */
export function ctypeOf(dtype: Tensor['dtype']): string {
  switch (dtype) {
    case 'float32':
      return 'float';
    case 'bool':
      return 'uint8_t';
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'int32':
    case 'int64':
      return `${dtype}_t`;
  }
}

/** Inputs or outputs with the suffix of their names: none where there is one, else a number. */
export interface Port {
  readonly id: TensorId;
  readonly tensor: Tensor;
  readonly suffix: string;
  readonly ctype: string;
}
export const portsOf = (graph: Graph, ids: readonly TensorId[]): readonly Port[] =>
  ids.map((id, i) => {
    const tensor = tensorOf(graph, id);
    return { id, tensor, suffix: ids.length > 1 ? String(i) : '', ctype: ctypeOf(tensor.dtype) };
  });
