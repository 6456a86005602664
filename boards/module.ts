/** A board with its code: what boards/index.ts lists. */
import type { Result } from '../compiler/result.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import type { Board, FlashTool } from './board.ts';

export interface BuildRequest {
  /** Where the ELF and its .bin go. */
  readonly dir: string;
  readonly name: string;
  /** Objects of a network to link in; none for the plain server. */
  readonly objects: readonly string[];
}
export interface BuiltFirmware {
  readonly elf: string;
  readonly bin: string;
  /** 16 hexadecimal digits; the device answers them in HELLO. */
  readonly buildId: string;
  readonly sizes: { readonly text: number; readonly data: number; readonly bss: number };
}
export interface OpenRequest {
  readonly firmware: BuiltFirmware;
  readonly bulk: 'shared' | 'uart';
  /** A folder into which a twin tallies what each instruction of a trial costs; `profile()` reads it. Twins alone do. */
  readonly profileDir?: string;
}
/** Why cycles pass on a twin, in the order of the plugin's mailbox (common/timing/mailbox.h). */
export const causes = ['issue', 'pipeline', 'branch', 'fetch', 'data'] as const;
export type Cause = (typeof causes)[number];
export const mapCauses = <T>(value: (cause: Cause) => T): Readonly<Record<Cause, T>> =>
  Object.fromEntries(causes.map((c) => [c, value(c)])) as Record<Cause, T>;
/** What a twin has counted since it started: differences say what a call did. */
export interface TwinCounters {
  readonly cycles: number;
  readonly instructions: number;
  readonly causes: Readonly<Record<Cause, number>>;
  /** Instructions that the model did not know and took for one cycle. */
  readonly unknown: number;
  /** Accesses outside all memory that the model knows, taken as without waiting. */
  readonly unmapped: number;
}
/** Of one instruction, by its address: how often it was executed, and the cycles that it took, by cause. */
export interface Tally {
  readonly executed: number;
  readonly causes: Readonly<Record<Cause, number>>;
}
/** The real product of a board, for those that have one. */
export interface Product {
  /** What the rest knows of it, as of any board; of kind silicon. */
  readonly board: Board;
  /** A flashable image: an ELF file, its .bin, and where the boot loader takes one a .uf2 beside it. */
  build(request: BuildRequest): Promise<Result<BuiltFirmware>>;
  /** What can flash it, best first. */
  readonly tools: readonly FlashTool[];
}
export interface BoardModule extends Board {
  /** Builds the server, with a network where objects are given. */
  build(request: BuildRequest): Promise<Result<BuiltFirmware>>;
  /** Starts an emulated one; undefined where the board exists only as hardware. */
  open?(request: OpenRequest): Promise<Result<Device>>;
  /** Of a device that `open` gave; undefined where the board is no twin. */
  counters?(device: Device): Promise<TwinCounters>;
  /** The tallies of some addresses so far, of a twin that was opened with this folder; undefined where the board is no twin. */
  profile?(dir: string, addresses: readonly number[]): ReadonlyMap<number, Tally>;
  /** Undefined where there is no real one, or no port to it. */
  readonly product?: Product;
}
