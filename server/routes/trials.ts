/** One trial: looked at whole, and measured again. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type AppContext, orThrow } from '../api.ts';
import { IdParams, KindBody, ReplayBody, TaskModelBody, TrialBody, Word } from '../schemas/index.ts';

const Place = Type.Object({ board: Word, kind: KindBody }, { additionalProperties: false });

export const trialRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.addHook('onClose', () => c.taskModels.close());

    app.get(
      '/v1/trials/:id',
      {
        schema: {
          summary: 'Everything about a trial: record, schedule, C, compiler, machine code with cycles on twins',
          params: IdParams,
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
          params: IdParams,
          response: { 200: ReplayBody },
        },
      },
      async (request) => orThrow(await c.trials.replay(request.params.id)),
    );

    app.get(
      '/v1/tasks/:id/model',
      {
        schema: {
          summary: 'What the cost model has understood of a task: predicted against measured, and what matters',
          params: IdParams,
          querystring: Place,
          response: { 200: TaskModelBody },
        },
      },
      async ({ params, query }) => orThrow(await c.taskModels.explain({ task: params.id, ...query })) as TaskModelBody,
    );
  };
