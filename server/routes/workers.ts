/** Other hosts that offer devices: who they are, and what they are asked to do under leases. All but the list needs scope work. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type AppContext, orThrow } from '../api.ts';
import type { Workers } from '../farm/workers.ts';
import {
  AnswerBody,
  ErrorBody,
  LeaseBody,
  LeaseParams,
  WorkerList,
  WorkerParams,
  WorkerRequest,
  WorkerTerms,
} from '../schemas/index.ts';

/** Whose worker it is: a worker's id alone opens nothing to another token. */
const ownerOf = ({ caller }: FastifyRequest): string => (typeof caller === 'object' ? caller.name : '');

/** Largest answer: a detail, and the repeats of a trial. */
const answerLimit = 2 ** 16;

export const workerRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    const workers = (): Workers =>
      orThrow(
        c.farm.workers === undefined
          ? { ok: false, error: { stage: 'request', code: 'NO_WORKERS', detail: 'serve was started without --redis' } }
          : { ok: true, value: c.farm.workers },
      );

    app.get('/v1/workers', { schema: { summary: 'Workers', response: { 200: WorkerList } } }, async () => ({
      items: [...(c.farm.workers?.all() ?? [])],
    }));
    app.post(
      '/v1/workers',
      {
        schema: {
          summary: 'Offer devices of another host; a worker that had the name before is over',
          body: WorkerRequest,
          response: { 201: WorkerTerms, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const terms = orThrow(await workers().register(ownerOf(request), request.body));
        return reply.code(201).header('cache-control', 'no-store').send(terms);
      },
    );
    app.post(
      '/v1/workers/:id/heartbeat',
      {
        schema: {
          summary: 'Say that the worker is there',
          params: WorkerParams,
          response: { 204: Type.Null(), '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        orThrow(workers().heartbeat(ownerOf(request), request.params.id));
        return reply.code(204).send(null);
      },
    );
    app.delete(
      '/v1/workers/:id',
      {
        schema: {
          summary: 'Leave: what the worker has fetched it may still answer',
          params: WorkerParams,
          response: { 204: Type.Null(), '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        orThrow(workers().leave(ownerOf(request), request.params.id));
        return reply.code(204).send(null);
      },
    );
    app.get(
      '/v1/workers/:id/leases/:lease',
      {
        schema: {
          summary: 'What is to be done under a lease',
          params: LeaseParams,
          response: { 200: LeaseBody, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { id, lease } = request.params;
        return reply.header('cache-control', 'no-store').send(orThrow(workers().lease(ownerOf(request), id, lease)));
      },
    );
    app.post(
      '/v1/workers/:id/leases/:lease/answer',
      {
        bodyLimit: answerLimit,
        schema: {
          summary: 'What came of it; the same answer may be sent again',
          params: LeaseParams,
          body: AnswerBody,
          response: { 204: Type.Null(), '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { id, lease } = request.params;
        orThrow(workers().answer(ownerOf(request), id, lease, request.body));
        return reply.code(204).send(null);
      },
    );
  };
