/** The report of a job: one HTML file that needs nothing else. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type AppContext, jobOf, orThrow } from '../api.ts';
import { reportData } from '../report/data.ts';
import { reportHtml, reportPolicy } from '../report/page.ts';
import { ErrorBody, IdParams } from '../schemas/index.ts';

export const reportRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/v1/jobs/:id/report.html',
      {
        schema: {
          summary: 'A report of a job for people, also before it is done',
          produces: ['text/html'],
          params: IdParams,
          response: {
            200: Type.Unsafe<string>({ type: 'string', contentMediaType: 'text/html' }),
            '4xx': ErrorBody,
          },
        },
      },
      async (request, reply) => {
        const html = reportHtml(reportData(c, orThrow(jobOf(c, request.params.id))));
        return reply
          .type('text/html; charset=utf-8')
          .header('content-security-policy', reportPolicy)
          .header('referrer-policy', 'no-referrer')
          .send(html);
      },
    );
  };
