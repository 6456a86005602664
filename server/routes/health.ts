/** Is the daemon there, can it work, what is it doing: for people, for what restarts it, and for Prometheus. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { AppContext } from '../api.ts';
import { HealthBody, ReadyBody } from '../schemas/index.ts';
import { reasonsNotReady } from '../service/readiness.ts';

/** Sent as it is. */
const Exposition = Type.Unsafe<string>({ type: 'string', contentMediaType: 'text/plain' });

export const healthRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get('/healthz', { schema: { summary: 'Health', response: { 200: HealthBody } } }, async () => ({
      status: 'ok' as const,
      version: c.version,
      jobs: c.jobs.running.map((run) => run.job.id),
      queued: c.jobs.queued,
    }));

    app.get(
      '/readyz',
      { schema: { summary: 'Whether jobs can be taken and go on', response: { 200: ReadyBody, 503: ReadyBody } } },
      async (_request, reply) => {
        const reasons = reasonsNotReady(c);
        return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
      },
    );

    app.get(
      '/metrics',
      { schema: { summary: 'Metrics for Prometheus', produces: ['text/plain'], response: { 200: Exposition } } },
      async (_request, reply) => reply.type(c.metrics.registry.contentType).send(await c.metrics.registry.metrics()),
    );
  };
