/**
 * The HTTP interface: plugins, one error handler, routes. Must stay true: every error leaves as problem details (RFC 9457)
 * with a code of errors.ts and no stack trace; a web page of another origin gets nothing and changes nothing.
 */
import multipart from '@fastify/multipart';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import type { Failure } from '../compiler/result.ts';
import { BadCursor, BadFilter, StoreError } from '../db/index.ts';
import { ApiError, type AppContext, bodyLimit } from './api.ts';
import { errorOf } from './errors.ts';
import { hostGuard } from './host-guard.ts';
import { boardRoutes } from './routes/boards.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRoutes } from './routes/jobs.ts';
import { modelRoutes } from './routes/models.ts';
import { recordRoutes } from './routes/records.ts';
import { type ErrorBody, problemType } from './schemas/index.ts';

export async function buildApp(c: AppContext): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: c.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    // Event streams would hold up the end otherwise.
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      sendProblem(reply, { stage: 'request', code: 'BAD_REQUEST', detail: error.message });
    },
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || socket.destroyed) return;
      const body = JSON.stringify(bodyOf({ stage: 'request', code: 'BAD_REQUEST', detail: 'this is no HTTP request' }));
      const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: ${problemType}\r\ncontent-length: ${body.length}\r\n`;
      socket.end(`${head}connection: close\r\n\r\n${body}`);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  // Without type conversion in bodies: "10" is not 10.
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', hostGuard(c.host));
  app.addHook('onResponse', async (request, reply) => {
    request.log.debug({ method: request.method, url: request.url, status: reply.statusCode }, 'request');
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const failure = failureOf(error);
    if (failure.code === 'INTERNAL') request.log.error({ err: error }, 'an error of ours');
    sendProblem(reply, failure);
  });
  app.setNotFoundHandler((request, reply) => {
    const detail = `there is no ${request.method} ${request.url.split('?')[0]}`;
    sendProblem(reply, { stage: 'request', code: 'NOT_FOUND', detail });
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'microtune', version: c.version, description: 'Errors: docs/errors.md' },
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  await app.register(async (models) => {
    await models.register(multipart, { limits: { files: 1, fileSize: bodyLimit, fields: 4 } });
    await models.register(modelRoutes(c));
  });
  for (const routes of [jobRoutes, eventRoutes, recordRoutes, boardRoutes, healthRoutes]) await app.register(routes(c));
  return app;
}

function bodyOf({ code, detail, stage }: Failure): ErrorBody {
  const { http, meaning } = errorOf(code);
  return { type: `/errors#${code}`, title: meaning, status: http, detail, code, stage };
}
/** Text, for a response schema of a route would not let the media type through. */
const sendProblem = (reply: FastifyReply, failure: Failure): FastifyReply => {
  const body = bodyOf(failure);
  return reply.code(body.status).type(problemType).send(JSON.stringify(body));
};

/** What is wrong with a request; where it must be one of several values, which. */
function invalidText({ validation = [], validationContext = 'querystring', message }: FastifyError): string {
  const [first] = validation;
  const allowed = validation.flatMap((v) => (v.keyword === 'const' ? [String(v.params.allowedValue)] : []));
  return first !== undefined && allowed.length > 1
    ? `${validationContext}${first.instancePath} must be one of: ${allowed.join(', ')}`
    : message;
}

/** An error of whatever origin as a failure of the table. */
function failureOf(error: FastifyError | Error): Failure {
  if (error instanceof ApiError || error instanceof StoreError) return error.failure;
  const refused = (code: string): Failure => ({ stage: 'request', code, detail: error.message });
  if (error instanceof BadCursor) return refused('BAD_CURSOR');
  if (error instanceof BadFilter) return refused('BAD_REQUEST');
  const status = 'statusCode' in error ? error.statusCode : undefined;
  // Nobody is there to read it.
  if ('code' in error && error.code === 'ECONNRESET') return refused('BAD_REQUEST');
  if ('validation' in error && error.validation !== undefined)
    return { ...refused('BAD_REQUEST'), detail: invalidText(error) };
  if (status === 413) return refused('BODY_TOO_LARGE');
  if (status === 415) return refused('MEDIA_TYPE');
  if (status !== undefined && status >= 400 && status < 500) return refused('BAD_REQUEST');
  return { stage: 'request', code: 'INTERNAL', detail: "an error in microtune; the daemon's log has more" };
}
