/**
 * The words of tuning (docs/glossary.md). A Config says how a candidate is made; a MeasureResult is what came of it: success
 * or failure with the stage where it ended, never a number that stands for a failure.
 */
import type { Kind } from '../boards/board.ts';
import type { Knobs, Schedule } from '../kernels/template.ts';

/** One point of a task's search space: knobs by name of a template version, or a literal schedule. */
export type Config =
  | { readonly template: string; readonly version: number; readonly knobs: Knobs }
  | { readonly template: 'default' | 'literal'; readonly version: number; readonly schedule: Schedule };

export type Stage = 'propose' | 'lower' | 'emit' | 'compile' | 'link' | 'load' | 'run' | 'verify' | 'record';

/** Milliseconds spent in each stage. */
export type StageTimes = Readonly<Partial<Record<Stage, number>>>;
/** What went over the wire or into memory for one trial. */
export interface TrialBytes {
  readonly code: number;
  readonly constants: number;
  readonly rest: number;
}
export interface Sizes {
  readonly codeBytes: number;
  readonly constBytes: number;
  readonly scratchBytes: number;
  readonly stackBytes: number;
  /** Block kernels by section: of `codeBytes`, what is linked once where several kernels of a network use it. Absent: none. */
  readonly functions?: Readonly<Record<string, number>>;
}

export type MeasureResult =
  | {
      readonly status: 'ok';
      readonly kind: Kind;
      readonly cycles: number;
      readonly repeats: readonly number[];
      readonly sizes: Sizes;
      readonly binary: string;
      readonly device: string;
      readonly times: StageTimes;
      readonly bytes: TrialBytes;
    }
  | {
      readonly status: 'failed';
      readonly stage: Stage;
      readonly code: string;
      readonly detail: string;
      readonly binary?: string;
      readonly device?: string;
      readonly times: StageTimes;
    };

/** Failures that say something of a device and nothing of the binary that met it. Only devices fail at loading. */
export const lostDevice = (r: MeasureResult): boolean =>
  r.status === 'failed' && (r.code === 'LINK' || r.code === 'DEVICE_UNWELL' || r.stage === 'load');
