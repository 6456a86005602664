/**
 * Against web pages that talk to a daemon on the reader's own machine. A page can make a browser send requests here under a
 * name of its own that resolves to this machine (DNS rebinding), or simple ones across origins; neither passes.
 */
import { isIP } from 'node:net';
import type { onRequestAsyncHookHandler } from 'fastify';
import { ApiError } from './api.ts';

/** The name in a Host header or URL authority, without its port. */
function nameOf(authority: string): string {
  const name = /^\[([^\]]*)\](?::\d+)?$/.exec(authority)?.[1] ?? /^([^:]*)(?::\d+)?$/.exec(authority)?.[1] ?? authority;
  return name.toLowerCase();
}

/** Addresses cannot be rebound, names can: of those only localhost and the ones the daemon was told pass. */
export const hostAllowed = (authority: string, configured: readonly string[]): boolean => {
  const name = nameOf(authority);
  return isIP(name) !== 0 || name === 'localhost' || configured.some((c) => name === c.toLowerCase());
};

/** The scheme of the origin must be that of the request: a page that came in the clear may have been changed on its way. */
export function hostGuard(configured: readonly string[]): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const { host, origin } = request.headers;
    reply.header('x-content-type-options', 'nosniff');
    const refuse = (detail: string): never => {
      throw new ApiError({ stage: 'request', code: 'HOST_REFUSED', detail });
    };
    if (host === undefined || !hostAllowed(host, configured)) refuse(`the host "${host ?? ''}" is not served here`);
    if (origin !== undefined && origin !== `${request.protocol}://${host}`)
      refuse(`pages of ${origin} may not use this daemon`);
  };
}
