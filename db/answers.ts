/**
 * What requests with an Idempotency-Key were answered. Must stay true: of two requests with one key only the first is carried
 * out; one whose daemon ended before it had answered is never carried out again under that key.
 */
import type { Database } from 'better-sqlite3';

export interface Answer {
  readonly status: number;
  /** Content type. */
  readonly type: string;
  readonly body: string;
}
/** Who asks under which key, and for what: the hash of method, path and body. */
export interface KeyedRequest {
  /** Name of the token; '' without one. */
  readonly owner: string;
  readonly key: string;
  /** SHA-256. */
  readonly request: Uint8Array;
}
export type Claim =
  | { readonly state: 'new' }
  | { readonly state: 'done'; readonly answer: Answer }
  | { readonly state: 'pending' | 'lost' | 'mismatch' };

type Row = { readonly request: Uint8Array } & (
  | { readonly state: 'pending' | 'lost' }
  | ({ readonly state: 'done' } & Answer)
);

/** How long an answer is kept, ms. */
const keptMs = 24 * 3_600_000;

export class Answers {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  /** A daemon begins: nobody works any more on what its predecessor did not answer. */
  begin(): void {
    this.db.prepare("UPDATE answers SET state = 'lost' WHERE state = 'pending'").run();
  }

  /** Takes the key, unless somebody has; `at` is now. */
  claim({ owner, key, request }: KeyedRequest, at: string): Claim {
    this.db.prepare('DELETE FROM answers WHERE at < ?').run(new Date(Date.parse(at) - keptMs).toISOString());
    const row = this.db
      .prepare<[string, string], Row>(
        'SELECT request, state, status, type, body FROM answers WHERE owner = ? AND key = ?',
      )
      .get(owner, key);
    if (row === undefined) {
      this.db
        .prepare("INSERT INTO answers (owner, key, request, state, at) VALUES (?, ?, ?, 'pending', ?)")
        .run(owner, key, request, at);
      return { state: 'new' };
    }
    if (Buffer.compare(row.request, request) !== 0) return { state: 'mismatch' };
    if (row.state !== 'done') return { state: row.state };
    const { status, type, body } = row;
    return { state: 'done', answer: { status, type, body } };
  }

  /** The answer to a request that had claimed its key. */
  keep({ owner, key }: KeyedRequest, { status, type, body }: Answer): void {
    this.db
      .prepare("UPDATE answers SET state = 'done', status = ?, type = ?, body = ? WHERE owner = ? AND key = ?")
      .run(status, type, body, owner, key);
  }

  /** Gives a key back: the request came to nothing, so it may be tried again. */
  forget({ owner, key }: KeyedRequest): void {
    this.db.prepare('DELETE FROM answers WHERE owner = ? AND key = ?').run(owner, key);
  }
}
