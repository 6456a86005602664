/**
 * A Workload is what a kernel has to compute, without its constants: operator, attributes, and types. Equal workloads
 * (equal keys) of one or several models are one tuning Task and share records. Zero points, strides, clamps are in it;
 * weights, biases and requantise multipliers are not: they are the `constants` of one occurrence.
 */
import type { Attrs } from './graph/graph.ts';

/** 'double' is TFLite's reference (and TFLM's, CMSIS-NN's); 'single' is what desktop TFLite's newer kernels do. */
export type Rounding = 'double' | 'single';

export interface Workload {
  readonly op: string;
  readonly attrs: Attrs;
  /** Types of the runtime operands in order: dtype and shape, e.g. {dtype:'int8', shape:[1,8,8,16]}. */
  readonly inputs: readonly OperandType[];
  readonly outputs: readonly OperandType[];
}
export interface OperandType {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Values of the constant buffers of a workload's program, by buffer name (i8 weights are held as i32 values too). */
export type Constants = Readonly<Record<string, Int32Array>>;

/** A node, lowered: what to compute and with which constants. */
export interface Lowered {
  readonly workload: Workload;
  readonly constants: Constants;
}

/** Canonical text of a workload: sorted keys, no spaces; equal exactly for equal workloads. */
export function workloadKey(w: Workload): string {
  return canonicalJson({ attrs: w.attrs, inputs: w.inputs, op: w.op, outputs: w.outputs });
}

/** JSON with object keys sorted at every level. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
}
