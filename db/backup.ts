/**
 * A copy of a database that is in use. Must stay true: the file under the final name is whole, whatever ends the copying; readers and
 * writers go on meanwhile, and what they commit during the copying may be in it.
 */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import type { Result } from '../compiler/result.ts';
import { failing, failureOf } from './errors.ts';
import { makeDir } from './make-dir.ts';

/** Pages copied before anything else gets its turn: about a millisecond. */
const pagesAtOnce = 100;

/** Copies a database to a file that is not there yet; its bytes. Codes: FILE_UNUSABLE, DISK_FULL, DATA_DIR_READONLY and others of files. */
export async function backupTo(db: Database, file: string): Promise<Result<number>> {
  if (statSync(file, { throwIfNoEntry: false }) !== undefined)
    return failing('data', 'FILE_UNUSABLE', `${file} is there already`);
  const part = `${file}.part`;
  try {
    makeDir(dirname(file));
    await db.backup(part, { progress: () => pagesAtOnce });
    renameSync(part, file);
    return { ok: true, value: statSync(file).size };
  } catch (error) {
    for (const left of [part, `${part}-journal`]) if (existsSync(left)) rmSync(left);
    const failure = failureOf(error, 'data', file);
    if (failure === undefined) throw error;
    return { ok: false, error: failure };
  }
}
