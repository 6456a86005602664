/** The secret that webhooks are signed with: the user's own file, or one that is made in the data directory and stays. */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failed, ok, type Result } from '../../compiler/result.ts';

/** Its name in a data directory. */
export const secretName = 'webhook-secret';
/** Fewer characters could be guessed. */
const shortest = 16;

/** The secret in `file`, or in the data directory, where it is made if need be. Failures: FILE_UNUSABLE, SECRET_UNSAFE. */
export function openSecret(dataDir: string, file?: string): Result<string> {
  const path = file ?? join(dataDir, secretName);
  try {
    if (file === undefined) make(path);
    const secret = readFileSync(path, 'utf8').trim();
    if (secret.length < shortest)
      return failed('start', 'SECRET_UNSAFE', `${path} holds ${secret.length} characters, ${shortest} are the least`);
    if ((statSync(path).mode & 0o077) !== 0)
      return failed('start', 'SECRET_UNSAFE', `${path} can be read by others: chmod 600 ${path}`);
    return ok(secret);
  } catch (error) {
    return failed('start', 'FILE_UNUSABLE', error instanceof Error ? error.message : String(error));
  }
}

/** Whole or not at all, and never over one that is there: receivers know that one. */
function make(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(fresh, path);
  } finally {
    rmSync(fresh, { force: true });
  }
}
