/** SQL on the log: run by processes of their own (server/query), and saved under names. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { SavedQuery } from '../../db/queries.ts';
import { logViews } from '../../db/views.ts';
import { type AppContext, orThrow } from '../api.ts';
import type { QueryAnswer } from '../query/query-process.ts';
import { builtInQueries } from '../query/saved.ts';
import {
  QueryBody,
  QueryName,
  QueryRequest,
  QueryToSave,
  type SavedQueryBody,
  SavedQueryList,
  SavedQueryBody as SavedQuerySchema,
  SchemaBody,
} from '../schemas/index.ts';

const Name = Type.Object({ name: QueryName });
/** Sent as it is: a result of many rows is not taken apart here. */
const Answer = Type.Unsafe<Buffer>(QueryBody);

export const queryRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.addHook('onClose', async () => c.queries.close());

    app.post(
      '/v1/query',
      {
        config: { scope: 'read' },
        schema: {
          summary: 'SQL on the log, read-only',
          description: 'One statement over the views of /v1/schema, within limits of time, rows and bytes.',
          body: QueryRequest,
          response: { 200: Answer },
        },
      },
      async (request, reply) => {
        const answer = orThrow(await c.queries.run(request.body));
        return reply.type('application/json').send(bodyOf(answer));
      },
    );

    app.get('/v1/schema', { schema: { summary: 'What SQL can read', response: { 200: SchemaBody } } }, async () => ({
      views: logViews.map(({ name, about, columns }) => ({
        name,
        about,
        columns: columns.map((column) => ({ name: column.name, type: column.type, about: column.about })),
      })),
    }));

    app.get(
      '/v1/queries',
      {
        schema: {
          summary: 'Saved queries: those that come with microtune, then others by name',
          response: { 200: SavedQueryList },
        },
      },
      async () => ({ items: [...builtInQueries, ...c.store.queries.all()].map(shown) }),
    );

    app.get(
      '/v1/queries/:name',
      { schema: { summary: 'A saved query', params: Name, response: { 200: SavedQuerySchema } } },
      async (request) => orThrow(saved(c, request.params.name)),
    );

    app.put(
      '/v1/queries/:name',
      {
        schema: {
          summary: 'Save a query under a name, in place of the one that had it',
          params: Name,
          body: QueryToSave,
          response: { 200: SavedQuerySchema },
        },
      },
      async (request) => {
        const { name } = request.params;
        orThrow(changeable(name));
        c.store.queries.put({ name, ...request.body });
        return orThrow(saved(c, name));
      },
    );

    app.delete(
      '/v1/queries/:name',
      { schema: { summary: 'Forget a saved query', params: Name, response: { 204: Type.Null() } } },
      async (request, reply) => {
        const { name } = request.params;
        orThrow(changeable(name));
        orThrow(c.store.queries.remove(name) ? ok(undefined) : unknown(name));
        return reply.code(204).send(null);
      },
    );
  };

const shown = (query: SavedQuery): SavedQueryBody => ({ ...query, builtIn: builtIn(query.name) !== undefined });

const bodyOf = ({ columns, rows, truncated, ms }: QueryAnswer): Buffer =>
  Buffer.concat([
    Buffer.from(`{"columns":${JSON.stringify(columns)},"rows":`),
    rows,
    Buffer.from(`,"truncated":${truncated},"ms":${ms}}`),
  ]);

const builtIn = (name: string): SavedQuery | undefined => builtInQueries.find((q) => q.name === name);
const unknown = (name: string): Result<never> => failed('request', 'QUERY_NOT_FOUND', `no query is saved as "${name}"`);

function saved(c: AppContext, name: string): Result<SavedQueryBody> {
  const query = builtIn(name) ?? c.store.queries.get(name);
  return query === undefined ? unknown(name) : ok(shown(query));
}

const changeable = (name: string): Result<void> =>
  builtIn(name) === undefined
    ? ok(undefined)
    : failed('request', 'QUERY_BUILT_IN', `"${name}" comes with microtune: save yours under another name`);
