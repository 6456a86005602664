/**
 * The contract of an instruction: text (C with inline assembly, or a whole function in assembly) plus its meaning as a
 * small Program. `replace` puts it where a loop nest equals that meaning. A recipe makes an instruction from parameters;
 * `infer` reads the parameters that the nest itself determines, so that a schedule names only free choices.
 * Text, and what is counted in it, is made by getters when somebody asks: it is thousands of lines, and most who look at an
 * instruction need its meaning alone. Must stay true: `make` refuses whatever its text could not be made for.
 */

import type { Layout } from '../program/layouts.ts';
import type { DType, Loop, Program } from '../program/program.ts';

export type Params = Readonly<Record<string, number>>;
export interface Operand {
  readonly dtype: DType;
  /** A constant in a packing of the instruction's own ('packed') is laid out by `replace`; other layouts must be there before. */
  readonly layout?: Layout;
  /** Bytes. */
  readonly align?: number;
  /** Values that it relies on: `replace` shows that the buffer holds no others, tests draw from them. Absent: all of its dtype. */
  readonly span?: readonly [number, number];
  /** Its values must be these, of whole constants by role: what `replace` checks, and tests give it. */
  derived?(values: (role: string) => Int32Array): Int32Array;
  /** Lies in registers: `c` gets each element as an lvalue, `role.0`, `role.1`, … in the order of its shape, and no address. */
  readonly cells?: true;
  /** Its window is all of a buffer but for rows, which may begin anywhere, outside too: `c` reads `role.base` and `role.0`. */
  readonly moves?: true;
}
/**
 * A block kernel: a function in assembly with loops and registers of its own, and what it does in plain C. It follows AAPCS:
 * arguments in r0-r3 and then on the stack, r4-r11 and s16-s31 as they were when it returns. Data below the stack pointer may be
 * overwritten by an interrupt at any time. The printer gives it a section (code in flash or RAM) and links equal ones once.
 */
export interface AsmFunction {
  /** C parameters in order: `const int16_t *x`, `int32_t rows`. */
  readonly params: readonly string[];
  /** From entry to return. Labels are local: `1:`, reached as `1b` and `1f`. */
  readonly lines: readonly string[];
  /** Statements in C99 that compute the same from the same parameters: for CPUs without the features, and for tests. */
  readonly plain: string;
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
  /** It reads and writes in the order of its meaning: an output may lie wherever it might lie if the meaning stood there. */
  readonly inPlace?: true;
  /** Cycles of one call on a core of its kind that waits for no memory: an estimate from its text, for pruning and cost models. */
  readonly cycles?: number;
  /**
   * The C statement of a call, from the C expressions of the operands' addresses; `at.function` is the block kernel's name. For
   * windows that move: `role.base` is the buffer's address, `role.0`, … the window's origin in it.
   */
  c(at: Readonly<Record<string, string>>): string;
  /** A block kernel has its text here; `prelude` and `portable` are empty then, or what it calls. */
  readonly function?: AsmFunction;
  /** C text that must stand once before the first use (static inline function, prototype); equal texts once. */
  readonly prelude: string;
  /** The same in plain C for hosts without the feature, so that every schedule can be compiled and tested on the PC. */
  readonly portable: string;
}
export interface Recipe {
  readonly name: string;
  /** Parameters to test it with: each kind of loop and tail that its text has, in small. */
  readonly examples: readonly Params[];
  /** Throws Illegal where the parameters do not fit together. */
  make(params: Params): Instruction;
  /** Parameters that the nest determines; `shape` gives the shape of the buffer named for a role. */
  infer(nest: Loop, shape: (role: string) => readonly number[]): Params;
}
