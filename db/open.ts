/**
 * Opening a database. Must stay true: opening never harms what is there: a file that is not ours, damaged or newer is told
 * of and left alone; a reader makes nothing and needs no right to write.
 */
import { accessSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { Result } from '../compiler/result.ts';
import { corrupt, failing, failureOf } from './errors.ts';
import { makeDir } from './make-dir.ts';
import { checkSchema, migrate, schemaFiles, versionOf } from './migrate.ts';
import { logBytes, pageBytes } from './size.ts';
import { storeOn } from './store.ts';
import type { Store } from './types.ts';

/** A data directory, a database file, or a database that lives as long as the process. */
export type Place = { readonly dir: string } | { readonly file: string } | 'memory';
export interface OpenOptions {
  /** 'write' makes what is missing and migrates; 'read' changes nothing and works beside a writing process. */
  readonly mode: 'write' | 'read';
  /** Stamps rows; the system's clock by default. */
  readonly now?: () => Date;
}

/** The database's name in a data directory. */
export const databaseName = 'microtune.db';
/** How long to wait for another process's transaction, ms: to open a database, and later, where a daemon that waits answers nobody. */
const patience = 5000;
const laterPatience = 1000;
/** Of pages in memory. With four times as much, merging into a million trials writes as many bytes and takes as much of a processor. */
const cacheKiB = 16 * 1024;
/** Pages of 4 KiB in the write-ahead log before they go to their places: an import writes many of them again and again until then. */
const checkpointPages = 4000;
const fine: Result<void> = { ok: true, value: undefined };

const fileOf = (place: Place): string =>
  place === 'memory' ? ':memory:' : 'dir' in place ? join(place.dir, databaseName) : place.file;

/**
 * Opens a store. Codes: DATA_DIR_READONLY, DATA_DIR_BAD, DB_MISSING (reading, nothing there), DB_OLDER (reading, needs a
 * writer to migrate it first), DB_NEWER, DB_CORRUPT, DB_BUSY, DISK_FULL, DB_IO; stage 'data'.
 */
export function openStore(place: Place, options: OpenOptions): Result<Store> {
  const db = openDatabase(place, options.mode);
  return db.ok ? { ok: true, value: storeOn(db.value, options.now ?? (() => new Date())) } : db;
}

/** The database under a store, at the newest schema and with its settings made. */
export function openDatabase(place: Place, mode: OpenOptions['mode']): Result<Database.Database> {
  const file = fileOf(place);
  let db: Database.Database | undefined;
  try {
    const opened = mode === 'write' ? forWriting(file) : forReading(file);
    if (!opened.ok) return opened;
    db = opened.value;
    const ready = mode === 'write' ? prepare(db, file) : checkReadable(db, file);
    if (ready.ok) return opened;
    db.close();
    return ready;
  } catch (error) {
    db?.close();
    const failure = failureOf(error, 'data', file);
    if (failure === undefined) throw error;
    return { ok: false, error: failure };
  }
}

function forWriting(file: string): Result<Database.Database> {
  if (file !== ':memory:') {
    makeDir(dirname(file));
    const sound = checkSize(file);
    if (!sound.ok) return sound;
  }
  return { ok: true, value: new Database(file, { timeout: patience }) };
}

/** Every commit is on the disk when it returns: WAL's own default would lose the last ones at a power cut. */
function prepare(db: Database.Database, file: string): Result<void> {
  const sound = checkPages(db, file);
  if (!sound.ok) return sound;
  const version = versionOf(db, file);
  if (!version.ok) return version;
  const journal = db.pragma('journal_mode = WAL', { simple: true });
  if (journal !== 'wal' && file !== ':memory:')
    return failing('data', 'DB_IO', `${file}: this file system cannot hold a write-ahead log (got "${journal}")`);
  // What a statement would undo if it failed goes to a file otherwise: for each trial a dozen pages.
  db.pragma('temp_store = MEMORY');
  db.pragma('synchronous = FULL');
  db.pragma(`cache_size = ${-cacheKiB}`);
  db.pragma(`wal_autocheckpoint = ${checkpointPages}`);
  migrate(db);
  db.pragma(`busy_timeout = ${laterPatience}`);
  return checkSchema(db, file);
}

function forReading(file: string): Result<Database.Database> {
  try {
    accessSync(file);
  } catch {
    return failing('data', 'DB_MISSING', `no database at ${file}; tuning makes one`);
  }
  const sound = checkSize(file);
  if (!sound.ok) return sound;
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: patience });
  try {
    db.pragma('user_version');
    return { ok: true, value: db };
  } catch (error) {
    db.close();
    // Reading a log needs a shared file beside it. Where that cannot be made, a copy in memory does, if no log is pending.
    if (failureOf(error, 'data', file)?.code !== 'DATA_DIR_READONLY') throw error;
    return copyInMemory(file);
  }
}

function copyInMemory(file: string): Result<Database.Database> {
  const before = statSync(file);
  const bytes = readFileSync(file);
  const after = statSync(file);
  if (logBytes(file) > 0 || before.mtimeMs !== after.mtimeMs || before.size !== after.size)
    return failing(
      'data',
      'DATA_DIR_READONLY',
      `${file} has changes in its -wal file, and reading those needs a directory that can be written: copy both files elsewhere`,
    );
  // Bytes 18 and 19 say "write-ahead log", which memory does not have.
  bytes.fill(1, 18, 20);
  return { ok: true, value: new Database(bytes, { readonly: true }) };
}

function checkReadable(db: Database.Database, file: string): Result<void> {
  const sound = checkPages(db, file);
  if (!sound.ok) return sound;
  const version = versionOf(db, file);
  if (!version.ok) return version;
  if (version.value < schemaFiles.length)
    return failing(
      'data',
      'DB_OLDER',
      `${file} has schema ${version.value}, this microtune needs ${schemaFiles.length}: "microtune serve" on it once brings it there`,
    );
  return checkSchema(db, file);
}

/**
 * SQLite takes a file cut to a few bytes for an empty one, and finds a missing end late: both are seen here, before anything
 * is written. Only stat and SQLite look: closing a file of ours would drop the locks that SQLite holds on it in this process.
 */
function checkSize(file: string): Result<void> {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return size > 0 && size < 512 ? corrupt('data', file, `no database, or cut off after ${size} bytes`) : fine;
}

function checkPages(db: Database.Database, file: string): Result<void> {
  const needed = pageBytes(db);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? needed;
  // With a log pending, the pages that are missing here may be there.
  return needed > size && logBytes(file) === 0
    ? corrupt('data', file, `cut off after ${size} of ${needed} bytes`)
    : fine;
}
