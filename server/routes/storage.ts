/** The data directory over HTTP: what takes room, copies of the database, records from elsewhere. */
import { join } from 'node:path';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { importInTurns } from '../../db/import.ts';
import { type AppContext, bodyLimit, orThrow } from '../api.ts';
import { backupName, storageOf } from '../data/sizes.ts';
import { BackupBody, ErrorBody, MergedBody, StorageBody } from '../schemas/index.ts';

const errors = { '4xx': ErrorBody, '5xx': ErrorBody };
/** What is made of a body of lines. */
const Lines = Type.Unsafe<string>(Type.String({ description: 'records as lines of JSON' }));

export const storageRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.addContentTypeParser('application/x-ndjson', { parseAs: 'string', bodyLimit }, (_request, body, done) =>
      done(null, body),
    );

    app.get(
      '/v1/storage',
      { schema: { summary: 'What takes room', response: { 200: StorageBody, ...errors } } },
      async () => storageOf(c.store, c.dataDir),
    );

    app.post(
      '/v1/backup',
      {
        config: { scope: 'admin' },
        schema: {
          summary: 'Copy the database into DATA/backups, while it is in use',
          response: { 201: BackupBody, ...errors },
        },
      },
      async (request, reply) => {
        const began = performance.now();
        const file = backupName(new Date());
        const bytes = orThrow(await c.store.backup(join(c.dataDir, file)));
        request.log.info({ file, bytes }, 'backup made');
        return reply.code(201).send({ file, bytes, ms: Math.round(performance.now() - began) });
      },
    );

    app.post(
      '/v1/records/import',
      {
        config: { scope: 'admin' },
        bodyLimit,
        schema: {
          summary: 'Take over records of another farm',
          description:
            'Lines of JSON, as `format=jsonl` gives them. Known records are left as they are; a wrong line refuses all.',
          consumes: ['application/x-ndjson'],
          body: Lines,
          response: { 200: MergedBody, ...errors },
        },
      },
      async (request) => {
        const merged = orThrow(await importInTurns(c.store, request.body.split('\n')));
        request.log.info(merged, 'records imported');
        return merged;
      },
    );
  };
