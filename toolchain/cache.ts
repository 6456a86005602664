/**
 * Keeps a build cache within bounds: each candidate of a search leaves an object, and a daemon runs for weeks. Must stay true:
 * what was used within the last hour stays, since somebody may be about to link it, in another process perhaps.
 */
import { utimesSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Files that are kept: those used last. About 100 MB. */
const usualFiles = 20_000;
/** Milliseconds for which a file stays after its last use. */
const freshMs = 3_600_000;

/** Notes that a cached file, if it is there, is used. */
export function touch(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    // It belongs to somebody else, or is just gone: then it grows old, or is missed by whoever reads it.
  }
}

/** Removes the files of `dir` that were not used for longest, until `files` are left; folders stay. Throws what the system throws. */
export async function pruneCache(dir: string, files = usualFiles): Promise<void> {
  const names = (await readdir(dir)).filter((name) => /\.(o|su|elf)$/.test(name));
  if (names.length <= files) return;
  const found: { readonly file: string; readonly usedMs: number }[] = [];
  for (const name of names) {
    const file = join(dir, name);
    const usedMs = await stat(file).then(
      (s) => s.mtimeMs,
      () => undefined,
    );
    if (usedMs !== undefined) found.push({ file, usedMs });
  }
  found.sort((a, b) => b.usedMs - a.usedMs);
  const old = Date.now() - freshMs;
  for (const { file, usedMs } of found.slice(files)) if (usedMs < old) await rm(file, { force: true });
}
