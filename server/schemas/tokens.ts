/** Tokens over HTTP. */
import { type Static, Type } from 'typebox';
import { scopes } from '../../db/tokens.ts';
import { OneOf } from './filters.ts';
import { Nullable } from './nullable.ts';

const ScopeBody = OneOf(scopes);
export const TokenRequest = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$', description: 'whose, or what for' }),
    scope: ScopeBody,
  },
  { additionalProperties: false },
);
export type TokenRequest = Static<typeof TokenRequest>;
export const TokenBody = Type.Object({
  name: Type.String(),
  scope: ScopeBody,
  createdAt: Type.String(),
  revokedAt: Nullable(Type.String()),
});
export type TokenBody = Static<typeof TokenBody>;
export const NewTokenBody = Type.Object({
  ...TokenBody.properties,
  token: Type.String({ description: 'told this once; only its hash is kept' }),
});
export type NewTokenBody = Static<typeof NewTokenBody>;
export const TokenList = Type.Object({ items: Type.Array(TokenBody) });
export type TokenList = Static<typeof TokenList>;
