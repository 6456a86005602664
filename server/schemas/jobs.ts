/** Jobs over HTTP: what is asked for, what is shown, what events carry. */
import { type Static, Type } from 'typebox';
import { Nullable } from './nullable.ts';

/** A number of bytes that stays what it is in JavaScript and in the database. */
const Bytes = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

const PriorityBody = Type.Union([Type.Literal('low'), Type.Literal('normal'), Type.Literal('high')]);

export const JobRequest = Type.Object(
  {
    model: Type.String({ maxLength: 200, description: 'id of an uploaded model' }),
    board: Type.Optional(Type.String({ maxLength: 100 })),
    boards: Type.Optional(
      Type.Array(Type.String({ maxLength: 100 }), {
        minItems: 1,
        maxItems: 64,
        description: 'instead of board: a job for each, with one group',
      }),
    ),
    trials: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
    time: Type.Optional(
      Type.Union([Type.String({ maxLength: 40, description: '90s, 30m, 8h' }), Type.Number({ exclusiveMinimum: 0 })], {
        description: 'wall time; a number means seconds',
      }),
    ),
    until: Type.Optional(
      Type.Object(
        {
          percent: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
          trials: Type.Integer({ minimum: 1, maximum: 10_000_000 }),
        },
        { additionalProperties: false, description: 'ends when no task became better by percent in so many trials' },
      ),
    ),
    tasks: Type.Optional(
      Type.Array(Type.String({ maxLength: 200 }), {
        minItems: 1,
        maxItems: 10_000,
        description: 'ids of the tasks to tune; all others take what is known',
      }),
    ),
    priority: Type.Optional(PriorityBody),
    window: Type.Optional(
      Type.String({ maxLength: 100, description: 'when it may run, like "20:00-07:00 Europe/Berlin"' }),
    ),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'what to call it' })),
    webhooks: Type.Optional(
      Type.Array(Type.String({ maxLength: 2000 }), { maxItems: 8, description: 'URLs that are told of its end' }),
    ),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 4294967295 })),
    policy: Type.Optional(Type.String({ maxLength: 100 })),
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
/** What is to be different in a copy of a job. */
export const JobChange = Type.Partial(JobRequest, { additionalProperties: false });
export type JobChange = Static<typeof JobChange>;

/** What can be changed of a job that has not ended. */
export const JobPatch = Type.Object({ priority: PriorityBody }, { additionalProperties: false });
export type JobPatch = Static<typeof JobPatch>;

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
export const WaitingBody = Type.Object({
  code: Type.Union([
    Type.Literal('WINDOW'),
    Type.Literal('TURN'),
    Type.Literal('NO_DEVICE'),
    Type.Literal('SAME_TASKS'),
    Type.Literal('DISK_FULL'),
    Type.Literal('DB_BUSY'),
    Type.Literal('DATA_DIR_READONLY'),
    Type.Literal('TOO_MANY_PROCESSES'),
    Type.Literal('CACHE_LOST'),
  ]),
  detail: Type.String(),
  until: Nullable(Type.String({ description: 'ISO 8601, UTC; null where nobody knows' })),
});
/** Why a job that has not ended does not move now. */
export type WaitingBody = Static<typeof WaitingBody>;
export const JobBody = Type.Object({
  id: Type.String(),
  state: JobStateBody,
  name: Nullable(Type.String()),
  group: Nullable(Type.String({ description: 'shared by the jobs of one request' })),
  model: Type.String(),
  modelName: Type.String(),
  board: Type.String(),
  kind: Type.String(),
  policy: Type.String(),
  seed: Type.Integer(),
  priority: PriorityBody,
  window: Nullable(Type.String()),
  until: Nullable(Type.Object({ percent: Type.Number(), trials: Type.Integer() })),
  only: Nullable(Type.Array(Type.String(), { description: 'ids of the tasks that it tunes; null: all' })),
  clonedFrom: Nullable(Type.String()),
  webhooks: Type.Array(Type.String()),
  waiting: Nullable(WaitingBody),
  trials: Type.Object({ done: Type.Integer(), failed: Type.Integer(), budget: Type.Integer() }),
  timeMs: Nullable(Type.Number()),
  /** What the network may take; null: what the board has. */
  budgets: Type.Object({ ramBytes: Nullable(Type.Integer()), flashBytes: Nullable(Type.Integer()) }),
  /** Time in which it moved so far, and an estimate of when it ends: of time as it passes, closed hours of its window too. */
  spentMs: Type.Number(),
  leftMs: Nullable(Type.Number()),
  tasks: Type.Array(TaskBody),
  cycles: Type.Object(
    { default: Nullable(Type.Number()), best: Nullable(Type.Number()) },
    {
      description:
        "with default schedules and with the best: sums over the network's layers, null until every task was measured once; of a job that is done what its network takes as a whole",
    },
  ),
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
export const JobList = Type.Object({ items: Type.Array(JobSummary), next: Nullable(Type.String()) });
export type JobList = Static<typeof JobList>;
/** What one request for several boards made. */
export const JobGroup = Type.Object({ items: Type.Array(JobBody), group: Type.String() });
export type JobGroup = Static<typeof JobGroup>;

/**
 * Data of a 'progress' event; 'state' and 'priority' events carry the changed columns of the job, 'log' events `{phase, message}`, 'waiting'
 * events `{waiting}` as in a job's body.
 */
export const ProgressBody = Type.Object({
  kind: Type.String({ description: 'of all counts in it' }),
  trials: JobBody.properties.trials,
  spentMs: Type.Number(),
  leftMs: Nullable(Type.Number()),
  /** Always sums. */
  cycles: JobBody.properties.cycles,
  tasks: Type.Array(TaskBody),
});
export type ProgressBody = Static<typeof ProgressBody>;
