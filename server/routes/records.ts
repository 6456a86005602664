/** Trials, page by page, failures included; as JSON, JSON lines or CSV. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { kinds } from '../../boards/index.ts';
import { recordsToCsv, recordsToJsonLines } from '../../db/export.ts';
import type { RecordFilter } from '../../db/types.ts';
import { type AppContext, orThrow } from '../api.ts';
import { ranked } from '../ranking.ts';
import { ErrorBody, RecordPage } from '../schemas/index.ts';

const text = Type.Optional(Type.String({ minLength: 1 }));
const one = <const T extends readonly string[]>(values: T) =>
  Type.Optional(Type.Union(values.map((v: T[number]) => Type.Literal(v))));
const formats = ['json', 'jsonl', 'csv'] as const;
type Format = (typeof formats)[number];

const Query = Type.Object(
  {
    job: text,
    board: text,
    kind: one(kinds),
    task: text,
    status: one(['ok', 'failed']),
    since: Type.Optional(Type.String({ description: 'ISO 8601: at or after' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
    cursor: Type.Optional(Type.String({ description: '`next` of the page before, with the same filters' })),
    format: one(formats),
  },
  { additionalProperties: false },
);

const BestQuery = Type.Object(
  {
    task: Type.String({ minLength: 1 }),
    board: Type.String({ minLength: 1 }),
    kind: one(kinds),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 10 })),
  },
  { additionalProperties: false },
);

const mediaTypes: Readonly<Record<Format, string>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  csv: 'text/csv',
};
/** Text is sent as it is. */
const PageOrText = Type.Unsafe<RecordPage | string>(RecordPage);
/** Header that carries `next` where the body has no place for it. */
const nextHeader = 'x-next-cursor';

export const recordRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/v1/records',
      {
        schema: {
          summary: 'Trials, oldest first',
          description: `JSON lines and CSV by \`format\` or Accept; the cursor of the next page is then in ${nextHeader}.`,
          querystring: Query,
          response: { 200: PageOrText, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { limit = 100, cursor, format, ...filter } = request.query;
        const page = c.store.records(filter as RecordFilter, limit, cursor);
        const wanted = format ?? accepted(request.headers.accept ?? '');
        if (wanted === 'json') return page as RecordPage;
        if (page.next !== null) reply.header(nextHeader, page.next);
        const text = wanted === 'csv' ? recordsToCsv(page.items) : recordsToJsonLines(page.items);
        return reply.type(mediaTypes[wanted]).send(text);
      },
    );

    app.get(
      '/v1/records/best',
      {
        schema: {
          summary: 'The fastest records of a task on a board, one for each binary',
          description:
            'Counts of several kinds are not compared: where there are some, `kind` must say which is meant.',
          querystring: BestQuery,
          response: { 200: RecordPage, '4xx': ErrorBody },
        },
      },
      async (request) => {
        const { limit = 10, ...of } = request.query;
        const { kind, ...rest } = of;
        const items = orThrow(ranked(c.store, { ...rest, limit, ...(kind !== undefined && { kind }) }));
        return { items, next: null } as RecordPage;
      },
    );
  };

const accepted = (accept: string): Format =>
  formats.find((f) => f !== 'json' && accept.includes(mediaTypes[f])) ?? 'json';
