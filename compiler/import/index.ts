/** Model files -> Graph. To add a format: a folder beside tflite/, one line in `formats`. */
import type { Graph } from '../graph/graph.ts';
import { failed, type Result } from '../result.ts';
import { checkGraph } from './check.ts';
import type { Format } from './format.ts';
import { isTflite, readTflite } from './tflite/read.ts';

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
  return read.ok ? checkGraph(read.value.graph, read.value.places) : read;
}

export { checkGraph } from './check.ts';
