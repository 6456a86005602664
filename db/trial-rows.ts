/** Rows of trials and the records that they are. Must stay true: a record that became a row and is read again is the same, key for key. */
import type { Kind } from '../boards/board.ts';
import type { Schedule } from '../kernels/template.ts';
import type { Config, Sizes, Stage, StageTimes, TrialBytes } from '../tuner/types.ts';
import { parsed, parsedOrNull, textOrNull } from './json.ts';
import type { TuningRecord } from './types.ts';

/** A row of `trials` with its task and environment. JSON columns are text here. */
export interface Row {
  readonly seq: number;
  readonly id: string;
  readonly at: string;
  readonly job: string | null;
  readonly task: string;
  readonly workload: string;
  readonly board: string;
  readonly kind: Kind;
  readonly toolchain: string;
  readonly flags: string;
  readonly firmware: string | null;
  readonly device: string | null;
  readonly policy: string;
  readonly template: string;
  readonly config: string;
  readonly schedule: string;
  readonly status: 'ok' | 'failed';
  readonly stage: Stage | null;
  readonly code: string | null;
  readonly detail: string | null;
  readonly cycles: number | null;
  readonly repeats: string | null;
  readonly sizes: string | null;
  readonly binary: string | null;
  readonly reused_from: string | null;
  readonly times: string;
  readonly bytes: string | null;
  readonly doubt: string | null;
}

/** The order of keys here is the order in JSON Lines and of the columns in CSV. */
export const recordOf = (r: Row): TuningRecord => ({
  id: r.id,
  at: r.at,
  job: r.job,
  task: r.task,
  workload: r.workload,
  board: r.board,
  kind: r.kind,
  device: r.device,
  toolchain: r.toolchain,
  flags: r.flags,
  firmware: r.firmware,
  policy: r.policy,
  template: r.template,
  config: parsed<Config>(r.config),
  schedule: parsed<Schedule>(r.schedule),
  status: r.status,
  stage: r.stage,
  code: r.code,
  detail: r.detail,
  cycles: r.cycles,
  repeats: parsedOrNull<readonly number[]>(r.repeats),
  sizes: parsedOrNull<Sizes>(r.sizes),
  binary: r.binary,
  reusedFrom: r.reused_from,
  times: parsed<StageTimes>(r.times),
  bytes: parsedOrNull<TrialBytes>(r.bytes),
  doubt: r.doubt,
});

const inside = (object: object): string => JSON.stringify(object).slice(1, -1);
/** The record as JSON, key for key as `recordOf` would have it: what is JSON in the row is not read for that. */
export const textOf = (r: Row): string => {
  const { id, at, job, task, workload, board, kind, device, toolchain, flags, firmware, policy, template } = r;
  const { status, stage, code, detail, cycles, binary, reused_from: reusedFrom, doubt } = r;
  const what = { id, at, job, task, workload, board, kind, device, toolchain, flags, firmware, policy, template };
  return [
    `{${inside(what)},"config":${r.config},"schedule":${r.schedule}`,
    `${inside({ status, stage, code, detail, cycles })},"repeats":${r.repeats},"sizes":${r.sizes}`,
    `${inside({ binary, reusedFrom })},"times":${r.times},"bytes":${r.bytes},${inside({ doubt })}}`,
  ].join(',');
};

/** What a row of `trials` holds, column by column: to bind them by name takes as long as to write them. */
export const rowOf = (seq: number, environment: number, r: TuningRecord): readonly (string | number | null)[] => [
  seq,
  r.id,
  r.at,
  r.job,
  r.task,
  r.board,
  r.kind,
  environment,
  r.device,
  r.policy,
  r.template,
  JSON.stringify(r.config),
  JSON.stringify(r.schedule),
  r.status,
  r.stage,
  r.code,
  r.detail,
  r.cycles,
  textOrNull(r.repeats),
  textOrNull(r.sizes),
  r.binary,
  r.reusedFrom,
  JSON.stringify(r.times),
  textOrNull(r.bytes),
];
