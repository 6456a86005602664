/** How the daemon is, over HTTP. */
import { type Static, Type } from 'typebox';
import { Nullable } from './nullable.ts';

export const HealthBody = Type.Object({
  status: Type.Literal('ok'),
  version: Type.String(),
  job: Nullable(Type.String({ description: 'the job under way' })),
  queued: Type.Integer(),
});
export type HealthBody = Static<typeof HealthBody>;
