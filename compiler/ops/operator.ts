/**
 * The contract of an operator: a file each in this folder, listed in index.ts. An operator says three things twice over:
 * what shape comes out, what the exact integer result is (reference, written apart), and a naive loop nest for it.
 * Test of each: interpret(naive program) equals reference, byte for byte.
 */
import type { Graph, Node, TensorType } from '../graph/graph.ts';
import type { Program } from '../program/program.ts';
import type { Lowered, Rounding, Workload } from '../workload.ts';

/** A tensor's value: its elements as numbers in a typed array that matches its dtype (bool and uint8: Uint8Array; int64: BigInt64Array). */
export type Value = Int8Array | Uint8Array | Int16Array | Int32Array | BigInt64Array | Float32Array;

export interface Operator {
  /** Node.op, e.g. 'conv2d'. */
  readonly name: string;
  /** Output types as they follow from inputs and attributes. Throws OperatorError where the node is malformed. */
  infer(
    node: Node,
    inputs: readonly (TensorType | undefined)[],
    declared: readonly TensorType[],
  ): readonly TensorType[];
  /** The truth (TFLite's reference semantics): values in, values out, in the order of node.inputs / node.outputs. */
  reference(
    node: Node,
    graph: Graph,
    inputs: readonly (Value | undefined)[],
    options: { rounding: Rounding },
  ): readonly Value[];
  /** The node without its constants, and those constants by buffer name. */
  lower(node: Node, graph: Graph, options: { rounding: Rounding }): Lowered;
  /**
   * Naive programs of a workload, by algorithm name; 'direct' is always there. Runtime inputs are the buffers x (x0, x1
   * … if several), outputs y (y0, …); const buffers have no values yet: bind() puts them in.
   */
  programs(workload: Workload): Readonly<Record<string, Program>>;
  /** Multiply-accumulates of one run. */
  macs(workload: Workload): number;
  /** May output 0 lie where runtime input i lies? Input numbers for which running in place is always legal. */
  inPlace?(workload: Workload): readonly number[];
}

/** What is wrong with a node; the importer adds the operator's name, index and place in the file. */
export class OperatorError extends Error {
  readonly code: 'MODEL_INVALID' | 'TYPE_UNSUPPORTED';
  constructor(message: string, code: OperatorError['code'] = 'MODEL_INVALID') {
    super(message);
    this.code = code;
  }
}
