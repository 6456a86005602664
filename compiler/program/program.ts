/**
 * The loop IR. A Program is data: buffers and statements. Values are int32 and wrap; a dtype belongs to storage only, so
 * there are no casts (f32 storage is touched by `quantize`/`dequantize` nodes alone). Indices are logical: a layout says
 * where an element lies, never what it is, so every program reads as plain tensors. Iterator and buffer names are unique
 * in a program: a name is an address. Temporaries are declared by `alloc`, whose scope is the rest of its block.
 */
import type { Rounding } from '../workload.ts';
import type { Layout } from './layouts.ts';
import type { TensorLayout } from './tensor-layout.ts';

export type DType = 'i8' | 'u8' | 'i16' | 'i32' | 'f32';
export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '<<'
  | '>>'
  | '&'
  | '|'
  | '^'
  /** min, max; div truncates towards zero (by zero: 0). */
  | 'min'
  | 'max'
  | 'div'
  /** mulhi: bits 63..32 of the product; rdmulh: saturating rounding doubling high multiply (TFLite, gemmlowp). */
  | 'mulhi'
  | 'rdmulh';
export type Expr =
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'iter'; readonly name: string }
  /** `outside`: the value read where an index leaves the buffer (padding). Without it, indices must be in bounds. */
  | { readonly kind: 'load'; readonly buf: string; readonly index: readonly Expr[]; readonly outside?: number }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly a: Expr; readonly b: Expr }
  /** Count of leading zeros of a 32-bit word (0 -> 32). */
  | { readonly kind: 'clz'; readonly a: Expr }
  /**
   * TFLite's MultiplyByQuantizedMultiplier(acc, mult, shift) + zero, clamped to min..max. shift > 0 shifts left before the
   * multiplication, < 0 right (rounding) after it. One node until a rewrite opens it.
   */
  | {
      readonly kind: 'requantize';
      readonly acc: Expr;
      readonly mult: Expr;
      readonly shift: Expr;
      readonly zero: number;
      readonly min: number;
      readonly max: number;
      readonly rounding: Rounding;
    }
  /** int32 <- clamp(round_half_away(f32 / scale) + zero). `value` is a load from an f32 buffer. */
  | {
      readonly kind: 'quantize';
      readonly value: Expr;
      readonly scale: number;
      readonly zero: number;
      readonly min: number;
      readonly max: number;
    }
  /** f32 <- scale * (value - zero), in float32; only as the value of a store to an f32 buffer. */
  | { readonly kind: 'dequantize'; readonly value: Expr; readonly scale: number; readonly zero: number };
export type Unroll = 'none' | 'full';
export type Loop = {
  readonly kind: 'loop';
  readonly iter: string;
  readonly extent: number;
  readonly body: readonly Stmt[];
  readonly unroll?: Unroll;
};
export type Store = {
  readonly kind: 'store';
  readonly buf: string;
  readonly index: readonly Expr[];
  readonly value: Expr;
  readonly reduce?: '+' | 'max';
};
/** A temporary, alive in the statements that follow it in its block. 'register' buffers become C locals, 'scratch' lies in the scratch area. */
export type Alloc = { readonly kind: 'alloc'; readonly buffer: Buffer };
export type Window = { readonly buf: string; readonly origin: readonly Expr[] };
export type Call = {
  readonly kind: 'call';
  readonly instr: string;
  readonly params: Readonly<Record<string, number>>;
  readonly operands: Readonly<Record<string, Window>>;
};
export type Stmt = Loop | Store | Alloc | Call;
export type Space = 'in' | 'out' | 'const' | 'scratch' | 'register';
export type Buffer = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly space: Space;
  readonly layout?: Layout;
  /** Of an in or out buffer whose tensor does not lie as bytes in order. */
  readonly tensor?: TensorLayout;
  /** Of a bound const buffer: its values by logical flat index. */
  readonly values?: Int32Array;
};
export type Place = 'ram' | 'flash';
export type Program = {
  readonly name: string;
  /** in, out, const buffers; temporaries are in the body. */
  readonly buffers: readonly Buffer[];
  /** 'code' or  a constant's name -> where it lies; absent: flash. */
  readonly placement: Readonly<Record<string, Place>>;
  /** Extra compiler flags of this kernel, e.g. '-O3'. Set by the `flags` step. */
  readonly flags: readonly string[];
  readonly body: readonly Stmt[];
};
