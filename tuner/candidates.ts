/**
 * From a config to a candidate that is worth compiling: its schedule replayed on the task's constants, what cannot fit
 * rejected early. All policies share this layer, so that comparing them compares search alone.
 */
import { schedule } from '../compiler/lower.ts';
import type { Memo, Program } from '../compiler/program/index.ts';
import { type KernelC, printC } from '../compiler/program/print-c.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Schedule } from '../kernels/template.ts';
import { featuresOf } from './cost-models/features.ts';
import type { SearchSpace } from './space.ts';
import type { Config } from './types.ts';

export interface Candidate {
  readonly config: Config;
  readonly schedule: Schedule;
  readonly program: Program;
  readonly kernel: KernelC;
  readonly features: Float64Array;
}
export type Proposed =
  | { readonly ok: true; readonly candidate: Candidate }
  | { readonly ok: false; readonly schedule: Schedule | undefined; readonly code: string; readonly detail: string };

export interface Limits {
  /** Bytes for a candidate's constants in the load region. */
  readonly constBytes: number;
  readonly scratchBytes: number;
}

/** Symbol of every candidate: equal programs must give equal text. */
export const candidateSymbol = 'mt_candidate';

export function candidateMaker(task: Task, space: SearchSpace, limits: Limits): (config: Config) => Proposed {
  const memo: Memo = new Map();
  const [occurrence] = task.occurrences;
  if (occurrence === undefined) throw new Error(`task ${task.id} has no occurrence`);
  return (config) => {
    const chosen = space.scheduleOf(config);
    const done = schedule(task.workload, occurrence.constants, chosen, memo);
    if (!done.ok)
      return {
        ok: false,
        schedule: chosen,
        code: 'SCHEDULE_ILLEGAL',
        detail: `step ${done.step}: ${done.reason.slice(0, 400)}`,
      };
    const kernel = printC(done.program, candidateSymbol);
    const constants = kernel.constants.reduce((n, c) => n + c.bytes.length, 0);
    if (kernel.scratchBytes > limits.scratchBytes)
      return {
        ok: false,
        schedule: chosen,
        code: 'SCRATCH_TOO_LARGE',
        detail: `${kernel.scratchBytes} bytes of scratch, the device has ${limits.scratchBytes}`,
      };
    if (constants > limits.constBytes)
      return {
        ok: false,
        schedule: chosen,
        code: 'CONSTANTS_TOO_LARGE',
        detail: `${constants} bytes of constants, the device has ${limits.constBytes}`,
      };
    return {
      ok: true,
      candidate: {
        config,
        schedule: chosen,
        program: done.program,
        kernel,
        features: featuresOf(done.program, kernel),
      },
    };
  };
}
