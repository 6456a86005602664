/**
 * Making and recognising tokens. Must stay true: a token is 32 random bytes, told once; how long recognising takes says nothing
 * about how near a wrong one came.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Scope, TokenHash, TokenRow } from '../../db/tokens.ts';
import type { Store } from '../../db/types.ts';

/** Makes it known as one of ours, to people and to programs that look for secrets in places where they should not be. */
const prefix = 'mt_';

export const newToken = (): string => `${prefix}${randomBytes(32).toString('base64url')}`;
/** As it is kept. */
export const tokenHash = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest());

/** The token with this text. Every one is compared, whichever fits. */
export function recognised(tokens: readonly TokenHash[], text: string): TokenHash | undefined {
  const hash = tokenHash(text);
  let found: TokenHash | undefined;
  for (const token of tokens) if (timingSafeEqual(token.hash, hash)) found = token;
  return found;
}

/** Whoever offers devices need not see anything of the farm. */
const allowed: Readonly<Record<Scope, readonly Scope[]>> = {
  read: ['read'],
  tune: ['read', 'tune'],
  work: ['work'],
  admin: ['read', 'tune', 'work', 'admin'],
};
export const allows = (has: Scope, needed: Scope): boolean => allowed[has].includes(needed);

/** The token of an Authorization header; undefined where it holds none. */
export const bearerOf = (header: string): string | undefined => /^Bearer ([\x21-\x7e]{1,200})$/i.exec(header)?.[1];

/** A new token, with its text. Failure: TOKEN_EXISTS. */
export function addToken(store: Store, name: string, scope: Scope): Result<TokenRow & { readonly token: string }> {
  const token = newToken();
  const row = store.tokens.add({ name, scope, hash: tokenHash(token) });
  return row === undefined
    ? failed('request', 'TOKEN_EXISTS', `a token was called "${name}" before`)
    : ok({ ...row, token });
}

/** Failure: TOKEN_NOT_FOUND. */
export function revokeToken(store: Store, name: string): Result<TokenRow> {
  const row = store.tokens.revoke(name);
  return row === undefined ? failed('request', 'TOKEN_NOT_FOUND', `no token is called "${name}"`) : ok(row);
}
