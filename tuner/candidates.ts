/**
 * From a config to a candidate that is worth compiling: its schedule replayed on the task's constants, what cannot fit
 * rejected early. All policies share this layer, so that comparing them compares search alone.
 */
import type { Board } from '../boards/board.ts';
import { operatorOf } from '../compiler/ops/index.ts';
import { bind, type Memo, type Program, replay } from '../compiler/program/index.ts';
import { type KernelC, printC } from '../compiler/program/print-c.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Schedule } from '../kernels/template.ts';
import { featuresOf } from './cost-models/features.ts';
import { type StaticCycles, staticCycles } from './cost-models/static-cycles.ts';
import { constantsTooLarge } from './measure/rooms.ts';
import type { SearchSpace } from './space.ts';
import type { Config } from './types.ts';

export interface Candidate {
  readonly config: Config;
  readonly schedule: Schedule;
  readonly kernel: KernelC;
  readonly features: Float64Array;
  /** What is known of its cycles before it is compiled. */
  readonly cycles: StaticCycles;
}
export type Proposed =
  | { readonly ok: true; readonly candidate: Candidate }
  | { readonly ok: false; readonly code: string; readonly detail: string };

export interface Limits {
  readonly board: Board;
  readonly scratchBytes: number;
}

/** Symbol of every candidate: equal programs must give equal text. */
const candidateSymbol = 'mt_candidate';

/** What proposes candidates of one task; codes SCHEDULE_ILLEGAL, SCRATCH_TOO_LARGE, CONSTANTS_TOO_LARGE. */
export function candidateMaker(task: Task, space: SearchSpace, limits: Limits): (config: Config) => Proposed {
  const rewriting = rewriter(task);
  return (config) => {
    const schedule = space.scheduleOf(config);
    if (schedule === undefined)
      return refused('SCHEDULE_ILLEGAL', `template ${config.template} version ${config.version} does not apply`);
    const done = rewriting(schedule);
    if (!done.ok) return refused('SCHEDULE_ILLEGAL', `step ${done.step}: ${done.reason.slice(0, 400)}`);
    const kernel = printC(done.program, candidateSymbol);
    const tooLarge = constantsTooLarge(limits.board, kernel.constants);
    if (kernel.scratchBytes > limits.scratchBytes)
      return refused(
        'SCRATCH_TOO_LARGE',
        `${kernel.scratchBytes} bytes of scratch, the device has ${limits.scratchBytes}`,
      );
    if (tooLarge !== undefined) return refused('CONSTANTS_TOO_LARGE', tooLarge);
    const cycles = staticCycles(done.program, kernel, limits.board);
    const features = featuresOf(done.program, kernel, cycles);
    return { ok: true, candidate: { config, schedule, kernel, features, cycles } };
  };
}
/** Bounds may err by this much before something good is lost. */
const margin = 1.1;

/** Refuses (HOPELESS) what is bound to be slower than `best()`, the fastest of the task so far: no compiler ever sees it. */
export const withoutHopeless =
  (propose: (config: Config) => Proposed, best: () => number): ((config: Config) => Proposed) =>
  (config) => {
    const made = propose(config);
    return made.ok && isHopeless(made.candidate, best())
      ? refused('HOPELESS', `${made.candidate.cycles.bound} cycles at least, the best takes ${best()}`)
      : made;
  };
/** Also asked of candidates that were proposed when `best` was worse. */
export const isHopeless = ({ cycles }: Candidate, best: number): boolean => cycles.bound > margin * best;

const refused = (code: string, detail: string): Proposed => ({ ok: false, code, detail });

type Rewritten =
  | { readonly ok: true; readonly program: Program }
  | { readonly ok: false; readonly step: number; readonly reason: string };
/** Programs kept half-way through their schedules. */
const kept = 256;

/** Replays schedules of a task. They begin alike: whatever prefix was replayed lately is not replayed again. */
function rewriter(task: Task): (schedule: Schedule) => Rewritten {
  const [occurrence] = task.occurrences;
  if (occurrence === undefined) throw new Error(`task ${task.id} has no occurrence`);
  const naive = operatorOf(task.workload.op).programs(task.workload);
  const proofs: Memo = new Map();
  const programs = new Map<string, Program>();
  const keep = (key: string, program: Program): void => {
    programs.delete(key);
    programs.set(key, program);
    const [oldest] = programs.keys();
    if (programs.size > kept && oldest !== undefined) programs.delete(oldest);
  };
  return ({ algorithm, steps }) => {
    const start = naive[algorithm];
    if (start === undefined)
      return { ok: false, step: -1, reason: `${task.workload.op} has no algorithm ${algorithm}` };
    const keys = [algorithm];
    for (const s of steps) keys.push(`${keys.at(-1)}\n${JSON.stringify(s)}`);
    let at = keys.findLastIndex((k) => programs.has(k));
    let program = programs.get(keys[at] ?? '') ?? bind(start, occurrence.constants);
    for (at = Math.max(0, at); ; at++) {
      keep(keys[at] ?? '', program);
      const step = steps[at];
      if (step === undefined) return { ok: true, program };
      const done = replay(program, [step], proofs);
      if (!done.ok) return { ...done, step: at };
      program = done.program;
    }
  };
}
