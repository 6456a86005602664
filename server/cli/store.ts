/** The data directory's database, opened for reading beside whoever writes it. */
import { statSync } from 'node:fs';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { openStore, type Store } from '../../db/index.ts';

/** undefined where nothing was ever tuned. Failures: DATA_DIR_BAD, and those of opening what is there. */
export function readingStore(dir: string): Result<Store | undefined> {
  const found = statSync(dir, { throwIfNoEntry: false });
  if (found === undefined) return ok(undefined);
  if (!found.isDirectory()) return failed('data', 'DATA_DIR_BAD', `${dir} is no directory`);
  const opened = openStore({ dir }, { mode: 'read' });
  return !opened.ok && opened.error.code === 'DB_MISSING' ? ok(undefined) : opened;
}
