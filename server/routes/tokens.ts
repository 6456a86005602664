/** Tokens that open the daemon to others: made, listed, revoked. All of it needs scope admin. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type AppContext, orThrow } from '../api.ts';
import { ErrorBody, NewTokenBody, TokenBody, TokenList, TokenRequest } from '../schemas/index.ts';
import { addToken, revokeToken } from '../service/tokens.ts';

export const tokenRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/v1/tokens',
      { schema: { summary: 'Who has a token', response: { 200: TokenList, '4xx': ErrorBody } } },
      async () => ({ items: [...c.store.tokens.all()] }),
    );

    app.post(
      '/v1/tokens',
      {
        schema: {
          summary: 'Make a token; its text is told this once',
          body: TokenRequest,
          response: { 201: NewTokenBody, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { name, scope } = request.body;
        const token = orThrow(addToken(c.store, name, scope));
        request.log.info({ token: name, scope }, 'token made');
        return reply.code(201).header('cache-control', 'no-store').send(token);
      },
    );

    app.delete(
      '/v1/tokens/:name',
      {
        schema: {
          summary: 'Revoke a token, at once and for good',
          params: Type.Object({ name: Type.String({ maxLength: 100 }) }),
          response: { 200: TokenBody, '4xx': ErrorBody },
        },
      },
      async (request) => {
        const token = orThrow(revokeToken(c.store, request.params.name));
        request.log.info({ token: token.name }, 'token revoked');
        return token;
      },
    );
  };
