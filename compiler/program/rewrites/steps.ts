/**
 * The steps of a schedule, as data. A step names only free choices: loops and buffers by name, factors, types. What the nest
 * determines is inferred when it is replayed. Steps are stored as they are; a change of meaning needs a new primitive.
 */
import type { Layout } from '../layouts.ts';
import type { DType, Place } from '../program.ts';
import type { TensorLayout } from '../tensor-layout.ts';

export type Step =
  | {
      readonly primitive: 'split';
      readonly loop: string;
      readonly factor: number;
      readonly into: readonly [string, string];
      readonly tail: 'exact' | 'overlap' | 'peel';
    }
  | { readonly primitive: 'reorder'; readonly loops: readonly string[] }
  | { readonly primitive: 'fuse'; readonly loops: readonly [string, string]; readonly into: string }
  | { readonly primitive: 'fission'; readonly loops: readonly string[] }
  | { readonly primitive: 'unroll'; readonly loop: string }
  | { readonly primitive: 'peel'; readonly loop: string; readonly first: number; readonly last: number }
  | { readonly primitive: 'expand'; readonly buf: string; readonly loops: readonly string[] }
  | {
      readonly primitive: 'stage';
      readonly buf: string;
      readonly at: string;
      readonly as: string;
      readonly loops: readonly string[];
      readonly dtype: DType;
      readonly space?: 'scratch' | 'register';
      readonly layout?: Layout;
      readonly border?: 'apart' | 'inline';
      /** Dimensions of the copy, as numbers of dimensions of `buf`: [0, 2, 1] keeps rows of channel planes. */
      readonly order?: readonly number[];
      /** Dimensions that are copied whole; reads that leave them stay reads outside. */
      readonly whole?: readonly number[];
      /** The copy's innermost extent, at least the window's; what lies beyond is read outside. */
      readonly pitch?: number;
      /** 'read': only what a stride reaches: `buf[2*i]` becomes `as[i]`. */
      readonly take?: 'window' | 'read';
      /** The dimension of `buf` that `pitch` is for, if it is not the copy's innermost. */
      readonly pitchOf?: number;
    }
  | {
      readonly primitive: 'layOut';
      readonly buf: string;
      readonly as: TensorLayout['kind'];
      /** Of planes: columns of border before a row, and what the border holds. */
      readonly left?: number;
      readonly outside?: number;
    }
  | { readonly primitive: 'computeAt'; readonly producer: string; readonly buf: string; readonly at: string }
  | {
      readonly primitive: 'pad';
      readonly buf: string;
      readonly as: string;
      readonly loops: readonly string[];
      readonly dtype: DType;
      readonly layout?: Layout;
    }
  | { readonly primitive: 'foldOffset'; readonly acc: string; readonly as: string }
  | {
      readonly primitive: 'requantizeAffine';
      readonly acc: string;
      readonly mul: string;
      readonly add: string;
      readonly fix?: string;
    }
  | { readonly primitive: 'requantizeTop'; readonly acc: string; readonly mul: string; readonly add: string }
  | {
      readonly primitive: 'requantizeParts';
      readonly acc: string;
      readonly table: string;
      readonly start?: string;
      readonly parts: number;
      readonly form: 'plain' | 'signed';
    }
  | {
      readonly primitive: 'winogradWords';
      readonly loop: string;
      readonly acc: string;
      readonly tile: number;
      readonly down: number;
      readonly across: number;
    }
  | {
      readonly primitive: 'rebase';
      readonly buf: string;
      readonly offset: number;
      readonly dtype: DType;
    }
  | {
      readonly primitive: 'winograd';
      readonly acc: string;
      /** Outputs along the edge of a tile: 4 or 2. */
      readonly tile: number;
      /** Tiles of a region. */
      readonly down: number;
      readonly across: number;
      readonly form: 'affine' | 'signed' | 'general';
    }
  | { readonly primitive: 'requantizeHalf'; readonly acc: string }
  | { readonly primitive: 'linearSum'; readonly form?: 'word' | 'half' }
  | { readonly primitive: 'scaleProduct' }
  | { readonly primitive: 'tabulate'; readonly table: string }
  | { readonly primitive: 'widenConst'; readonly buf: string; readonly dtype: DType }
  | { readonly primitive: 'pack'; readonly buf: string; readonly layout: Layout }
  | {
      readonly primitive: 'replace';
      readonly loop: string;
      readonly instr: string;
      readonly params?: Readonly<Record<string, number>>;
      readonly operands: Readonly<Record<string, string>>;
    }
  | { readonly primitive: 'place'; readonly what: string; readonly where: Place }
  | { readonly primitive: 'flags'; readonly flags: readonly string[] };

export type StepOf<P extends Step['primitive']> = Step & { readonly primitive: P };
