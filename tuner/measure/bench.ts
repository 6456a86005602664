/**
 * What a task's candidates are tested with: pseudo-random inputs that the device makes for itself (FILL), and the CRC of the
 * output that the operator's reference gives on them.
 */
import { crc32 } from 'node:zlib';
import { type Graph, tensorBytes, tensorOf } from '../../compiler/graph/graph.ts';
import { operatorOf } from '../../compiler/ops/index.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { decode, emptyValue, encode } from '../../compiler/ops/values.ts';
import type { KernelParam } from '../../compiler/program/print-c.ts';
import { type Held, heldBytes, laidOut } from '../../compiler/program/tensor-layout.ts';
import type { Task } from '../../compiler/tasks.ts';

export interface InputVector {
  readonly bytes: number;
  readonly seed: number;
  /** Given where FILL's bytes would not do (floats). */
  readonly data?: Uint8Array;
}
export interface Vector {
  readonly inputs: readonly InputVector[];
  readonly outputs: readonly Uint8Array[];
}
export interface Bench {
  readonly inputBytes: readonly number[];
  readonly outputBytes: readonly number[];
  readonly macs: number;
  /** Which of a few test vectors a number stands for: candidates get different ones, so that none is right by accident. */
  vector(n: number): Vector;
}

/** The generator of FILL: xorshift32, the top byte of each word. */
export function fillBytes(bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let x = seed >>> 0;
  for (let i = 0; i < bytes; i++) {
    x = (x ^ (x << 13)) >>> 0;
    x = (x ^ (x >>> 17)) >>> 0;
    x = (x ^ (x << 5)) >>> 0;
    out[i] = x >>> 24;
  }
  return out;
}

/** Test vectors of a task. */
export const vectors = 3;

export function benchOf(task: Task, graph: Graph): Bench {
  const node = graph.nodes[task.occurrences[0]?.node ?? -1];
  if (node === undefined) throw new Error(`task ${task.id} has no node`);
  const runtime = node.inputs.filter((id) => id >= 0 && graph.tensors[id]?.data === undefined);
  const size = (id: number): number => tensorBytes(tensorOf(graph, id));
  const made = new Map<number, Vector>();
  const make = (n: number): Vector => {
    const inputs = runtime.map((id, i): InputVector => {
      const seed = 1 + n * 16 + i;
      const t = graph.tensors[id];
      if (t?.dtype !== 'float32') return { bytes: size(id), seed };
      const noise = fillBytes(size(id) / 4, seed);
      return { bytes: size(id), seed, data: encode(Float32Array.from(noise, (b) => (b - 128) / 16)) };
    });
    const values = node.inputs.map((id): Value | undefined => {
      const t = graph.tensors[id];
      if (t === undefined) return undefined;
      const at = runtime.indexOf(id);
      if (at < 0) return decode(t);
      const input = inputs[at] as InputVector;
      const v = emptyValue(
        t.dtype,
        t.shape.reduce((k, d) => k * d, 1),
      );
      encode(v).set(input.data ?? fillBytes(input.bytes, input.seed));
      return v;
    });
    const outputs = operatorOf(node.op).reference(node, graph, values, { rounding: 'double' }).map(encode);
    return { inputs, outputs };
  };
  return {
    inputBytes: runtime.map(size),
    outputBytes: node.outputs.map(size),
    macs: task.macs,
    vector: (n) => {
      const key = n % vectors;
      const known = made.get(key) ?? make(key);
      made.set(key, known);
      return known;
    },
  };
}

/** The same test for a kernel whose inputs and outputs lie otherwise than in order: laid out before it, compared as they lie. */
export function laidOutBench(bench: Bench, params: readonly KernelParam[]): Bench {
  const held = (role: KernelParam['role']): readonly Held[] =>
    params.flatMap((p) => (p.role === role && p.held !== undefined ? [p.held] : []));
  const [ins, outs] = [held('in'), held('out')];
  if ([...ins, ...outs].every((h) => h.tensor === undefined)) return bench;
  const layInput = (input: InputVector, h: Held | undefined): InputVector => {
    if (h?.tensor === undefined) return input;
    const data = laidOut(h, input.data ?? fillBytes(input.bytes, input.seed));
    return { ...input, bytes: data.length, data };
  };
  return {
    inputBytes: bench.inputBytes.map((n, i) => heldBytes(ins[i], n)),
    outputBytes: bench.outputBytes.map((n, i) => heldBytes(outs[i], n)),
    macs: bench.macs,
    vector(n) {
      const { inputs, outputs } = bench.vector(n);
      return {
        inputs: inputs.map((input, i) => layInput(input, ins[i])),
        outputs: outputs.map((output, i) => (outs[i] === undefined ? output : laidOut(outs[i], output))),
      };
    },
  };
}

/** Bytes behind each output that a kernel must leave alone. */
export const guardBytes = 64;
const guardSeed = 0x9e3779b9;

/** CRC of an output with its guard behind it, as they lie in the device after a right run. */
export const guardedCrc = (output: Uint8Array): number => crc32(Buffer.concat([output, guardOf(output.length)]));
/** The guard is the tail of one FILL over output and guard together. */
const guardOf = (bytes: number): Uint8Array => fillBytes(bytes + guardBytes, guardSeed).subarray(bytes);
export const guardFill = { seed: guardSeed, shr: 0 } as const;
