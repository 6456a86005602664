/** What the codes of errors mean: where the `type` of problem details leads. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { AppContext } from '../api.ts';
import { errors } from '../errors.ts';
import { documentOf, el } from '../report/html.ts';
import { reportPolicy } from '../report/page.ts';
import { reportStyle } from '../report/style.ts';

/** The table, a row a code, each to be linked to. */
const page = (): string => {
  const rows = Object.entries(errors).map(([code, { http, meaning, advice }]) =>
    el(
      'tr',
      { id: code },
      el('td', {}, el('code', {}, code)),
      el('td', {}, http),
      el('td', {}, meaning),
      el('td', {}, advice),
    ),
  );
  const head = el('tr', {}, ...['code', 'status', 'meaning', 'what to do'].map((h) => el('th', {}, h)));
  return documentOf(
    'Errors',
    reportStyle,
    el('h1', {}, 'Errors'),
    el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows)),
  );
};

export const errorRoutes =
  (_c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    const Html = Type.Unsafe<string>({ type: 'string', contentMediaType: 'text/html' });
    app.get(
      '/errors',
      { schema: { summary: 'What the codes of errors mean', produces: ['text/html'], response: { 200: Html } } },
      async (_request, reply) =>
        reply.type('text/html; charset=utf-8').header('content-security-policy', reportPolicy).send(page()),
    );
  };
