/** An artifact as an archive: whoever breaks off reading it harms nobody. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { packArtifact } from '../../server/artifact.ts';
import { room } from './db-helpers.ts';
import { Random } from './random.ts';

/** A folder with files that do not shrink. */
function folder(): string {
  const dir = room();
  mkdirSync(join(dir, 'firmware'));
  const r = new Random(3);
  for (const name of ['a.c', 'b.h', 'firmware/c.elf', 'firmware/d.bin'])
    writeFileSync(
      join(dir, name),
      Uint8Array.from({ length: 100_000 }, () => r.int(0, 255)),
    );
  return dir;
}

test('a reader that goes away, wherever in the archive, ends it without a word', async () => {
  const thrown: unknown[] = [];
  const listen = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', listen);
  onTestFinished(() => void process.off('uncaughtException', listen));
  const dir = folder();
  for (let chunks = 0; chunks < 6; chunks++) {
    const archive = packArtifact(dir);
    let seen = 0;
    if (chunks > 0) for await (const _ of archive) if (++seen === chunks) break;
    archive.destroy();
    await new Promise((done) => setImmediate(() => setImmediate(done)));
  }
  expect(thrown).toEqual([]);
});

test('equal folders are equal bytes', async () => {
  const [one, other] = await Promise.all(
    [folder(), folder()].map(async (dir) => {
      const chunks: Buffer[] = [];
      for await (const chunk of packArtifact(dir)) chunks.push(chunk as Buffer);
      return gunzipSync(Buffer.concat(chunks));
    }),
  );
  expect(one?.equals(other ?? Buffer.alloc(0))).toBe(true);
});
