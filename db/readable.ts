/**
 * What other people's SQL may read: the columns that the views are made of. Asked of SQLite three times over, for its own
 * answer has gaps: while it compiles a statement (the authoriser), in the statement's text, and in what it was compiled to.
 */
import { type DatabaseSync, constants as sqlite } from 'node:sqlite';
import { safeFunctions } from './safe-functions.ts';
import type { LogView } from './views.ts';

export interface Readable {
  /** By table. */
  readonly columns: ReadonlyMap<string, ReadonlySet<string>>;
  /** Tables of which not even the rows may be counted. */
  readonly hidden: ReadonlySet<string>;
  /** Where tables behind the views, and their indices, begin in the file. */
  readonly roots: ReadonlySet<number>;
}

/** Table-valued functions that read nothing but their arguments. */
const valueTables: ReadonlySet<string> = new Set(['json_each', 'json_tree']);

/**
 * Columns, as SQLite tells them when the views are read whole. It also tells which view reads a column, but that cannot be
 * believed: a common table expression that is named like a view passes for it. Leaves no authoriser behind.
 */
export function readableThrough(db: DatabaseSync, views: readonly LogView[]): Readable {
  const columns = new Map<string, Set<string>>();
  db.setAuthorizer((action, table, column) => {
    if (action === sqlite.SQLITE_READ && table !== null)
      columns.set(table, (columns.get(table) ?? new Set()).add(column ?? ''));
    return sqlite.SQLITE_OK;
  });
  for (const { name } of views) db.prepare(`SELECT * FROM temp.${name}`);
  db.setAuthorizer(null);
  const parts = db.prepare('SELECT name, tbl_name, rootpage FROM main.sqlite_schema').all();
  const behind = parts.filter((p) => columns.has(String(p.tbl_name)));
  return {
    columns,
    hidden: new Set(parts.map((p) => String(p.name).toLowerCase()).filter((name) => !columns.has(name))),
    roots: new Set(behind.map((p) => Number(p.rootpage)).filter((page) => page > 0)),
  };
}

/** SQLite's own tables, and those that show how the file is laid out. */
const isInternal = (name: string): boolean => /^(sqlite_|pragma_|dbstat$)/.test(name);

const mayRead = ({ columns }: Readable, table: string, column: string): boolean =>
  valueTables.has(table) || columns.get(table)?.has(column) === true;

/** A name as it was typed, of anything in FROM of which no column is used: a subquery's, too. */
const mayCount = ({ hidden }: Readable, name: string): boolean => !hidden.has(name) && !isInternal(name);

/** The authoriser's answer; `a` and `b` are its first two details. */
export function permits(readable: Readable, action: number, a: string | null, b: string | null): boolean {
  switch (action) {
    case sqlite.SQLITE_SELECT:
    case sqlite.SQLITE_RECURSIVE:
      return true;
    case sqlite.SQLITE_READ:
      return b === '' ? mayCount(readable, (a ?? '').toLowerCase()) : mayRead(readable, a ?? '', b ?? '');
    case sqlite.SQLITE_FUNCTION:
      return safeFunctions.has((b ?? '').toLowerCase());
    default:
      return false;
  }
}

/**
 * The columns of USING and NATURAL are compared, and in a FULL JOIN given out, without asking the authoriser. The words are
 * refused wherever they stand: what is quoted and what is not would be told apart otherwise by us, and by SQLite differently.
 */
export const joinsByName = (sql: string): boolean => /using|natural/i.test(sql);

/** Why a statement is not to be run, by what it was compiled to: it opens something that is behind no view. */
export function hiddenIn(db: DatabaseSync, { roots }: Readable, sql: string): string | undefined {
  for (const { opcode, p2, p3, p5 } of db.prepare(`EXPLAIN ${sql}`).all()) {
    if (opcode === 'OpenWrite') return 'the statement would write';
    if (opcode !== 'OpenRead' && opcode !== 'ReopenIdx') continue;
    const known = p3 === mainDatabase && (Number(p5) & inRegister) === 0 && roots.has(Number(p2));
    if (!known) return 'the statement reads what the views do not show';
  }
  return undefined;
}
const mainDatabase = 0;
/** P2 is no page, but where one is found. */
const inRegister = 0x10;
