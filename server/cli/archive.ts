/** An artifact's tar.gz -> files in a folder. Names that would lead outside it are refused, whoever packed them. */
import { writeFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { makeDir } from '../../db/make-dir.ts';

/** Writes the archive's files below `dir`. Failure: ARTIFACT_INVALID. */
export async function unpack(archive: Uint8Array, dir: string): Promise<Result<void>> {
  const files = new Map<string, Buffer>();
  try {
    const entries = extract();
    entries.end(gunzipSync(archive));
    for await (const entry of entries) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      if (entry.header.type === 'file') files.set(normalize(entry.header.name), Buffer.concat(chunks));
    }
  } catch (error) {
    return failed('artifact', 'ARTIFACT_INVALID', error instanceof Error ? error.message : String(error));
  }
  const outside = [...files.keys()].find((name) => name.startsWith('..') || name.startsWith(sep));
  if (outside !== undefined)
    return failed('artifact', 'ARTIFACT_INVALID', `it names a file outside its folder: ${outside}`);
  for (const [name, content] of files) {
    makeDir(dirname(join(dir, name)));
    writeFileSync(join(dir, name), content);
  }
  return ok(undefined);
}
