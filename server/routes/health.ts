/** Is the daemon there, and what is it doing. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { AppContext } from '../api.ts';
import { HealthBody } from '../schemas/index.ts';

export const healthRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get('/healthz', { schema: { summary: 'Health', response: { 200: HealthBody } } }, async () => ({
      status: 'ok' as const,
      version: c.version,
      jobs: c.jobs.running.map((run) => run.job.id),
      queued: c.jobs.queued,
    }));
  };
