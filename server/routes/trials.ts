/** One trial: looked at whole, and measured again. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type AppContext, orThrow } from '../api.ts';
import { ReplayBody, TrialBody } from '../schemas/index.ts';

const Id = Type.Object({ id: Type.String({ maxLength: 100 }) });

export const trialRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/v1/trials/:id',
      {
        schema: {
          summary: 'Everything about a trial: record, schedule, C, compiler, machine code with cycles on twins',
          params: Id,
          response: { 200: TrialBody },
        },
      },
      async (request) => orThrow(await c.trials.show(request.params.id)),
    );

    app.post(
      '/v1/trials/:id/replay',
      {
        schema: {
          summary: 'Measure a trial again, and record what comes of it',
          params: Id,
          response: { 200: ReplayBody },
        },
      },
      async (request) => orThrow(await c.trials.replay(request.params.id)),
    );
  };
