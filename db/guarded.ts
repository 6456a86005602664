/**
 * Other people's SQL on the database. Must stay true: whatever the statement says, it reads no column but those that the
 * views show, writes nothing, opens no other file, and leaves no transaction open. What it may cost in time and memory is
 * the business of whoever runs this process: SQLite cannot be interrupted from JavaScript, a process can be ended.
 */
import { DatabaseSync, type StatementSync, constants as sqlite } from 'node:sqlite';
import type { Result } from '../compiler/result.ts';
import { hiddenIn, joinsByName, permits, type Readable, readableThrough } from './readable.ts';
import { type LogView, viewSql } from './views.ts';

/** A value that is bound to a parameter. */
export type Param = string | number | null;
export type Params = readonly Param[] | Readonly<Record<string, Param>>;
/** What comes back; whole numbers beyond 2^53 and infinite ones are texts. */
export type Cell = string | number | null;

export interface Limits {
  readonly rows: number;
  /** Of the rows as JSON. */
  readonly bytes: number;
}
export interface Answer {
  readonly columns: readonly { readonly name: string }[];
  /** JSON: an array of rows, each an array of cells. */
  readonly rows: string;
  /** There was more than the limits let through. */
  readonly truncated: boolean;
}
export interface GuardedDatabase {
  /** Failure: QUERY_REFUSED with SQLite's words, or ours. */
  run(sql: string, params: Params, limits: Limits): Result<Answer>;
  close(): void;
}

/** Longest text or blob, and with it the longest row, bytes. */
const longestValue = 4 * 2 ** 20;
/** Statements of people are far below these; those of attackers are not. */
const limits = {
  length: longestValue,
  sqlLength: 64 * 1024,
  column: 200,
  exprDepth: 200,
  compoundSelect: 50,
  vdbeOp: 100_000,
  functionArg: 100,
  attach: 0,
  likePatternLength: 1000,
  variableNumber: 1000,
  triggerDepth: 0,
} as const;
/** How long to wait for a writer that recovers its log, ms. */
const patience = 1000;

/** Opens the daemon's file for reading, with the views and nothing else in sight. Throws where there is no database. */
export function openGuarded(file: string, views: readonly LogView[]): GuardedDatabase {
  const db = new DatabaseSync(file, { readOnly: true, timeout: patience, limits });
  db.exec('PRAGMA temp_store = memory; PRAGMA cache_size = -16000');
  for (const view of views) db.exec(viewSql(view));
  db.exec('PRAGMA query_only = ON; PRAGMA trusted_schema = OFF');
  const readable = readableThrough(db, views);
  db.setAuthorizer((action, a, b) => (permits(readable, action, a, b) ? sqlite.SQLITE_OK : sqlite.SQLITE_DENY));
  return {
    run: (sql, params, most) => {
      try {
        return answerOf(db, readable, sql, params, most);
      } catch (error) {
        return refused(error instanceof Error ? error.message : String(error));
      }
    },
    close: () => db.close(),
  };
}

const refused = (detail: string): Result<never> => ({
  ok: false,
  error: { stage: 'query', code: 'QUERY_REFUSED', detail },
});

function answerOf(db: DatabaseSync, readable: Readable, sql: string, params: Params, most: Limits): Result<Answer> {
  if (sql.includes('\0')) return refused('the statement holds a zero byte');
  if (joinsByName(sql))
    return refused('USING and NATURAL are not taken here, not even as words in a text: join with ON');
  const statement = db.prepare(sql);
  const hidden = hiddenIn(db, readable, statement.sourceSQL);
  if (hidden !== undefined) return refused(hidden);
  if (!isBlank(sql.slice(statement.sourceSQL.length))) return refused('one statement at a time');
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  const columns = statement.columns();
  if (columns.length === 0) return refused('the statement gives no rows');
  return rowsOf(
    statement,
    params,
    columns.map((c) => ({ name: c.name })),
    most,
  );
}

/** Nothing but white space, comments and semicolons. */
const isBlank = (sql: string): boolean => /^[\s;]*$/.test(sql.replace(/--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, ''));

/** Whole numbers go as such: 10 is not 10.0 in SQL. */
const bound = (p: Param): Param | bigint => (typeof p === 'number' && Number.isSafeInteger(p) ? BigInt(p) : p);

function rowsOf(statement: StatementSync, params: Params, columns: Answer['columns'], most: Limits): Result<Answer> {
  const found = Array.isArray(params)
    ? statement.iterate(...(params as readonly Param[]).map(bound))
    : statement.iterate(Object.fromEntries(Object.entries(params).map(([k, v]) => [k, bound(v)])));
  const rows: string[] = [];
  let bytes = 2;
  // Leaving the loop early ends the statement, and with it the look at the database.
  for (const row of found as Iterable<unknown>) {
    if (rows.length >= most.rows) return answer(columns, rows, true);
    const cells = (row as readonly unknown[]).map((v, i) => cellOf(v, columns[i]?.name ?? ''));
    const text = JSON.stringify(cells);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > most.bytes) return answer(columns, rows, true);
    rows.push(text);
  }
  return answer(columns, rows, false);
}

const answer = (columns: Answer['columns'], rows: readonly string[], truncated: boolean): Result<Answer> => ({
  ok: true,
  value: { columns, rows: `[${rows.join(',')}]`, truncated },
});

/** Throws for a blob, which JSON cannot say. */
function cellOf(value: unknown, column: string): Cell {
  switch (typeof value) {
    case 'bigint': {
      const n = Number(value);
      return Number.isSafeInteger(n) ? n : String(value);
    }
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'string':
      return value;
    default:
      if (value === null) return null;
      throw new TypeError(`column ${column} holds a blob: hex(${column}) makes text of it`);
  }
}
