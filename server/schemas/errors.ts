/** What an error looks like over HTTP. */
import { type Static, Type } from 'typebox';

export const ErrorBody = Type.Object({
  error: Type.Object({
    code: Type.String({ description: 'a code of docs/errors.md' }),
    detail: Type.String(),
    stage: Type.Optional(Type.String()),
  }),
});
export type ErrorBody = Static<typeof ErrorBody>;
