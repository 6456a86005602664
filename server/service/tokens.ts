/**
 * Making and recognising tokens. Must stay true: a token is 32 random bytes, told once; how long recognising takes says nothing
 * about how near a wrong one came.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Scope, TokenHash } from '../../db/tokens.ts';
import { scopes } from '../../db/tokens.ts';

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

export const allows = (has: Scope, needed: Scope): boolean => scopes.indexOf(has) >= scopes.indexOf(needed);

/** The token of an Authorization header; undefined where it holds none. */
export const bearerOf = (header: string): string | undefined => /^Bearer ([\x21-\x7e]{1,200})$/i.exec(header)?.[1];
