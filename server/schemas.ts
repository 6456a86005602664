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
  },
  { additionalProperties: false },
);
export type JobRequest = Static<typeof JobRequest>;

export const JobStateBody = Type.Union(
  (['queued', 'running', 'paused', 'done', 'failed', 'cancelled'] as const).map((s) => Type.Literal(s)),
);
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
