/**
 * A network's inputs and outputs as files: raw little-endian bytes of all of them one after another, or a .npy file each.
 * A name that ends in .npy decides.
 */
import { writeFileSync } from 'node:fs';
import { type Graph, type Tensor, tensorBytes } from '../../compiler/graph/graph.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { tensorsOf } from '../run-network.ts';
import { readNpy, writeNpy } from './npy.ts';
import { readFile } from './read-file.ts';

const isNpy = (file: string): boolean => file.toLowerCase().endsWith('.npy');

const bytesOfAll = (tensors: readonly Tensor[]): number => tensors.reduce((n, t) => n + tensorBytes(t), 0);
/** e.g. "input int8[1,49,10,1], 490 bytes". */
export const describeTensor = (t: Tensor): string => `${t.name} ${t.dtype}[${t.shape}], ${tensorBytes(t)} bytes`;
const describeAll = (tensors: readonly Tensor[]): string => tensors.map(describeTensor).join(' + ');

/**
 * The bytes of all inputs, one after another, from one raw file or from one file an input. Failures: INPUT_MISMATCH where
 * size, type or shape differ from the model's, INPUT_INVALID for a broken .npy file.
 */
export function readInputs(graph: Graph, files: readonly string[]): Result<Uint8Array> {
  const tensors = tensorsOf(graph, graph.inputs);
  const [only] = files;
  if (only !== undefined && files.length === 1 && tensors.length !== 1) {
    if (isNpy(only))
      return mismatch(`${only} is one array, the model has ${tensors.length} inputs: give --input for each`);
    return sized(only, readFile(only), bytesOfAll(tensors), describeAll(tensors));
  }
  if (files.length !== tensors.length)
    return mismatch(`${files.length} input files, the model takes ${tensors.length}: ${describeAll(tensors)}`);
  const parts: Uint8Array[] = [];
  for (const [i, t] of tensors.entries()) {
    const part = readInput(t, files[i] as string);
    if (!part.ok) return part;
    parts.push(part.value);
  }
  return ok(Buffer.concat(parts));
}

function readInput(t: Tensor, file: string): Result<Uint8Array> {
  const bytes = readFile(file);
  if (!isNpy(file)) return sized(file, bytes, tensorBytes(t), describeTensor(t));
  const npy = readNpy(bytes);
  if (!npy.ok) return failed(npy.error.stage, npy.error.code, `${file}: ${npy.error.detail}`);
  const { dtype, shape, data } = npy.value;
  if (dtype !== t.dtype || shape.join() !== t.shape.join())
    return mismatch(`${file} holds ${dtype}[${shape}], the model takes ${describeTensor(t)}`);
  return ok(data);
}

const sized = (file: string, bytes: Uint8Array, want: number, what: string): Result<Uint8Array> =>
  bytes.length === want ? ok(bytes) : mismatch(`${file} has ${bytes.length} bytes, the model takes ${want}: ${what}`);
const mismatch = (detail: string): Result<never> => failed('input', 'INPUT_MISMATCH', detail);

/** Whether `files` can take the outputs; asked before anything is built. */
export function checkOutputs(graph: Graph, files: readonly string[]): Result<readonly string[]> {
  const tensors = tensorsOf(graph, graph.outputs);
  const [only] = files;
  const fits = files.length === tensors.length || files.length === 0 || (files.length === 1 && !isNpy(only as string));
  if (fits) return ok(files);
  return mismatch(`${files.length} output files (${files.join(' ')}), the model gives ${describeAll(tensors)}`);
}

/** `bytes`: all outputs one after another. */
export function writeOutputs(graph: Graph, files: readonly string[], bytes: Uint8Array): void {
  const tensors = tensorsOf(graph, graph.outputs);
  const [only] = files;
  if (only !== undefined && files.length === 1 && !isNpy(only)) return writeFileSync(only, bytes);
  let at = 0;
  for (const [i, t] of tensors.entries()) {
    const data = bytes.subarray(at, at + tensorBytes(t));
    at += data.length;
    const file = files[i];
    if (file !== undefined)
      writeFileSync(file, isNpy(file) ? writeNpy({ dtype: t.dtype, shape: t.shape, data }) : data);
  }
}
