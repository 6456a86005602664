/** Where a job's artifact lies, and a folder as a tar.gz: sorted, without times and owners, so that equal folders are equal bytes. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { tagOf } from './service/etag.ts';

/** Paths in the archive are relative to the folder. */
export function packArtifact(dir: string): Readable {
  const tar = pack();
  for (const file of filesIn(dir)) {
    const name = relative(dir, join(dir, file));
    const entry = tar.entry({ name, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }, readFileSync(join(dir, file)));
    // Those that were not read yet end with an error each.
    entry.on('error', () => undefined);
  }
  tar.finalize();
  // The reader going away ends both; there is nobody to tell.
  return pipeline(tar, createGzip(), () => undefined);
}

/** ETag of the archive: equal folders are equal bytes. */
export const artifactTag = (dir: string): string =>
  tagOf(...filesIn(dir).flatMap((file) => [file, readFileSync(join(dir, file))]));

const filesIn = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((f) => statSync(join(dir, f)).isFile())
    .sort();

/** Folder of a job's artifact. */
export const artifactDir = (dataDir: string, job: string): string => join(dataDir, 'jobs', job, 'out');
