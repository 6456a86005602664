/** Kernels with what must come out of them, as tests compare them on the PC and on emulated CPUs. */
import { expect } from 'vitest';
import { interpret, type Program } from '../../compiler/program/index.ts';
import { laidOut } from '../../compiler/program/tensor-layout.ts';
import type { KernelRun, RunResult } from './kernels-machine.ts';

export interface Case {
  readonly label: string;
  readonly run: KernelRun;
  /** Bytes of all outputs, in hex. */
  readonly want: string;
}

/** Values of inputs in order, as a program takes them. */
export function inputsAs(p: Program, inputs: KernelRun['inputs']): KernelRun['inputs'] {
  const laid = (b: Program['buffers'][number]): ArrayLike<number> => {
    const values = inputs[b.name] ?? [];
    if (b.tensor === undefined) return values;
    const bytes = laidOut(b, new Uint8Array(Int8Array.from(values).buffer));
    return b.dtype === 'i16' ? new Int16Array(bytes.buffer) : new Int8Array(bytes.buffer);
  };
  return Object.fromEntries(p.buffers.filter((b) => b.space === 'in').map((b) => [b.name, laid(b)]));
}
/** Bytes of an output in order, in hex, as a program leaves them. */
export function outputAs(p: Program, hex: string): string {
  const y = p.buffers.find((b) => b.space === 'out');
  return y?.tensor === undefined ? hex : Buffer.from(laidOut(y, Buffer.from(hex, 'hex'))).toString('hex');
}

/** Bytes of all outputs as the interpreter has them, in hex. */
export function meant(p: Program, inputs: KernelRun['inputs']): string {
  const out = interpret(p, inputs);
  const parts = p.buffers.filter((b) => b.space === 'out').map((b) => out[b.name]);
  return Buffer.concat(parts.flatMap((a) => (a === undefined ? [] : [Buffer.from(a.buffer)]))).toString('hex');
}

type Machine = (runs: readonly KernelRun[]) => readonly RunResult[];
/** On each machine every byte is as wanted, and nothing is written beside. `batch` cases are compiled and linked together. */
export function expectCases(cases: readonly Case[], machines: readonly Machine[], batch = Infinity): void {
  for (let n = 0; n < cases.length; n += batch) {
    const some = cases.slice(n, n + batch);
    for (const machine of machines) {
      machine(some.map((c) => c.run)).forEach((got, i) => {
        const hex = Buffer.from(got.bytes).toString('hex');
        expect([hex, got.contained], some[i]?.label).toEqual([some[i]?.want, true]);
      });
    }
  }
}
