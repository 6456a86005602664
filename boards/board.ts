/**
 * What the rest knows of a board: data (memory, target, kind) and how to open one. A folder each, listed in index.ts.
 */
/** What a cycle count means. Never mixed in a ranking. */
export type Kind = 'silicon' | 'model' | 'instructions' | 'host';

/** What code is compiled for. */
export interface Target {
  /** e.g. 'armv7e-m', 'x86_64'. */
  readonly isa: string;
  /** What templates and instructions may use: 'dsp', 'fpu'; 'places' where flash and RAM differ in speed. */
  readonly features: readonly string[];
  /** Compiler, found in PATH: 'arm-none-eabi-gcc', 'gcc'. */
  readonly compiler: string;
  /** Flags that select the CPU, e.g. ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16']. */
  readonly flags: readonly string[];
}
export interface MemoryRegion {
  readonly name: string;
  readonly base: number;
  readonly bytes: number;
  readonly role: 'flash' | 'ram';
}
export interface Board {
  readonly id: string;
  readonly title: string;
  readonly kind: Kind;
  readonly cpu: string;
  readonly clockHz: number;
  readonly target: Target;
  readonly memory: readonly MemoryRegion[];
  /** Flash and RAM a network may use, bytes. */
  readonly flashBytes: number;
  readonly ramBytes: number;
  /** Of the load region, where a candidate's code and constants go. */
  readonly loadBytes: number;
  /** Of the regions ram_code and ram_data in a trial, both part of `ramBytes`; undefined where the board has none. */
  readonly placed?: { readonly codeBytes: number; readonly dataBytes: number };
  /** Bytes of a way of the largest set-associative cache: constants are aligned to it, so that equal trials meet equal sets. */
  readonly wayBytes?: number;
  /** True when the same binary always gives the same count, so that one measured repeat suffices. */
  readonly deterministic: boolean;
}
