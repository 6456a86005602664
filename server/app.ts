/**
 * The HTTP interface: plugins, one error handler, routes. Must stay true: every error leaves as problem details (RFC 9457)
 * with a code of errors.ts and no stack trace; a web page of another origin gets nothing and changes nothing.
 */
import { randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import { type AppContext, bodyLimit, usualBodyLimit } from './api.ts';
import { hostGuard } from './host-guard.ts';
import { boardRoutes } from './routes/boards.ts';
import { deviceRoutes } from './routes/devices.ts';
import { errorRoutes } from './routes/errors.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRoutes } from './routes/jobs.ts';
import { modelRoutes } from './routes/models.ts';
import { pageRoutes } from './routes/page.ts';
import { queryRoutes } from './routes/query.ts';
import { recordRoutes } from './routes/records.ts';
import { reportRoutes } from './routes/reports.ts';
import { statsRoutes } from './routes/stats.ts';
import { storageRoutes } from './routes/storage.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { trialRoutes } from './routes/trials.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { workerRoutes } from './routes/workers.ts';
import { guardAccess } from './service/access.ts';
import { tagAnswers } from './service/etag.ts';
import { httpServer } from './service/http-server.ts';
import { keepAnswers } from './service/idempotency.ts';
import { limitRates } from './service/limits.ts';
import { describeOperations } from './service/operations.ts';
import { answerClientError, failureOf, sendProblem } from './service/problems.ts';
import { validatorOf } from './service/validation.ts';

export async function buildApp(c: AppContext): Promise<FastifyInstance> {
  const { limits } = c.service;
  const app = fastify({
    loggerInstance: c.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: usualBodyLimit,
    serverFactory: (handler) => httpServer(handler, limits, c.service.tls),
    ...(c.service.trustProxy !== undefined && { trustProxy: c.service.trustProxy }),
    // Event streams would hold up the end otherwise.
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      sendProblem(reply, { stage: 'request', code: 'BAD_REQUEST', detail: error.message });
    },
    clientErrorHandler: answerClientError,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(validatorOf);
  // Routes return what their types say, and a test holds it against the document: to write it by its schema takes several times as long.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', hostGuard(c.service.names));
  guardAccess(app, { tokens: c.service.tokens, valid: c.validTokens });
  await limitRates(app, limits);
  keepAnswers(app, c.store.answers);
  tagAnswers(app);
  describeOperations(app);
  c.metrics.timing(app);
  // What somebody reports is found in the log by it.
  app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request;
    request.log.debug({ method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
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
  await app.register(pageRoutes(c));
  for (const routes of [
    jobRoutes,
    reportRoutes,
    eventRoutes,
    recordRoutes,
    statsRoutes,
    storageRoutes,
    queryRoutes,
    trialRoutes,
    boardRoutes,
    deviceRoutes,
    healthRoutes,
    errorRoutes,
    tokenRoutes,
    webhookRoutes,
    workerRoutes,
  ])
    await app.register(routes(c));
  return app;
}
