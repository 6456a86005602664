/**
 * How much one client may ask for. Must stay true: whoever asks too often or too slowly is told so, or loses the connection, and
 * nobody else notices.
 */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { ApiError } from '../api.ts';

/** Requests within a window, by token or by address. */
interface Rate {
  readonly max: number;
  readonly windowMs: number;
}
export interface Limits {
  readonly rate: Rate;
  /** Of what costs more: uploads, free queries. */
  readonly costly: Rate;
  /** Within which the head, and the whole, of a request must have come, ms. */
  readonly headMs: number;
  readonly requestMs: number;
  /** How often connections are looked at for that. */
  readonly checkMs: number;
  readonly headBytes: number;
  readonly connections: number;
}
/** Beyond what a page, a script or a farm of scripts needs: they are there against loops that went wild. */
export const usualLimits: Limits = {
  rate: { max: 6000, windowMs: 10_000 },
  costly: { max: 300, windowMs: 10_000 },
  headMs: 10_000,
  requestMs: 120_000,
  checkMs: 2000,
  headBytes: 16 * 1024,
  connections: 4096,
};

/** Method and path of routes that cost more than others. */
const costly: readonly string[] = ['POST /v1/models', 'POST /v1/query', 'POST /v1/records/import', 'POST /v1/backup'];

/** Answers 429 with Retry-After to whoever goes beyond. Before the routes are registered. */
export async function limitRates(app: FastifyInstance, { rate, costly: dear }: Limits): Promise<void> {
  app.addHook('onRoute', (route: RouteOptions) => {
    if (!costly.includes(`${String(route.method)} ${route.url}`)) return;
    route.config = { ...route.config, rateLimit: { max: dear.max, timeWindow: dear.windowMs } };
  });
  await app.register(rateLimit, {
    max: rate.max,
    timeWindow: rate.windowMs,
    keyGenerator: clientOf,
    // Told only to whoever has gone beyond: five headers in every answer help nobody.
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    errorResponseBuilder: (_request, { after }) =>
      new ApiError({ stage: 'request', code: 'TOO_MANY_REQUESTS', detail: `try again in ${after}` }),
  });
}

const clientOf = ({ caller, ip }: FastifyRequest): string =>
  typeof caller === 'object' ? `token ${caller.name}` : `address ${ip}`;
