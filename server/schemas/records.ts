/** Trials over HTTP. */
import { type Static, Type } from 'typebox';
import { Nullable } from './nullable.ts';

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
