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
    return failed('import', 'MODEL_UNKNOWN_FORMAT', `the file is ${look(bytes)}; formats that are read: ${known}`);
  }
  const read = format.read(bytes, name);
  return read.ok ? checkGraph(read.value.graph, read.value.places) : read;
}

/** What a file that is no model seems to be: people upload the file beside the one they mean. */
function look(bytes: Uint8Array): string {
  const starts = (...head: readonly number[]): boolean => head.every((b, i) => bytes[i] === b);
  if (bytes.length === 0) return 'empty';
  if (starts(0x89, 0x48, 0x44, 0x46)) return 'HDF5 (a Keras .h5 file?): convert it with tf.lite.TFLiteConverter';
  if (starts(0x50, 0x4b, 3, 4))
    return 'a zip archive (.keras? PyTorch? an archive of the model?): export or unpack it first';
  if (starts(8) && bytes.length > 8) return 'perhaps ONNX: convert it to .tflite with full int8 quantization first';
  if (bytes.subarray(0, 64).every((b) => b >= 32 || b === 9 || b === 10 || b === 13)) return 'text, not a model';
  return `${bytes.length} bytes of no known format ("TFL3" stands at byte 4 of a .tflite file)`;
}

export { checkGraph } from './check.ts';
