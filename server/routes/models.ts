/** Models: uploaded whole, checked, then stored; half an upload leaves nothing behind. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { type AppContext, bodyLimit, orThrow } from '../api.ts';
import { ErrorBody, ModelBody } from '../schemas/index.ts';

const Name = Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: "the model's file name" }));

export const modelRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer', bodyLimit }, (_request, body, done) =>
      done(null, body),
    );

    app.post(
      '/v1/models',
      {
        schema: {
          summary: 'Upload a model',
          description: 'The file as application/octet-stream, or as the one file of multipart/form-data.',
          consumes: ['application/octet-stream', 'multipart/form-data'],
          querystring: Type.Object({ name: Name }, { additionalProperties: false }),
          response: { 201: ModelBody, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const upload = orThrow(await uploadOf(request));
        const name = cleanName(request.query.name ?? upload.name ?? 'model');
        const model = orThrow(c.models.add(upload.bytes, name));
        request.log.info({ model: model.id, name, bytes: model.bytes }, 'model stored');
        return reply.code(201).send(model);
      },
    );

    app.get(
      '/v1/models/:id',
      {
        schema: {
          summary: 'What is in a model',
          params: Type.Object({ id: Type.String() }),
          response: { 200: ModelBody, '4xx': ErrorBody },
        },
      },
      async (request) => {
        const model = c.models.describe(request.params.id);
        return orThrow(
          model === undefined
            ? failed('request', 'MODEL_NOT_FOUND', `no model has the id "${request.params.id}"`)
            : ok(model),
        );
      },
    );
  };

interface Upload {
  readonly bytes: Uint8Array;
  readonly name: string | undefined;
}

async function uploadOf(request: FastifyRequest): Promise<Result<Upload>> {
  if (request.isMultipart()) return fileOf(request);
  if (!Buffer.isBuffer(request.body))
    return failed('request', 'MEDIA_TYPE', 'a model comes as application/octet-stream or multipart/form-data');
  return ok({ bytes: new Uint8Array(request.body), name: undefined });
}

/** The file of a form. What the parser cannot read it throws without a status; a file beyond the limit has one. */
async function fileOf(request: FastifyRequest): Promise<Result<Upload>> {
  try {
    const file = await request.file();
    if (file === undefined) return failed('request', 'BAD_REQUEST', 'the form holds no file');
    return ok({ bytes: new Uint8Array(await file.toBuffer()), name: file.filename });
  } catch (error) {
    if (!(error instanceof Error) || 'statusCode' in error) throw error;
    return failed('request', 'BAD_REQUEST', `the form cannot be read: ${error.message}`);
  }
}

/** The last part of a path, without what terminals and file systems stumble over. */
const cleanName = (name: string): string => (name.split(/[/\\]/).at(-1) ?? '').replace(/\p{C}/gu, '').trim() || 'model';
