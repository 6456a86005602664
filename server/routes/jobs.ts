/** Jobs: made, listed, looked at, stopped, and their artifacts. */
import type { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { failed, ok } from '../../compiler/result.ts';
import { type AppContext, jobOf, orThrow } from '../api.ts';
import { artifactDir, packArtifact } from '../artifact.ts';
import { ErrorBody, JobBody, JobList, JobRequest } from '../schemas/index.ts';

const Id = Type.Object({ id: Type.String() });
/** Sent as it is. */
const Archive = Type.Unsafe<Readable>({ type: 'string', contentMediaType: 'application/gzip' });

export const jobRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/v1/jobs',
      {
        schema: { summary: 'Tune a model for a board', body: JobRequest, response: { 201: JobBody, '4xx': ErrorBody } },
      },
      async (request, reply) => reply.code(201).send(c.views.body(orThrow(c.jobs.submit(request.body)))),
    );

    app.get('/v1/jobs', { schema: { summary: 'All jobs, newest first', response: { 200: JobList } } }, async () => ({
      items: c.store.jobs().map((row) => c.views.summary(row)),
    }));

    app.get(
      '/v1/jobs/:id',
      { schema: { summary: 'A job', params: Id, response: { 200: JobBody, '4xx': ErrorBody } } },
      async (request) => c.views.body(orThrow(jobOf(c, request.params.id))),
    );

    for (const [verb, summary] of [
      ['cancel', 'End a job; its records stay'],
      ['pause', 'Stop a job so that it can go on later'],
      ['resume', 'Put a paused job back in the queue'],
    ] as const)
      app.post(
        `/v1/jobs/:id/${verb}`,
        { schema: { summary, params: Id, response: { 200: JobBody, '4xx': ErrorBody } } },
        async (request) => c.views.body(orThrow(c.jobs[verb](request.params.id))),
      );

    app.get(
      '/v1/jobs/:id/artifact',
      {
        schema: {
          summary: 'The C library, firmware and report of a job that is done',
          produces: ['application/gzip'],
          params: Id,
          response: { 200: Archive, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const row = orThrow(jobOf(c, request.params.id));
        orThrow(row.state === 'done' ? ok(row) : failed('request', 'JOB_NOT_DONE', `the job is ${row.state}`));
        return reply
          .type('application/gzip')
          .header('content-disposition', `attachment; filename="${row.id}.tar.gz"`)
          .send(packArtifact(artifactDir(c.dataDir, row.id)));
      },
    );
  };
