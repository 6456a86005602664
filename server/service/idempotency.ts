/**
 * Idempotency-Key: a POST that is sent again, because nobody knows whether it arrived, is answered as the first time and not
 * carried out again. Must stay true: nothing is kept that may not lie in the database (new tokens), and only what worked is kept:
 * a request that came to nothing may be sent again under its key.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Failure } from '../../compiler/result.ts';
import type { Claim, KeyedRequest } from '../../db/answers.ts';
import { StoreError } from '../../db/index.ts';
import type { Store } from '../../db/types.ts';
import { ApiError } from '../api.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** A request that holds its key and has not been answered. */
    keyed: KeyedRequest | undefined;
  }
}

/** Answers that hold a secret are told once. */
const secret: readonly (string | undefined)[] = ['/v1/tokens', '/v1/workers'];
const keyPattern = /^[\x21-\x7e]{1,200}$/;

/** Hooks for every POST that names a key. */
export function keepAnswers(app: FastifyInstance, answers: Store['answers']): void {
  app.decorateRequest('keyed', undefined);
  app.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (request.method !== 'POST' || key === undefined) return undefined;
    const keyed = keyedRequest(request, key);
    return answerKnown(reply, keyed, answers.claim(keyed));
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { keyed } = request;
    if (keyed === undefined) return payload;
    request.keyed = undefined;
    try {
      const worked = reply.statusCode < 300 && typeof payload === 'string';
      const type = String(reply.getHeader('content-type') ?? '');
      if (worked) answers.keep(keyed, { status: reply.statusCode, type, body: payload });
      else answers.forget(keyed);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // The work is done, so its answer goes out; whoever asks again under this key is told that it is not known.
      request.log.warn({ code: error.failure.code }, 'an answer could not be kept');
    }
    return payload;
  });
}

function keyedRequest(
  { caller, headers, method, url, body, routeOptions }: FastifyRequest,
  key: unknown,
): KeyedRequest {
  const refuse = (detail: string): never => {
    throw new ApiError({ stage: 'request', code: 'BAD_REQUEST', detail });
  };
  if (typeof key !== 'string' || !keyPattern.test(key))
    refuse('an Idempotency-Key is 1 to 200 visible ASCII characters');
  if (secret.includes(routeOptions.url)) refuse('this answer is told once, so it takes no Idempotency-Key');
  // The form is read as it comes; what it holds is not known before the work begins.
  if (headers['content-type']?.startsWith('multipart/') === true)
    refuse('a form takes no Idempotency-Key: send the bytes alone');
  const hash = createHash('sha256').update(`${method} ${url}\n`).update(bytesOf(body));
  const owner = typeof caller === 'object' ? caller.name : '';
  return { owner, key: String(key), request: new Uint8Array(hash.digest()) };
}
const bytesOf = (body: unknown): Uint8Array | string => (Buffer.isBuffer(body) ? body : (JSON.stringify(body) ?? ''));

/** Answers what was answered before; refuses what cannot be; lets a new request go on. */
function answerKnown(reply: FastifyReply, keyed: KeyedRequest, claim: Claim): FastifyReply | undefined {
  switch (claim.state) {
    case 'new':
      reply.request.keyed = keyed;
      return undefined;
    case 'done': {
      const { status, type, body } = claim.answer;
      return reply.code(status).type(type).header('idempotency-replayed', 'true').send(body);
    }
    case 'mismatch':
      throw new ApiError(refused('IDEMPOTENCY_MISMATCH', 'this key came with another request before'));
    case 'pending':
      throw new ApiError(refused('IDEMPOTENCY_PENDING', 'the first request with this key has not been answered yet'));
    case 'lost':
      throw new ApiError(refused('IDEMPOTENCY_UNKNOWN', 'the daemon was restarted before it had answered'));
  }
}
const refused = (code: string, detail: string): Failure => ({ stage: 'request', code, detail });
