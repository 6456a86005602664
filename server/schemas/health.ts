/** How the daemon is, over HTTP. */
import { type Static, Type } from 'typebox';

export const HealthBody = Type.Object({
  status: Type.Literal('ok'),
  version: Type.String(),
  jobs: Type.Array(Type.String(), { description: 'the jobs under way' }),
  queued: Type.Integer(),
});
export type HealthBody = Static<typeof HealthBody>;
