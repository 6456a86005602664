/**
 * The contract of an instruction: text (C with inline assembly) plus its meaning as a
 * small Program. `replace` puts it where a loop nest equals that meaning. A recipe makes an instruction from parameters;
 * `infer` reads the parameters that the nest itself determines, so that a schedule names only free choices.
 */

import type { Layout } from '../program/layouts.ts';
import type { DType, Loop, Program } from '../program/program.ts';

export type Params = Readonly<Record<string, number>>;
export interface Operand {
  readonly dtype: DType;
  readonly layout?: Layout;
  /** Bytes. */
  readonly align?: number;
  /** Lies in registers: `c` gets each element as an lvalue, `role.0`, `role.1`, … in the order of its shape, and no address. */
  readonly cells?: true;
}
export interface Instruction {
  /** Unique per parameters: equal symbols share one function. */
  readonly symbol: string;
  /** Operands are its buffers of space in, out, const; the rest is private to it. */
  readonly meaning: Program;
  readonly operands: Readonly<Record<string, Operand>>;
  /**
   * What it relies on beyond equality with its meaning, checked on the actual constants when `replace` puts it in: the reason
   * why it must not be used, or undefined. `values` gives the whole constant named for a role.
   */
  requires?(values: (role: string) => Int32Array): string | undefined;
  /** CPU features it needs: 'dsp', 'fpu'. */
  readonly features: readonly string[];
  /** Stack it uses beyond its caller's, bytes. */
  readonly stackBytes: number;
  /** The C statement of a call, from the C expressions of the operands' addresses. */
  c(at: Readonly<Record<string, string>>): string;
  /** C text that must stand once before the first use (static inline function, prototype); equal texts once. */
  readonly prelude: string;
  /** The same in plain C for hosts without the feature, so that every schedule can be compiled and tested on the PC. */
  readonly portable: string;
}
export interface Recipe {
  readonly name: string;
  /** Throws Illegal where the parameters do not fit together. */
  make(params: Params): Instruction;
  /** Parameters that the nest determines; `shape` gives the shape of the buffer named for a role. */
  infer(nest: Loop, shape: (role: string) => readonly number[]): Params;
}
