/**
 * What can go wrong with a database, in the program's words. Must stay true: whatever the outside world may do to a file
 * (full disk, missing rights, garbage, another process) has a code here; anything else is a broken invariant and is thrown
 * on as it came.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { Failure } from '../compiler/result.ts';

/** A call on an open Store could not be carried out: nothing of it was written. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(`${failure.code}: ${failure.detail}`);
    this.failure = failure;
  }
}
/** A cursor that no earlier page with this filter handed out. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';
}
/** A filter that cannot be understood: `since` is no time. */
export class BadFilter extends Error {
  override readonly name = 'BadFilter';
}

/** Where a failure happened: at opening, or at writing and reading records later. */
export type DataStage = 'data' | 'record';

const otherDir = 'give the directory to this user or choose another with --data DIR';
const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** A Failure result without an import from elsewhere. */
export const failing = (stage: DataStage, code: string, detail: string): { ok: false; error: Failure } => ({
  ok: false,
  error: { stage, code, detail },
});

export const corrupt = (stage: DataStage, file: string, why: string): { ok: false; error: Failure } =>
  failing(
    stage,
    'DB_CORRUPT',
    `${file}: ${why}; move it aside with its -wal and -shm files to begin anew ("sqlite3 FILE .recover" may save its records)`,
  );

/** Whether files can be made in a directory. Tried out: rights alone do not tell of read-only and remote file systems. */
function roomIn(dir: string): 'writable' | 'readonly' {
  const probe = join(dir, `.probe-${process.pid}`);
  try {
    closeSync(openSync(probe, 'w'));
    rmSync(probe);
    return 'writable';
  } catch {
    return 'readonly';
  }
}

/** The failure that an error of the file system or of SQLite stands for; undefined when it is a mistake of ours. */
export function failureOf(error: unknown, stage: DataStage, file: string): Failure | undefined {
  const code = codeOf(error);
  const why = error instanceof Error ? error.message : String(error);
  if (code === undefined) return undefined;
  return error instanceof Database.SqliteError
    ? sqliteFailure(code, stage, file, why)
    : systemFailure(code, stage, file, why);
}

function sqliteFailure(code: string, stage: DataStage, file: string, why: string): Failure | undefined {
  const is = (...starts: string[]): boolean => starts.some((s) => code === s || code.startsWith(`${s}_`));
  const readonly = (): Failure => failing(stage, 'DATA_DIR_READONLY', `cannot write ${file}: ${otherDir}`).error;
  // Two kinds of damage that SQLite may report under any code, as if a statement were wrong.
  const damaged = /^(malformed database schema|unsupported file format)/.test(why);
  if (damaged || is('SQLITE_CORRUPT', 'SQLITE_NOTADB')) return corrupt(stage, file, why).error;
  if (is('SQLITE_FULL')) return failing(stage, 'DISK_FULL', `no room left for ${file}`).error;
  if (is('SQLITE_BUSY', 'SQLITE_LOCKED'))
    return failing(stage, 'DB_BUSY', `${file} is locked by another process`).error;
  if (is('SQLITE_READONLY', 'SQLITE_PERM')) return readonly();
  if (is('SQLITE_CANTOPEN'))
    return roomIn(dirname(file)) === 'readonly'
      ? readonly()
      : failing(stage, 'DATA_DIR_BAD', `cannot open ${file}: ${why}`).error;
  if (is('SQLITE_IOERR')) return failing(stage, 'DB_IO', `${file}: ${why} (${code})`).error;
  return undefined;
}

function systemFailure(code: string, stage: DataStage, file: string, why: string): Failure | undefined {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return failing(stage, 'DATA_DIR_READONLY', `cannot write ${file}: ${otherDir}`).error;
    case 'ENOSPC':
    case 'EDQUOT':
      return failing(stage, 'DISK_FULL', `no room left for ${file}`).error;
    case 'ENOTDIR':
    case 'EEXIST':
    case 'ENOENT':
    case 'EISDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return failing(stage, 'DATA_DIR_BAD', `${file} cannot hold data: ${why}`).error;
    case 'EIO':
      return failing(stage, 'DB_IO', `${file}: ${why}`).error;
    default:
      return undefined;
  }
}
