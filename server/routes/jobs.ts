/** Jobs: made, listed, looked at, stopped, and their artifacts. */
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { JobRow } from '../../db/types.ts';
import { type AppContext, jobOf, orThrow } from '../api.ts';
import { artifactDir, artifactTag, packArtifact } from '../artifact.ts';
import {
  ErrorBody,
  IdParams,
  JobBody,
  JobChange,
  JobGroup,
  JobList,
  JobPatch,
  JobRequest,
  JobStateBody,
} from '../schemas/index.ts';

const Filter = Type.Object(
  {
    state: Type.Optional(JobStateBody),
    model: Type.Optional(Type.String({ maxLength: 200 })),
    board: Type.Optional(Type.String({ maxLength: 100 })),
    group: Type.Optional(Type.String({ maxLength: 100 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: '100 unless given' })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { additionalProperties: false },
);
/** A job, or what several boards made of one request. */
const Made = Type.Union([JobGroup, JobBody]);
/** Sent as it is. */
const Archive = Type.Unsafe<Readable>({ type: 'string', contentMediaType: 'application/gzip' });

function madeOf(c: AppContext, rows: Result<readonly JobRow[]>): JobBody | JobGroup {
  const bodies = orThrow(rows).map((row) => c.views.body(row));
  const [first] = bodies;
  if (first === undefined) throw new Error('a request made no job');
  return first.group === null ? first : { items: bodies, group: first.group };
}

export const jobRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/v1/jobs',
      {
        schema: {
          summary: 'Tune a model for a board, or for each of several',
          body: JobRequest,
          response: { 201: Made, '4xx': ErrorBody },
        },
      },
      async (request, reply) => reply.code(201).send(madeOf(c, c.jobs.submit(request.body))),
    );

    app.post(
      '/v1/jobs/:id/clone',
      {
        schema: {
          summary: 'A job like this one, with what the body says instead',
          params: IdParams,
          body: JobChange,
          response: { 201: Made, '4xx': ErrorBody },
        },
      },
      async (request, reply) => reply.code(201).send(madeOf(c, c.jobs.clone(request.params.id, request.body))),
    );

    app.get(
      '/v1/jobs',
      {
        schema: {
          summary: 'Jobs, newest first',
          querystring: Filter,
          response: { 200: JobList, '4xx': ErrorBody },
        },
      },
      async (request) => {
        const { limit = 100, cursor, ...filter } = request.query;
        const page = c.store.jobPage(filter, limit, cursor);
        return { items: page.items.map((row) => c.views.summary(row)), next: page.next };
      },
    );

    app.get(
      '/v1/jobs/:id',
      { schema: { summary: 'A job', params: IdParams, response: { 200: JobBody, '4xx': ErrorBody } } },
      async (request) => c.views.body(orThrow(jobOf(c, request.params.id))),
    );

    app.patch(
      '/v1/jobs/:id',
      {
        schema: {
          summary: 'Change the priority of a job that has not ended',
          params: IdParams,
          body: JobPatch,
          response: { 200: JobBody, '4xx': ErrorBody },
        },
      },
      async ({ params, body }) => c.views.body(orThrow(c.jobs.prioritise(params.id, body.priority))),
    );

    for (const [verb, summary] of [
      ['cancel', 'End a job; its records stay'],
      ['pause', 'Stop a job so that it can go on later'],
      ['resume', 'Put a paused job back in the queue'],
    ] as const)
      app.post(
        `/v1/jobs/:id/${verb}`,
        { schema: { summary, params: IdParams, response: { 200: JobBody, '4xx': ErrorBody } } },
        async (request) => c.views.body(orThrow(c.jobs[verb](request.params.id))),
      );

    app.get(
      '/v1/jobs/:id/artifact',
      {
        schema: {
          summary: 'The C library, firmware and report of a job that is done',
          produces: ['application/gzip'],
          params: IdParams,
          response: { 200: Archive, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const row = orThrow(jobOf(c, request.params.id));
        orThrow(row.state === 'done' ? ok(row) : failed('request', 'JOB_NOT_DONE', `the job is ${row.state}`));
        const dir = artifactDir(c.dataDir, row.id);
        orThrow(
          existsSync(dir)
            ? ok(dir)
            : failed('request', 'ARTIFACT_GONE', 'its files were removed; its trials are there'),
        );
        return reply
          .type('application/gzip')
          .header('etag', artifactTag(dir))
          .header('content-disposition', `attachment; filename="${row.id}.tar.gz"`)
          .send(packArtifact(dir));
      },
    );
  };
