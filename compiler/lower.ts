/**
 * From a graph and a choice of schedules to kernels: which node runs which bound, scheduled program. Shared by the emitter
 * and by everything that measures, so that what is measured is what ships.
 */
import { operatorOf } from './ops/index.ts';
import { bind, type Memo, type Program, replay, type Step } from './program/index.ts';
import type { Constants, Workload } from './workload.ts';

export interface ScheduleLike {
  readonly algorithm: string;
  readonly steps: readonly Step[];
}
export type Scheduled =
  | { readonly ok: true; readonly program: Program; readonly claims: readonly string[] }
  | { readonly ok: false; readonly step: number; readonly reason: string };

/** A workload's program under a schedule, with the constants of one occurrence. */
export function schedule(workload: Workload, constants: Constants, s: ScheduleLike, memo?: Memo): Scheduled {
  const naive = operatorOf(workload.op).programs(workload)[s.algorithm];
  if (naive === undefined) return { ok: false, step: -1, reason: `${workload.op} has no algorithm ${s.algorithm}` };
  return replay(bind(naive, constants), s.steps, memo);
}
