/**
 * The schema's versions, applied in order. Must stay true: a file in schema/ is never changed once released (a new one is
 * added), `user_version` is the number of files applied, and a database is either wholly at a version or wholly at the next.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Result } from '../compiler/result.ts';
import { corrupt, failing } from './errors.ts';

/** Every file of schema/, in order. */
export const schemaFiles: readonly string[] = [
  '0001-start.sql',
  '0002-doubts.sql',
  '0003-budgets.sql',
  '0004-jobs.sql',
  '0005-devices.sql',
  '0006-log.sql',
  '0007-queries.sql',
  '0008-service.sql',
  '0009-webhooks.sql',
  '0010-lots.sql',
  '0011-workers.sql',
  '0012-waits.sql',
  '0013-outcomes.sql',
];
/** Read at the start: a failure to read our own files must not be taken for one of somebody's database. */
const schemas = schemaFiles.map((name) => readFileSync(join(import.meta.dirname, 'schema', name), 'utf8'));
/** Set by 0001, so that a database of another program is not taken for ours. */
const applicationId = 0x6d747564;

const numberOf = (db: Database.Database, pragma: string): number => Number(db.pragma(pragma, { simple: true }));
const isEmpty = (db: Database.Database): boolean =>
  db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;

/** The version of a database; a failure when this program cannot use it. 0: empty. */
export function versionOf(db: Database.Database, file: string): Result<number> {
  const version = numberOf(db, 'user_version');
  if (version === 0 && isEmpty(db)) return { ok: true, value: 0 };
  if (numberOf(db, 'application_id') !== applicationId) return corrupt('data', file, 'not a database of microtune');
  if (version > schemaFiles.length)
    return failing(
      'data',
      'DB_NEWER',
      `${file} has schema ${version}, this microtune knows ${schemaFiles.length}: use the newer microtune that wrote it, or another --data DIR`,
    );
  return { ok: true, value: version };
}

/** Brings a database to the newest version in one transaction. Two processes may try at once: the second finds nothing to do. */
export function migrate(db: Database.Database): void {
  // Rebuilding a table would otherwise delete what refers to it; the check below stands in.
  db.pragma('foreign_keys = OFF');
  db.transaction(() => {
    const missing = schemas.slice(numberOf(db, 'user_version'));
    // The check reads every row: not at each start of a farm with a million.
    if (missing.length === 0) return;
    for (const schema of missing) db.exec(schema);
    if (db.prepare('SELECT 1 FROM pragma_foreign_key_check').get() !== undefined)
      throw new Error('a migration broke a foreign key');
    db.pragma(`user_version = ${schemaFiles.length}`);
  }).immediate();
  db.pragma('foreign_keys = ON');
}

/**
 * Whether every table, index and trigger is there as the schema's files made it: damage, and triggers dropped by hand, are seen
 * before anything is written. What others added (an index, a view) may stay.
 */
export function checkSchema(db: Database.Database, file: string): Result<void> {
  const fresh = new Database(':memory:');
  migrate(fresh);
  const found = new Set(partsOf(db));
  const missing = partsOf(fresh).find((part) => !found.has(part));
  fresh.close();
  if (missing !== undefined)
    return corrupt('data', file, `its schema was changed, this is missing: ${missing.split('\n')[0]}`);
  if (db.prepare('SELECT id FROM farm').get() === undefined) return corrupt('data', file, 'its name is missing');
  return { ok: true, value: undefined };
}

const partsOf = (db: Database.Database): string[] =>
  db.prepare<[], string>('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL').pluck().all();
