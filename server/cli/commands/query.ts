/** `microtune query`: SQL on the log, of the daemon, or of the database where none runs. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import { csvCell } from '../../../db/export.ts';
import { databaseName } from '../../../db/index.ts';
import type { SavedQuery } from '../../../db/queries.ts';
import { logViews } from '../../../db/views.ts';
import { Queries } from '../../query/queries.ts';
import { builtInQueries } from '../../query/saved.ts';
import type { QueryBody, SavedQueryList } from '../../schemas/index.ts';
import { askOrRead } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, type RemoteOptions, remote } from '../options.ts';
import { readingStore, readStore } from '../store.ts';
import { table } from '../table.ts';

interface QueryOptions extends CommonOptions, RemoteOptions {
  readonly csv?: true;
  readonly saved?: string;
  readonly views?: true;
}

export function addQuery(program: Command, act: Act): void {
  const command = program
    .command('query')
    .description('ask the log with SQL, read-only; without a statement: the queries that are saved')
    .argument('[sql]', 'one SELECT over the views that --views shows')
    .option('--saved <name>', 'run a saved query')
    .option('--views', 'show what can be asked for')
    .option('--csv', 'rows as CSV');
  common(remote(command), 'microtune query "SELECT board, min(cycles) FROM trials GROUP BY board"').action(act(query));
}

async function query(_io: Io, sql: string | undefined, o: QueryOptions): Shows {
  if (o.views === true) return ok({ json: { views: logViews }, text: viewsText() });
  if (sql === undefined && o.saved === undefined) return list(o);
  const statement = sql === undefined ? await savedStatement(o) : ok(sql);
  if (!statement.ok) return statement;
  const answer = await askOrRead<QueryBody>(
    o,
    (client) => client.query(statement.value),
    () => here(o.data, statement.value),
  );
  if (!answer.ok) return answer;
  return ok({ json: answer.value, text: o.csv === true ? csvText(answer.value) : tableText(answer.value) });
}

/** By a process of our own, with the same limits. */
async function here(data: string, sql: string): Promise<Result<QueryBody>> {
  // Tells of a directory without a database, or with one of another version, in words.
  const store = readingStore(data);
  if (!store.ok) return store;
  if (store.value === undefined) return failed('data', 'DB_MISSING', `no database in ${data}; tuning makes one`);
  store.value.close();
  const queries = new Queries(join(data, databaseName));
  try {
    const answer = await queries.run({ sql });
    if (!answer.ok) return answer;
    const { columns, rows, truncated, ms } = answer.value;
    return ok({ columns: [...columns], rows: JSON.parse(rows.toString()) as QueryBody['rows'], truncated, ms });
  } finally {
    queries.close();
  }
}

async function list(o: QueryOptions): Shows {
  const saved = await savedQueries(o);
  if (!saved.ok) return saved;
  return ok({
    json: { items: saved.value },
    text: table(
      ['query', 'title'],
      saved.value.map((q) => [q.name, q.title]),
    ),
  });
}

async function savedStatement(o: QueryOptions): Promise<Result<string>> {
  const saved = await savedQueries(o);
  if (!saved.ok) return saved;
  const found = saved.value.find((q) => q.name === o.saved);
  return found === undefined
    ? failed('request', 'QUERY_NOT_FOUND', `no query is saved as "${o.saved}"`)
    : ok(found.sql);
}

const savedQueries = (o: QueryOptions): Promise<Result<readonly SavedQuery[]>> =>
  askOrRead<readonly SavedQuery[]>(
    o,
    async (client) => {
      const answer = await client.request<SavedQueryList>('/v1/queries');
      return answer.ok ? ok(answer.value.items) : answer;
    },
    async () => readStore(o.data, (store) => [...builtInQueries, ...store.queries.all()], builtInQueries),
  );

type Cell = QueryBody['rows'][number][number];
const shown = (cell: Cell): string => (cell === null ? '-' : String(cell).replace(/\s+/g, ' '));

function tableText({ columns, rows, truncated }: QueryBody): string {
  const isNumber = (i: number): boolean => rows.some((r) => typeof r[i] === 'number');
  const heads = columns.map(({ name }, i) => (isNumber(i) ? `>${name}` : name));
  const text = table(
    heads,
    rows.map((row) => row.map(shown)),
  );
  return truncated ? `${text}\n(there are more rows)` : text;
}

const csvText = ({ columns, rows }: QueryBody): string =>
  [columns.map((c) => c.name), ...rows].map((row) => row.map(csvCell).join(',')).join('\r\n');

const viewsText = (): string =>
  logViews
    .map(
      (v) =>
        `${v.name}: ${v.about}\n${table(
          ['  column', 'type', 'about'],
          v.columns.map((c) => [`  ${c.name}`, c.type, c.about]),
        )}`,
    )
    .join('\n\n');
