/** How the daemon is, over HTTP. */
import { type Static, Type } from 'typebox';

export const HealthBody = Type.Object({
  status: Type.Literal('ok'),
  version: Type.String(),
  jobs: Type.Array(Type.String(), { description: 'the jobs under way' }),
  queued: Type.Integer(),
});
export type HealthBody = Static<typeof HealthBody>;

export const ReadyBody = Type.Object({
  ready: Type.Boolean(),
  reasons: Type.Array(Type.Object({ stage: Type.String(), code: Type.String(), detail: Type.String() })),
});
export type ReadyBody = Static<typeof ReadyBody>;
