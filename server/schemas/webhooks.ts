/** Webhooks over HTTP: what was told to whom, and what is still to be told. */
import { type Static, Type } from 'typebox';
import { Nullable } from './nullable.ts';

export const DeliveryStateBody = Type.Union([Type.Literal('pending'), Type.Literal('delivered'), Type.Literal('dead')]);
export const DeliveryBody = Type.Object({
  id: Type.String({ description: 'as in the header microtune-delivery' }),
  job: Type.String(),
  event: Type.String({ description: 'job.done, job.failed, job.cancelled or job.waiting' }),
  reason: Nullable(Type.String({ description: 'of job.waiting: the code' })),
  to: Type.String({ description: 'the receiver; the rest of its address may be a secret' }),
  at: Type.String({ description: 'when it happened' }),
  state: DeliveryStateBody,
  attempts: Type.Integer(),
  nextAt: Nullable(Type.String({ description: 'when it is tried next' })),
  endedAt: Nullable(Type.String()),
  status: Nullable(Type.Integer({ description: 'what the receiver answered last' })),
  error: Nullable(Type.String({ description: 'why the last attempt failed' })),
});
export type DeliveryBody = Static<typeof DeliveryBody>;
export const DeliveryPage = Type.Object({
  items: Type.Array(DeliveryBody),
  next: Nullable(Type.String({ description: 'cursor of the next page' })),
});
export type DeliveryPage = Static<typeof DeliveryPage>;
