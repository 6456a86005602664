/**
 * Files that builds make and share in the cache's folder. Must stay true: whoever deletes the folder, or what is in it, costs the
 * builds under way one more try; a full or locked disk is a failure with a code.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../compiler/result.ts';
import { fail, noRoom, systemFailure } from './endings.ts';
import type { Ran } from './process.ts';

/** A name for content. */
export const sha = (...parts: readonly (string | Uint8Array)[]): string => {
  const h = createHash('sha256');
  for (const p of parts) h.update(p).update('\0');
  return h.digest('hex').slice(0, 32);
};

/** The failure of a build whose files were deleted under it. */
export const lost = (stage: string, file: string): Result<never> =>
  fail(stage, 'CACHE_LOST', `${file} was deleted while it was needed`);

/** Whether a tool missed a file of the cache; by now somebody else may have made it again. */
export const missedFile = (ran: Ran, cacheDir: string): boolean =>
  // On a full disk, too, files are missing.
  !noRoom(ran) &&
  ran.stderr
    .split('\n')
    .some(
      (line) => line.includes(`${cacheDir}/`) && /: No such file or directory$|cannot open .* for writing/.test(line),
    );

/** Work in the cache's folder, which is made where it is missing. If somebody deletes it meanwhile, the work is done again. */
export async function inCache<T>(stage: string, cacheDir: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
  for (let again = 0; ; again++) {
    const done = await asFailures(stage, async () => {
      makeCache(cacheDir);
      return await work();
    });
    if (done.ok || done.error.code !== 'CACHE_LOST' || again === 2) return done;
  }
}
/** Only the folder itself: where what it lies in is gone, more is wrong than a cache. */
function makeCache(cacheDir: string): void {
  if (existsSync(cacheDir)) return;
  try {
    mkdirSync(cacheDir);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(cacheDir)) throw error;
  }
}
/** The system's errors as failures. */
export async function asFailures<T>(stage: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await work();
  } catch (error) {
    const failure = systemFailure(stage, error);
    if (failure === undefined) throw error;
    return failure;
  }
}

/** Headers in a folder named by their content, so that it is written once. */
export function writeHeaders(headers: Readonly<Record<string, string>>, cacheDir: string): string {
  const dir = join(cacheDir, `include-${sha(JSON.stringify(headers))}`);
  if (existsSync(dir)) return dir;
  const temporary = `${dir}.${randomUUID()}.tmp`;
  mkdirSync(temporary);
  for (const [name, text] of Object.entries(headers)) writeFileSync(join(temporary, name), text);
  try {
    renameSync(temporary, dir);
  } catch (error) {
    // Somebody else was first; theirs is the same.
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
  return dir;
}
