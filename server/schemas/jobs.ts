/** Jobs over HTTP: what is asked for, what is shown, what events carry. */
import { type Static, Type } from 'typebox';
import { Nullable } from './nullable.ts';

/** A number of bytes that stays what it is in JavaScript and in the database. */
const Bytes = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

export const JobRequest = Type.Object(
  {
    model: Type.String({ description: 'id of an uploaded model' }),
    board: Type.String(),
    trials: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
    time: Type.Optional(
      Type.Union([Type.String({ description: '90s, 30m, 8h' }), Type.Number({ exclusiveMinimum: 0 })], {
        description: 'wall time; a number means seconds',
      }),
    ),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 4294967295 })),
    policy: Type.Optional(Type.String()),
    budgets: Type.Optional(
      Type.Object(
        {
          ramBytes: Type.Optional(Bytes),
          flashBytes: Type.Optional(Bytes),
        },
        { additionalProperties: false, description: "what the network may take; else the board's memory" },
      ),
    ),
  },
  { additionalProperties: false },
);
export type JobRequest = Static<typeof JobRequest>;

export const JobStateBody = Type.Union([
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('paused'),
  Type.Literal('done'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
]);
export const TaskBody = Type.Object({
  id: Type.String(),
  op: Type.String(),
  shape: Type.String({ description: 'operands in words, e.g. 1x25x5x64 -> 1x25x5x64' }),
  occurrences: Type.Integer(),
  trials: Type.Integer(),
  failed: Type.Integer(),
  default: Nullable(Type.Number()),
  best: Nullable(Type.Number()),
  exhausted: Type.Boolean(),
  schedule: Nullable(Type.String({ description: 'the best schedule in words' })),
});
export type TaskBody = Static<typeof TaskBody>;
export const JobBody = Type.Object({
  id: Type.String(),
  state: JobStateBody,
  model: Type.String(),
  modelName: Type.String(),
  board: Type.String(),
  kind: Type.String(),
  policy: Type.String(),
  seed: Type.Integer(),
  trials: Type.Object({ done: Type.Integer(), failed: Type.Integer(), budget: Type.Integer() }),
  timeMs: Nullable(Type.Number()),
  /** What the network may take; null: what the board has. */
  budgets: Type.Object({ ramBytes: Nullable(Type.Integer()), flashBytes: Nullable(Type.Integer()) }),
  /** Tuning time so far, and an estimate of what is left. */
  spentMs: Type.Number(),
  leftMs: Nullable(Type.Number()),
  tasks: Type.Array(TaskBody),
  /** Sums over the network's layers; null until every task was measured once. */
  cycles: Type.Object({ default: Nullable(Type.Number()), best: Nullable(Type.Number()) }),
  createdAt: Type.String(),
  startedAt: Nullable(Type.String()),
  endedAt: Nullable(Type.String()),
  error: Nullable(Type.Object({ stage: Type.String(), code: Type.String(), detail: Type.String() })),
  /** report.json of the artifact, when the job is done. */
  report: Nullable(Type.Record(Type.String(), Type.Unknown())),
});
export type JobBody = Static<typeof JobBody>;

/** A row of the list of jobs: what can be said without the model. */
export const JobSummary = Type.Omit(JobBody, ['tasks', 'report']);
export type JobSummary = Static<typeof JobSummary>;
export const JobList = Type.Object({ items: Type.Array(JobSummary) });
export type JobList = Static<typeof JobList>;

/** Data of a 'progress' event; 'state' events carry the changed columns of the job, 'log' events `{phase, message}`. */
export const ProgressBody = Type.Object({
  kind: Type.String({ description: 'of all counts in it' }),
  trials: JobBody.properties.trials,
  spentMs: Type.Number(),
  leftMs: Nullable(Type.Number()),
  cycles: JobBody.properties.cycles,
  tasks: Type.Array(TaskBody),
});
export type ProgressBody = Static<typeof ProgressBody>;
