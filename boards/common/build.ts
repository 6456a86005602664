/** Builds the server for a board: the sources of firmware-rpc, the board's own, and a network's objects. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Result } from '../../compiler/result.ts';
import { linkFirmware, readElf, sizesOf } from '../../toolchain/index.ts';
import type { Target } from '../board.ts';
import type { BuildRequest, BuiltFirmware } from '../module.ts';

const root = resolve(import.meta.dirname, '../..');
const server = ['frame.c', 'server.c', 'network_none.c'].map((f) => join(root, 'firmware-rpc/src', f));
const includeDirs = [join(root, 'firmware-rpc/include'), join(root, 'firmware-rpc/src')];
const headers = includeDirs.flatMap((dir) =>
  readdirSync(dir)
    .filter((f) => f.endsWith('.h'))
    .sort()
    .map((f) => join(dir, f)),
);

export interface BuildRecipe {
  readonly target: Target;
  /** Absolute paths. */
  readonly sources: readonly string[];
  readonly flags: readonly string[];
  /** Absolute path. */
  readonly linkScript: string;
  readonly linkFlags: readonly string[];
}

/** Tells builds apart by what goes into them, wherever it lies: equal sources and flags give equal firmware. */
function buildIdOf(recipe: BuildRecipe, request: BuildRequest): string {
  const hash = createHash('sha256');
  for (const file of [...server, ...headers, ...recipe.sources, recipe.linkScript])
    hash.update(`${basename(file)}\0`).update(readFileSync(file));
  for (const file of request.objects) hash.update(readFileSync(file));
  hash.update(JSON.stringify([recipe.target, recipe.flags, recipe.linkFlags]));
  return hash.digest('hex').slice(0, 16);
}

/** ELF and .bin in `request.dir`. Failures: TOOL_MISSING, LINK_FAILED, MODEL_TOO_BIG. */
export async function buildServer(recipe: BuildRecipe, request: BuildRequest): Promise<Result<BuiltFirmware>> {
  mkdirSync(request.dir, { recursive: true });
  const buildId = buildIdOf(recipe, request);
  const elf = join(request.dir, `${request.name}.elf`);
  const built = await linkFirmware({
    target: recipe.target,
    sources: [...server, ...recipe.sources],
    includeDirs,
    objects: request.objects,
    defines: { MT_BUILD_ID: `"${buildId}"` },
    flags: recipe.flags,
    linkFlags: [...recipe.linkFlags, '-T', recipe.linkScript],
    out: elf,
  });
  if (!built.ok) return built;
  const parsed = readElf(readFileSync(elf));
  const bin = join(request.dir, `${request.name}.bin`);
  writeFileSync(bin, parsed.image().bytes);
  return { ok: true, value: { elf, bin, buildId, sizes: sizesOf(parsed) } };
}
