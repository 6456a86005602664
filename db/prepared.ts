/** Statements that are kept: to plan one takes longer than to carry out most of what the daemon is asked. */
import type { Database, Statement } from 'better-sqlite3';

/** Kept at most: filters and orders make many, of which few are asked again. */
const most = 100;

export class Prepared {
  private readonly db: Database;
  private readonly kept = new Map<string, Statement<object>>();

  constructor(db: Database) {
    this.db = db;
  }

  /** The statement of this text, for parameters by name. It must not be asked for again while its rows are being read. */
  of<Row>(sql: string): Statement<object, Row> {
    const statement = (this.kept.get(sql) ?? this.db.prepare<object>(sql)) as Statement<object, Row>;
    this.kept.delete(sql);
    this.kept.set(sql, statement);
    const [oldest] = this.kept.keys();
    if (this.kept.size > most && oldest !== undefined) this.kept.delete(oldest);
    return statement;
  }
}
