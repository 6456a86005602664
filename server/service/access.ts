/**
 * Who may do what. Must stay true: every route of the interface has a scope, by its own word or by its method and path; what
 * has none is public and holds nothing of anybody's.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Failure } from '../../compiler/result.ts';
import type { Scope, TokenHash } from '../../db/tokens.ts';
import { ApiError } from '../api.ts';
import { allows, bearerOf, recognised } from './tokens.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must allow for this route; without it `scopeOf` decides. */
    scope?: Scope;
  }
  interface FastifyRequest {
    /** Whose token came with the request; undefined: none did. */
    caller: TokenHash | 'unknown' | undefined;
  }
}

/** Paths below which changing something is not for everybody who tunes. */
const admins = ['/v1/devices', '/v1/tokens', '/v1/backup', '/v1/records/import'];
const guarded = /^\/(v1|metrics)(\/|$)/;
const below = (url: string, path: string): boolean => url === path || url.startsWith(`${path}/`);

/** The scope of a route that does not name one; undefined: public (documentation, the page's own files, health). */
export function scopeOf(method: string, url: string): Scope | undefined {
  if (!guarded.test(url)) return undefined;
  if (below(url, '/v1/tokens')) return 'admin';
  const reads = method === 'GET' || method === 'HEAD';
  if (below(url, '/v1/workers') && !(reads && url === '/v1/workers')) return 'work';
  if (reads) return 'read';
  return admins.some((path) => below(url, path)) ? 'admin' : 'tune';
}

export interface AccessOptions {
  readonly tokens: 'optional' | 'required';
  /** Those that are valid now. */
  readonly valid: () => readonly TokenHash[];
}

/** Hooks that say who asks (`request.caller`) and, behind the rate limit, whether they may. */
export function guardAccess(app: FastifyInstance, o: AccessOptions): void {
  app.decorateRequest('caller', undefined);
  app.addHook('onRoute', (route: RouteOptions) => {
    const method = Array.isArray(route.method) ? (route.method[0] ?? 'GET') : route.method;
    const scope = route.config?.scope ?? scopeOf(method, route.url);
    if (scope !== undefined) route.config = { ...route.config, scope };
  });
  app.addHook('onRequest', async (request) => {
    const { authorization } = request.headers;
    if (authorization === undefined) return;
    const text = bearerOf(authorization);
    request.caller = (text === undefined ? undefined : recognised(o.valid(), text)) ?? 'unknown';
  });
  app.addHook('preParsing', async (request, reply) => {
    const refused = refusal(request, o.tokens);
    if (refused === undefined) return;
    if (refused.code === 'UNAUTHORIZED') challenge(reply);
    throw new ApiError(refused);
  });
}

/** Why a request may not be carried out. */
function refusal({ caller, routeOptions }: FastifyRequest, tokens: AccessOptions['tokens']): Failure | undefined {
  const needed = routeOptions.config.scope;
  if (needed === undefined) return undefined;
  if (caller === 'unknown') return unauthorized('this token is not known, or is revoked');
  if (caller === undefined)
    return tokens === 'required' ? unauthorized('a token is needed: authorization: Bearer TOKEN') : undefined;
  if (allows(caller.scope, needed)) return undefined;
  const detail = `this needs a token with scope ${needed}, "${caller.name}" has ${caller.scope}`;
  return { stage: 'request', code: 'SCOPE_TOO_SMALL', detail };
}
const unauthorized = (detail: string): Failure => ({ stage: 'request', code: 'UNAUTHORIZED', detail });
const challenge = (reply: FastifyReply): void => void reply.header('www-authenticate', 'Bearer realm="microtune"');
