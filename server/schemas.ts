/** What goes over HTTP, as TypeBox schemas: routes check with them, OpenAPI shows them, the command line is typed by them. */
import { type Static, type TSchema, Type } from 'typebox';

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const ErrorBody = Type.Object({
  error: Type.Object({
    code: Type.String({ description: 'a code of docs/errors.md' }),
    detail: Type.String(),
    stage: Type.Optional(Type.String()),
  }),
});
export type ErrorBody = Static<typeof ErrorBody>;

const TensorBody = Type.Object({ name: Type.String(), dtype: Type.String(), shape: Type.Array(Type.Integer()) });
export const ModelBody = Type.Object({
  id: Type.String(),
  name: Type.String(),
  bytes: Type.Integer(),
  at: Type.String(),
  inputs: Type.Array(TensorBody),
  outputs: Type.Array(TensorBody),
  macs: Type.Integer(),
  weightBytes: Type.Integer(),
  operators: Type.Record(Type.String(), Type.Integer()),
  tasks: Type.Array(
    Type.Object({
      id: Type.String(),
      op: Type.String(),
      inputs: Type.Array(Type.Array(Type.Integer())),
      outputs: Type.Array(Type.Array(Type.Integer())),
      macs: Type.Integer(),
      occurrences: Type.Integer(),
    }),
  ),
});
export type ModelBody = Static<typeof ModelBody>;

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

const NullableObject = Nullable(Type.Record(Type.String(), Type.Unknown()));
/** A trial, failures included. */
export const RecordBody = Type.Object({
  id: Type.String(),
  job: Nullable(Type.String()),
  task: Type.String(),
  workload: Type.String({ description: 'canonical key of the task' }),
  board: Type.String(),
  kind: Type.String(),
  toolchain: Type.String(),
  flags: Type.String(),
  firmware: Nullable(Type.String()),
  device: Nullable(Type.String()),
  policy: Type.String(),
  template: Type.String(),
  config: Type.Unknown(),
  schedule: Type.Unknown(),
  status: Type.Union([Type.Literal('ok'), Type.Literal('failed')]),
  stage: Nullable(Type.String()),
  code: Nullable(Type.String()),
  detail: Nullable(Type.String()),
  cycles: Nullable(Type.Number()),
  repeats: Nullable(Type.Array(Type.Number())),
  sizes: NullableObject,
  binary: Nullable(Type.String()),
  reusedFrom: Nullable(Type.String()),
  times: Type.Record(Type.String(), Type.Unknown()),
  bytes: NullableObject,
  at: Type.String(),
  doubt: Nullable(Type.String({ description: 'why it does not stand: its device failed its next health check' })),
});
export type RecordBody = Static<typeof RecordBody>;
export const RecordPage = Type.Object({ items: Type.Array(RecordBody), next: Nullable(Type.String()) });
export type RecordPage = Static<typeof RecordPage>;

export const BoardBody = Type.Object({
  id: Type.String(),
  title: Type.String(),
  kind: Type.String(),
  cpu: Type.String(),
  clockHz: Type.Number(),
  isa: Type.String(),
  features: Type.Array(Type.String()),
  compiler: Type.String(),
  flags: Type.Array(Type.String()),
  flashBytes: Type.Integer(),
  ramBytes: Type.Integer(),
  deterministic: Type.Boolean(),
  emulated: Type.Boolean(),
});
export type BoardBody = Static<typeof BoardBody>;
export const BoardList = Type.Object({ items: Type.Array(BoardBody) });
export type BoardList = Static<typeof BoardList>;

const Tries = Type.Integer({ minimum: 0 });
export const DeviceBody = Type.Object({
  name: Type.String(),
  board: Type.String(),
  kind: Type.String(),
  state: Type.String({ description: 'closed, idle, busy or quarantined' }),
  uid: Nullable(Type.String({ description: 'what stands for it in records' })),
  firmware: Nullable(Type.String()),
  trials: Type.Integer(),
  failures: Type.Integer(),
  code: Nullable(Type.String({ description: 'of its last failure' })),
  reason: Nullable(Type.String({ description: 'of its last failure' })),
  warning: Nullable(Type.String({ description: 'what is not as it should be, although it works' })),
  recoveries: Type.Object(
    { retry: Tries, reset: Tries, reflash: Tries, 'power-cycle': Tries },
    { description: 'how often each was tried' },
  ),
  health: Nullable(
    Type.Object(
      { count: Type.Number(), baseline: Type.Number() },
      { description: 'of the last check that passed: what the known kernel counted, and what it counted first' },
    ),
  ),
  suspects: Type.Integer({ description: 'results that were withdrawn because the device failed its next check' }),
});
export type DeviceBody = Static<typeof DeviceBody>;
export const DeviceList = Type.Object({ items: Type.Array(DeviceBody) });
export type DeviceList = Static<typeof DeviceList>;

export const HealthBody = Type.Object({
  status: Type.Literal('ok'),
  version: Type.String(),
  job: Nullable(Type.String({ description: 'the job under way' })),
  queued: Type.Integer(),
});
export type HealthBody = Static<typeof HealthBody>;
