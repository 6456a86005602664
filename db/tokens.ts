/** Tokens that open the daemon to others. Must stay true: what is stored cannot be turned back into a token; a name is given once. */
import type { Database } from 'better-sqlite3';

/** What a token allows. */
export const scopes = ['read', 'tune', 'work', 'admin'] as const;
export type Scope = (typeof scopes)[number];

export interface TokenRow {
  readonly name: string;
  readonly scope: Scope;
  readonly createdAt: string;
  readonly revokedAt: string | null;
}
/** A token as it is checked: the SHA-256 of its text. */
export type TokenHash = Pick<TokenRow, 'name' | 'scope'> & { readonly hash: Uint8Array };

export class Tokens {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  /** undefined where the name was given before, be it to a token that is revoked. */
  add(token: TokenHash, at: string): TokenRow | undefined {
    const added = this.db
      .prepare('INSERT INTO tokens (name, scope, hash, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING')
      .run(token.name, token.scope, token.hash, at);
    return added.changes === 1 ? this.get(token.name) : undefined;
  }

  /** By name. */
  all(): readonly TokenRow[] {
    return this.db
      .prepare<[], TokenRow>(
        'SELECT name, scope, created_at AS createdAt, revoked_at AS revokedAt FROM tokens ORDER BY name',
      )
      .all();
  }

  /** Those that are not revoked. */
  valid(): readonly TokenHash[] {
    return this.db
      .prepare<[], TokenHash>('SELECT name, scope, hash FROM tokens WHERE revoked_at IS NULL ORDER BY name')
      .all();
  }

  /** The token as it is now; undefined where none has the name. The first time of revoking stays. */
  revoke(name: string, at: string): TokenRow | undefined {
    this.db.prepare('UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL').run(at, name);
    return this.get(name);
  }

  private get(name: string): TokenRow | undefined {
    return this.all().find((t) => t.name === name);
  }
}
