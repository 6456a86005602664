/** What is measured: a candidate with its binary and its test; and the same as plain data, for whoever does not have the network. */
import type { Target } from '../../boards/board.ts';
import type { KernelC, KernelConstant } from '../../compiler/program/print-c.ts';
import type { ObjectFile, Unit } from '../../toolchain/index.ts';
import { type Bench, laidOutBench, type Vector } from './bench.ts';
import { type Built, unitOf } from './builder.ts';

export interface Attempt {
  readonly kernel: KernelC;
  readonly built: Built;
  readonly bench: Bench;
  /** Which test vector. */
  readonly vector: number;
}

/** All that a device's host must know of an attempt. */
export interface PlainAttempt {
  /** What it was compiled from: a fault is told with its line. */
  readonly unit: Unit;
  readonly object: ObjectFile;
  readonly binary: string;
  readonly functions: Built['functions'];
  readonly constants: readonly Pick<KernelConstant, 'symbol' | 'bytes' | 'place'>[];
  readonly scratchBytes: number;
  readonly macs: number;
  /** Inputs and outputs as they lie in memory. */
  readonly vector: Vector;
}

export function plainOf({ kernel, built, bench, vector }: Attempt, target: Target): PlainAttempt {
  return {
    unit: unitOf(kernel, target),
    ...built,
    constants: kernel.constants,
    scratchBytes: kernel.scratchBytes,
    macs: bench.macs,
    vector: laidOutBench(bench, kernel.params).vector(vector),
  };
}
