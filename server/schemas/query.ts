/** SQL over HTTP: what is asked, what comes back, what can be asked for. */
import { type Static, Type } from 'typebox';

const Sql = Type.String({ minLength: 1, maxLength: 65_536, description: 'one SELECT over the views of /v1/schema' });
const Param = Type.Union([Type.String({ maxLength: 65_536 }), Type.Number(), Type.Null()]);

export const QueryRequest = Type.Object(
  {
    sql: Sql,
    params: Type.Optional(
      Type.Union([Type.Array(Param, { maxItems: 1000 }), Type.Record(Type.String({ maxLength: 100 }), Param)], {
        description: 'for ?, or by name for :name',
      }),
    ),
    rows: Type.Optional(Type.Integer({ minimum: 1, description: 'at most so many; the daemon may give fewer' })),
    timeMs: Type.Optional(Type.Integer({ minimum: 1, description: 'at most so long; the daemon may give less' })),
  },
  { additionalProperties: false },
);
export type QueryRequest = Static<typeof QueryRequest>;

export const QueryBody = Type.Object({
  columns: Type.Array(Type.Object({ name: Type.String() })),
  rows: Type.Array(
    Type.Array(Type.Union([Type.String(), Type.Number(), Type.Null()]), {
      description: 'whole numbers beyond 2^53 and infinite ones are texts',
    }),
  ),
  truncated: Type.Boolean({ description: 'there was more than the limits of rows and bytes let through' }),
  ms: Type.Number({ description: 'what the statement took' }),
});
export type QueryBody = Static<typeof QueryBody>;

export const SchemaBody = Type.Object({
  views: Type.Array(
    Type.Object({
      name: Type.String(),
      about: Type.String(),
      columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String(), about: Type.String() })),
    }),
  ),
});
export type SchemaBody = Static<typeof SchemaBody>;

const Title = Type.String({ minLength: 1, maxLength: 200 });
/** Names are typed and put into addresses. */
export const QueryName = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' });

export const QueryToSave = Type.Object({ title: Title, sql: Sql }, { additionalProperties: false });
export const SavedQueryBody = Type.Object({
  name: QueryName,
  title: Title,
  sql: Sql,
  builtIn: Type.Boolean({ description: 'comes with microtune and cannot be changed' }),
});
export type SavedQueryBody = Static<typeof SavedQueryBody>;
export const SavedQueryList = Type.Object({ items: Type.Array(SavedQueryBody) });
export type SavedQueryList = Static<typeof SavedQueryList>;
