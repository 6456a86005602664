/** What an error looks like over HTTP: problem details (RFC 9457), with the code and the stage beside. */
import { type Static, Type } from 'typebox';

export const ErrorBody = Type.Object({
  type: Type.String({ description: 'where the code is explained: /errors#CODE' }),
  title: Type.String({ description: 'what the code means' }),
  status: Type.Integer(),
  detail: Type.String({ description: 'what happened this time' }),
  code: Type.String({ description: 'a code of docs/errors.md' }),
  stage: Type.String(),
});
export type ErrorBody = Static<typeof ErrorBody>;
/** Media type of an ErrorBody. */
export const problemType = 'application/problem+json';
