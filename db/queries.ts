/** Queries that people have saved. Must stay true: a name stands for one query, the one that was put last. */
import type { Database } from 'better-sqlite3';

export interface SavedQuery {
  readonly name: string;
  readonly title: string;
  readonly sql: string;
}

export class SavedQueries {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  /** By name. */
  all(): readonly SavedQuery[] {
    return this.db.prepare<[], SavedQuery>('SELECT name, title, sql FROM queries ORDER BY name').all();
  }

  get(name: string): SavedQuery | undefined {
    return this.db.prepare<[string], SavedQuery>('SELECT name, title, sql FROM queries WHERE name = ?').get(name);
  }

  put({ name, title, sql }: SavedQuery, at: string): void {
    this.db
      .prepare(
        `INSERT INTO queries VALUES (?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET title = excluded.title, sql = excluded.sql, at = excluded.at`,
      )
      .run(name, title, sql, at);
  }

  /** False where there was none. */
  remove(name: string): boolean {
    return this.db.prepare('DELETE FROM queries WHERE name = ?').run(name).changes === 1;
  }
}
