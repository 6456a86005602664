/** What the documentation says of every route alike: a name for programs, a heading to stand under, errors that any may have. */
import type { FastifyInstance, RouteOptions } from 'fastify';
import { ErrorBody } from '../schemas/index.ts';

/** Before the routes are registered. */
export function describeOperations(app: FastifyInstance): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    if (route.schema === undefined || route.schema.hide === true) return;
    const { response = {} } = route.schema as { response?: Readonly<Record<string, unknown>> };
    route.schema = {
      tags: [tagOf(route.url)],
      operationId: operationId(String(route.method), route.url),
      ...route.schema,
      response: { ...response, '4xx': response['4xx'] ?? ErrorBody, '5xx': response['5xx'] ?? ErrorBody },
    };
  });
}

/** 'POST', '/v1/jobs/:id/cancel' -> 'postJobsIdCancel'. */
export const operationId = (method: string, url: string): string =>
  method.toLowerCase() +
  url
    .replace(/^\/v1/, '')
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

/** '/v1/jobs/:id' -> 'jobs'. */
const tagOf = (url: string): string => /^\/v1\/([a-z]+)/.exec(url)?.[1] ?? 'service';
