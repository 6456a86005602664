/**
 * ETag on what is read: whoever has the bytes already is told so (304) instead of being sent them again. Must stay true: equal
 * tags are equal bytes, and only a GET that worked has one.
 */
import { createHash, hash as hashOf } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';

/** A route that sends a stream sets the tag itself; all others get one from their body. */
export function tagAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, answer) => {
    if ((request.method !== 'GET' && request.method !== 'HEAD') || reply.statusCode !== 200) return answer;
    // Into bytes once, for the tag, the length and the socket.
    const payload = typeof answer === 'string' ? Buffer.from(answer) : answer;
    if (!reply.hasHeader('etag')) {
      if (!Buffer.isBuffer(payload)) return payload;
      reply.header('etag', quoted(hashOf('sha256', payload, 'base64url')));
    }
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'private, no-cache');
    if (!named(request.headers['if-none-match'] ?? '', String(reply.getHeader('etag')))) return payload;
    if (payload instanceof Readable) payload.destroy();
    reply.code(304).removeHeader('content-length');
    return '';
  });
}

export const tagOf = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  // Each with its length: parts that are cut elsewhere are other parts.
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return quoted(hash.digest('base64url'));
};
const quoted = (hash: string): string => `"${hash.slice(0, 27)}"`;

/** Whether an If-None-Match names a tag; a cache in between may have made it a weak one. */
const named = (header: string, tag: string): boolean =>
  header === '*' || header.split(',').some((t) => t.trim().replace(/^W\//, '') === tag);
