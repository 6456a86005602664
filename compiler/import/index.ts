/** Model files -> Graph. To add a format: a folder beside tflite/, one line in `formats`. */
import type { Graph, TensorType } from '../graph/graph.ts';
import { verifyGraph } from '../graph/verify.ts';
import { operatorOf, viewOps } from '../ops/index.ts';
import { OperatorError } from '../ops/operator.ts';
import { failed, ok, type Result } from '../result.ts';
import { isTflite, readTflite } from './tflite/read.ts';

interface Format {
  readonly name: string;
  matches(bytes: Uint8Array): boolean;
  read(bytes: Uint8Array, name: string): Result<Graph>;
}
const formats: readonly Format[] = [{ name: 'TFLite', matches: isTflite, read: readTflite }];

/** A graph whose every node has been checked against its operator, or a Failure of stage 'import'. */
export function importModel(bytes: Uint8Array, name: string): Result<Graph> {
  const format = formats.find((f) => f.matches(bytes));
  if (format === undefined) {
    const known = formats.map((f) => f.name).join(', ');
    return failed(
      'import',
      'MODEL_UNKNOWN_FORMAT',
      `${bytes.length} bytes that are none of: ${known}. A .tflite file has "TFL3" at byte 4`,
    );
  }
  const read = format.read(bytes, name);
  return read.ok ? checkGraph(read.value) : read;
}

/** Structure, then each node: its output must be what its operator infers, and it must lower. */
export function checkGraph(graph: Graph): Result<Graph> {
  const broken = verifyGraph(graph);
  if (broken !== undefined) return failed('import', 'MODEL_INVALID', broken);
  for (const node of graph.nodes) {
    const where = `${node.source.name} (operator ${node.source.index})`;
    try {
      const types = node.inputs.map((id): TensorType | undefined => graph.tensors[id]);
      const declared = node.outputs.map((id) => graph.tensors[id] as TensorType);
      const inferred = operatorOf(node.op).infer(node, types, declared);
      inferred.forEach((t, i) => {
        const shape = declared[i]?.shape ?? [];
        if (t.shape.some((d) => d < 1) || t.shape.length !== shape.length || t.shape.some((d, k) => d !== shape[k]))
          throw new OperatorError(`its output is declared as [${shape}], it computes [${t.shape}]`);
      });
      if (!viewOps.has(node.op) && node.inputs.some((id) => graph.tensors[id]?.data === undefined))
        operatorOf(node.op).lower(node, graph, { rounding: 'double' });
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      return failed('import', 'MODEL_INVALID', `${where}: ${error.message}`);
    }
  }
  return ok(graph);
}
