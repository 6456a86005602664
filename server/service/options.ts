/**
 * How a daemon is reached, and by whom. Must stay true: what others than this machine's users can reach asks for a token, and
 * no token goes over a network in the clear unless somebody said so.
 */
import { createSecureContext } from 'node:tls';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { type Limits, usualLimits } from './limits.ts';

export interface Tls {
  /** PEM: the certificate with those that it rests on. */
  readonly cert: string;
  readonly key: string;
}
/** What `serve` was told. */
export interface ReachOptions {
  readonly host: string;
  /** Names beside `host` under which requests may come. */
  readonly names?: readonly string[];
  readonly tls?: Tls;
  /** Address of a proxy that stands before the daemon and says who asks. */
  readonly trustProxy?: string;
  /** 'required' also where only this machine's users ask. */
  readonly tokens?: 'required';
  /** The network is private to this machine, as that of a container whose port is published on loopback. */
  readonly plainHttp?: 'allowed';
}
export interface Service {
  /** Whether a request without a token is answered. */
  readonly tokens: 'optional' | 'required';
  readonly names: readonly string[];
  readonly tls?: Tls;
  readonly trustProxy?: string;
  readonly limits: Limits;
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

/** What follows from the options; `validTokens`: how many there are. Failures: TOKENS_NEEDED, TLS_NEEDED, TLS_UNUSABLE. */
export function serviceOf(o: ReachOptions, validTokens: number): Result<Service> {
  const open = !isLoopback(o.host);
  const tokens = open || o.trustProxy !== undefined || o.tokens === 'required' ? 'required' : 'optional';
  if (tokens === 'required' && validTokens === 0)
    return failed('start', 'TOKENS_NEEDED', `${whyTokens(o)}, and this data directory has no token yet`);
  if (open && o.tls === undefined && o.trustProxy === undefined && o.plainHttp === undefined)
    return failed('start', 'TLS_NEEDED', `${o.host} is beyond this machine, and tokens would go there in the clear`);
  const usable = o.tls === undefined ? ok(undefined) : checked(o.tls);
  if (!usable.ok) return usable;
  return ok({
    tokens,
    names: [o.host, ...(o.names ?? [])],
    ...(o.tls !== undefined && { tls: o.tls }),
    ...(o.trustProxy !== undefined && { trustProxy: o.trustProxy }),
    limits: usualLimits,
  });
}

function whyTokens(o: ReachOptions): string {
  if (o.tokens === 'required') return 'tokens are required';
  return isLoopback(o.host) ? 'others come in through the proxy' : `${o.host} is beyond this machine`;
}

function checked(tls: Tls): Result<undefined> {
  if (tls.cert === '' || tls.key === '')
    return failed('start', 'TLS_UNUSABLE', 'TLS needs a certificate and its key, of which one is missing or empty');
  try {
    createSecureContext(tls);
    return ok(undefined);
  } catch (error) {
    return failed('start', 'TLS_UNUSABLE', error instanceof Error ? error.message : String(error));
  }
}
