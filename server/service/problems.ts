/**
 * Errors as answers. Must stay true: every error leaves as problem details (RFC 9457) with a code of errors.ts and no stack
 * trace, also one that comes before there is a request.
 */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply } from 'fastify';
import type { Failure } from '../../compiler/result.ts';
import { BadCursor, BadFilter, StoreError } from '../../db/index.ts';
import { cannotStart } from '../../toolchain/index.ts';
import { ApiError } from '../api.ts';
import { errorOf } from '../errors.ts';
import { type ErrorBody, problemType } from '../schemas/index.ts';

function bodyOf({ code, detail, stage }: Failure): ErrorBody {
  const { http, meaning } = errorOf(code);
  return { type: `/errors#${code}`, title: meaning, status: http, detail, code, stage };
}

/** Text, for a response schema of a route would not let the media type through. */
export const sendProblem = (reply: FastifyReply, failure: Failure): FastifyReply => {
  const body = bodyOf(failure);
  return reply.code(body.status).type(problemType).send(JSON.stringify(body));
};

/** Answers what is no request, or not a whole one in time, and ends the connection. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const body = bodyOf(clientFailure(error.code));
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${body.status} Refused\r\ncontent-type: ${problemType}\r\ncontent-length: ${text.length}\r\n`;
  socket.end(`${head}connection: close\r\n\r\n${text}`);
}

function clientFailure(code: string | undefined): Failure {
  const refused = (name: string, detail: string): Failure => ({ stage: 'request', code: name, detail });
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refused('REQUEST_TIMEOUT', 'the request did not come to its end in time');
    case 'HPE_HEADER_OVERFLOW':
      return refused('HEADERS_TOO_LARGE', 'the head of the request is too large');
    default:
      return refused('BAD_REQUEST', 'this is no HTTP request');
  }
}

/** What is wrong with a request; where it must be one of several values, which. */
function invalidText({ validation = [], validationContext = 'querystring', message }: FastifyError): string {
  const [first] = validation;
  const allowed = validation.flatMap((v) => (v.keyword === 'const' ? [String(v.params.allowedValue)] : []));
  return first !== undefined && allowed.length > 1
    ? `${validationContext}${first.instancePath} must be one of: ${allowed.join(', ')}`
    : message;
}

/** An error of whatever origin as a failure of the table. */
export function failureOf(error: FastifyError | Error): Failure {
  if (error instanceof ApiError || error instanceof StoreError) return error.failure;
  const refused = (code: string): Failure => ({ stage: 'request', code, detail: error.message });
  if (cannotStart(error)) return refused('TOO_MANY_PROCESSES');
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
