/** Builds one small network for the host into the folder given and prints a hash of every file there. A program of emit.test.ts. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boardOf } from '../../boards/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { type BuildOptions, build, finishArtifact, verify } from '../../server/build.ts';
import { schedulesFor } from '../schedules.ts';
import { randomNetwork } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const [outDir = ''] = process.argv.slice(2);
const board = boardOf('host');
if (board === undefined) throw new Error('no host board');
const model = randomNetwork(new Random(8));
const graph = runPasses(model, { optional: 'all' });
const cacheDir = mkdtempSync(join(tmpdir(), 'mt-emit-cache-'));
try {
  const selected = schedulesFor(graph, board.target.features, { seed: 1 });
  const options: BuildOptions = { graph, name: 'net', board, selected, outDir, cacheDir };
  const built = await build(options);
  if (!built.ok) throw new Error(built.error.detail);
  const verified = await verify(built.value, board, model, 2);
  if (!verified.ok) throw new Error(verified.error.detail);
  finishArtifact(built.value, options, verified.value, {});
} finally {
  rmSync(cacheDir, { recursive: true, force: true });
}
for (const name of readdirSync(outDir, { recursive: true, encoding: 'utf8' }).sort()) {
  const file = join(outDir, name);
  if (statSync(file).isFile()) console.log(name, createHash('sha256').update(readFileSync(file)).digest('hex'));
}
