/** Trials, page by page, failures included, under any filter; as JSON, JSON lines, CSV or lines for AutoTVM's tools. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { recordsToAutoTvm } from '../../db/autotvm.ts';
import { recordsToCsv } from '../../db/export.ts';
import type { RecordSort } from '../../db/types.ts';
import { type AppContext, orThrow } from '../api.ts';
import { oneKind, ranked } from '../ranking.ts';
import { ErrorBody, FilterQuery, filterOf, KindBody, OneOf, RecordPage, Word } from '../schemas/index.ts';

const formats = ['json', 'jsonl', 'csv', 'autotvm'] as const;
type Format = (typeof formats)[number];
const sorts = ['at', '-at', 'cycles', '-cycles'] as const satisfies readonly RecordSort[];

const Query = FilterQuery({
  sort: Type.Optional(OneOf(sorts)),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  cursor: Type.Optional(
    Type.String({ maxLength: 400, description: '`next` of the page before, with the same filters and sort' }),
  ),
  format: Type.Optional(OneOf(formats)),
});

const BestQuery = Type.Object(
  {
    task: Word,
    board: Word,
    kind: Type.Optional(KindBody),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 10 })),
  },
  { additionalProperties: false },
);

const mediaTypes: Readonly<Record<Format, string>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  csv: 'text/csv',
  // By `format` only: for Accept it is JSON lines like others.
  autotvm: 'application/x-ndjson',
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
          summary: 'Trials, page by page',
          description: `Filters, and any number of knob.NAME=VALUE. A page may hold fewer than \`limit\` although more follow: only \`next\` tells.
            JSON lines and CSV by \`format\` or Accept; the cursor of the next page is then in ${nextHeader}.`,
          querystring: Query,
          response: { 200: PageOrText, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { limit = 100, cursor, format, sort = 'at' } = request.query;
        const filter = filterOf(request.query);
        orThrow(oneKind(c.store, filter, sort));
        const wanted = format ?? accepted(request.headers.accept ?? '');
        const { text, next } = pageIn(wanted, c, [filter, limit, cursor, sort]);
        if (wanted !== 'json' && next !== null) reply.header(nextHeader, next);
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

type Asked = Parameters<AppContext['store']['records']>;
interface Shown {
  readonly text: string;
  readonly next: string | null;
}

function pageIn(format: Format, { store, boards }: AppContext, asked: Asked): Shown {
  switch (format) {
    case 'json': {
      const { items, next } = store.recordTexts(...asked);
      return { text: `{"items":[${items.join(',')}],"next":${JSON.stringify(next)}}`, next };
    }
    case 'jsonl': {
      const { items, next } = store.recordTexts(...asked);
      return { text: items.map((line) => `${line}\n`).join(''), next };
    }
    case 'csv': {
      const { items, next } = store.records(...asked);
      return { text: recordsToCsv(items), next };
    }
    case 'autotvm': {
      const { items, next } = store.records(...asked);
      const clockOf = (board: string): number | undefined => boards.find((b) => b.id === board)?.clockHz;
      return { text: recordsToAutoTvm(items, clockOf), next };
    }
  }
}

const accepted = (accept: string): Format =>
  formats.find((f) => f !== 'json' && accept.includes(mediaTypes[f])) ?? 'json';
