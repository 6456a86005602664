/** What a network needs, counted honestly: the numbers of the header, the README, the report and every budget. */
import type { KernelConstant } from '../program/print-c.ts';
import type { Network } from './network.ts';

/** What only a compiler knows: sizes of the library's own objects, without server, example or start-up code. */
export interface CompiledSizes {
  /** Bytes of flash: code and constants, and the load images of what is placed in RAM. */
  readonly flashBytes: number;
  /** Bytes of RAM beside the arena: code and constants that schedules place there. */
  readonly ramBytes: number;
  /** A bound on the stack of `_run`, from the compiler's frame sizes. */
  readonly stackBytes: number;
}

export interface Memory {
  /** Activations and scratch. */
  readonly arenaBytes: number;
  /** No plan of the arena can be smaller. */
  readonly arenaLowerBound: number;
  readonly constBytes: number;
  readonly codeBytes: number;
  readonly stackBytes: number;
  /** Arena, code and constants in RAM, and the worst stack. */
  readonly ramBytes: number;
  /** Code and constants. */
  readonly flashBytes: number;
}

export const constantsOf = (n: Network): readonly KernelConstant[] => n.layers.flatMap((l) => l.kernel.constants);

/** Name of the function that copies constants into RAM; undefined where kernels read none from there. */
export const keeper = (n: Network): string | undefined =>
  constantsOf(n).some((c) => c.place === 'ram') ? `${n.name}_keep_constants` : undefined;

/** Bytes of all weights, biases and multipliers. */
export const constantBytes = (n: Network): number => constantsOf(n).reduce((sum, c) => sum + c.bytes.length, 0);

export function memoryOf(n: Network, sizes: CompiledSizes): Memory {
  const constBytes = constantBytes(n);
  return {
    arenaBytes: n.plan.bytes,
    arenaLowerBound: n.plan.lowerBound,
    constBytes,
    codeBytes: Math.max(0, sizes.flashBytes - constBytes),
    stackBytes: sizes.stackBytes,
    ramBytes: n.plan.bytes + sizes.ramBytes + sizes.stackBytes,
    flashBytes: sizes.flashBytes,
  };
}
