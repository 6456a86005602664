/** Builds the server for a board: the sources of firmware-rpc, the board's own, and a network's objects. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Result } from '../../compiler/result.ts';
import { linkFirmware, readElf, sizesOf } from '../../toolchain/index.ts';
import type { Target } from '../board.ts';
import type { BuildRequest, BuiltFirmware } from '../module.ts';

const root = resolve(import.meta.dirname, '../..');
const server = ['frame.c', 'server.c', 'network_none.c'].map((f) => join(root, 'firmware-rpc/src', f));

export interface BuildRecipe {
  readonly target: Target;
  /** Absolute paths. */
  readonly sources: readonly string[];
  readonly flags: readonly string[];
  readonly linkFlags: readonly string[];
}

export async function buildServer(recipe: BuildRecipe, request: BuildRequest): Promise<Result<BuiltFirmware>> {
  mkdirSync(request.dir, { recursive: true });
  const sources = [...server, ...recipe.sources];
  const hash = createHash('sha256');
  for (const file of [...sources, ...request.objects]) hash.update(readFileSync(file));
  hash.update(JSON.stringify([recipe.target, recipe.flags, recipe.linkFlags]));
  const buildId = hash.digest('hex').slice(0, 16);
  const elf = join(request.dir, `${request.name}.elf`);
  const built = await linkFirmware({
    target: recipe.target,
    sources,
    includeDirs: [join(root, 'firmware-rpc/include'), join(root, 'firmware-rpc/src')],
    objects: request.objects,
    defines: { MT_BUILD_ID: `"${buildId}"` },
    flags: recipe.flags,
    linkFlags: recipe.linkFlags,
    out: elf,
  });
  if (!built.ok) return built;
  const parsed = readElf(readFileSync(elf));
  const bin = join(request.dir, `${request.name}.bin`);
  writeFileSync(bin, parsed.image().bytes);
  return { ok: true, value: { elf, bin, buildId, sizes: sizesOf(parsed) } };
}
