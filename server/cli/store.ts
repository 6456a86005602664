/** The data directory's database: for reading beside whoever writes it, or for a change. */
import { statSync } from 'node:fs';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { openStore, type Store, StoreError } from '../../db/index.ts';
import { lockDataDir } from '../../db/lock.ts';

/** undefined where nothing was ever tuned. Failures: DATA_DIR_BAD, and those of opening what is there. */
export function readingStore(dir: string): Result<Store | undefined> {
  const found = statSync(dir, { throwIfNoEntry: false });
  if (found === undefined) return ok(undefined);
  if (!found.isDirectory()) return failed('data', 'DATA_DIR_BAD', `${dir} is no directory`);
  const opened = openStore({ dir }, { mode: 'read' });
  return !opened.ok && opened.error.code === 'DB_MISSING' ? ok(undefined) : opened;
}

/** What `read` finds; `nothing` where nothing was ever tuned. Failures: those of readingStore. */
export function readStore<T>(dir: string, read: (store: Store) => T, nothing: T): Result<T> {
  const store = readingStore(dir);
  if (!store.ok) return store;
  if (store.value === undefined) return ok(nothing);
  try {
    return ok(read(store.value));
  } finally {
    store.value.close();
  }
}

/** A change beside the daemon, if one runs. Failures: those of opening the database. */
export function changeStore<T>(dir: string, change: (store: Store) => Result<T>): Result<T> {
  const store = openStore({ dir }, { mode: 'write' });
  if (!store.ok) return store;
  try {
    return change(store.value);
  } finally {
    store.value.close();
  }
}

/** A change while no daemon runs, nor can start. Failures: DATA_IN_USE, and those of the database. */
export function changeAlone<T>(dir: string, change: (store: Store) => Result<T>): Result<T> {
  const lock = lockDataDir(dir);
  if (!lock.ok) return lock;
  try {
    return changeStore(dir, change);
  } catch (error) {
    if (error instanceof StoreError) return { ok: false, error: error.failure };
    throw error;
  } finally {
    lock.value.release();
  }
}
