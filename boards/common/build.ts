/** Builds the server for a board: the sources of firmware-rpc, the board's own, and a network's objects. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Result } from '../../compiler/result.ts';
import { linkFirmware, readElf, sizesOf } from '../../toolchain/index.ts';
import type { Target } from '../board.ts';
import type { BuildRequest, BuiltFirmware } from '../module.ts';

const root = resolve(import.meta.dirname, '../..');
/** The server's own sources, and the folders of its headers. */
export const serverSources = ['frame.c', 'server.c', 'network_none.c'].map((f) => join(root, 'firmware-rpc/src', f));
export const serverDirs = [join(root, 'firmware-rpc/include'), join(root, 'firmware-rpc/src')];
export const headersIn = (dir: string): readonly string[] =>
  readdirSync(dir)
    .filter((f) => f.endsWith('.h'))
    .sort()
    .map((f) => join(dir, f));

export interface BuildRecipe {
  readonly target: Target;
  /** Absolute paths. */
  readonly sources: readonly string[];
  /** Absolute paths of folders whose headers the sources include, beside the server's own. */
  readonly includeDirs?: readonly string[];
  readonly flags: readonly string[];
  /** Absolute path. */
  readonly linkScript: string;
  /** Absolute paths of scripts that insert into that one what only this board has. */
  readonly insertScripts?: readonly string[];
  readonly linkFlags: readonly string[];
}

/** Tells builds apart by what goes into them, wherever it lies: equal sources and flags give equal firmware. */
function buildIdOf(recipe: BuildRecipe, request: BuildRequest): string {
  const hash = createHash('sha256');
  const headers = [...serverDirs, ...(recipe.includeDirs ?? [])].flatMap(headersIn);
  for (const file of [
    ...serverSources,
    ...headers,
    ...recipe.sources,
    recipe.linkScript,
    ...(recipe.insertScripts ?? []),
  ])
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
  // Beside it, then renamed: an emulator that starts while the same firmware is built again finds a whole file.
  const fresh = join(request.dir, `${request.name}.${randomUUID()}.elf`);
  const built = await linkFirmware({
    target: recipe.target,
    sources: [...serverSources, ...recipe.sources],
    includeDirs: [...serverDirs, ...(recipe.includeDirs ?? [])],
    objects: request.objects,
    defines: { MT_BUILD_ID: `"${buildId}"` },
    flags: recipe.flags,
    linkFlags: [...recipe.linkFlags, ...[...(recipe.insertScripts ?? []), recipe.linkScript].flatMap((f) => ['-T', f])],
    out: fresh,
  });
  if (!built.ok) {
    rmSync(fresh, { force: true });
    return { ok: false, error: { ...built.error, detail: inBytes(built.error.detail, recipe) } };
  }
  renameSync(fresh, elf);
  const parsed = readElf(readFileSync(elf));
  const bin = join(request.dir, `${request.name}.bin`);
  writeFileSync(bin, parsed.image().bytes);
  return { ok: true, value: { elf, bin, buildId, sizes: sizesOf(parsed) } };
}

/** Where a section's place depends on others the linker names an address; what a user wants to know is by how much it is beyond. */
function inBytes(detail: string, { linkFlags }: BuildRecipe): string {
  const value = (name: string): number =>
    Number(linkFlags.find((f) => f.startsWith(`-Wl,--defsym,${name}=`))?.split('=')[1]);
  const words = detail.replace(
    /address (0x[0-9a-f]+) of \S+ section `\S+' is not within region `(\w+)'/g,
    (whole: string, address: string, region: string) => {
      const beyond = Number(address) - value(`MT_${region}`) - value(`MT_${region}_BYTES`);
      return beyond > 0 ? `region \`${region}' overflowed by ${beyond} bytes` : whole;
    },
  );
  // The end of the arena lies in what is in the next memory.
  const inNext = /section \.\w+ VMA \[(\w+),\w+\] overlaps section \.network VMA \[\w+,(\w+)\]/g;
  const all = words.replace(
    inNext,
    (_, taken: string, last: string) =>
      `region \`DATA' overflowed by ${Number.parseInt(last, 16) + 1 - Number.parseInt(taken, 16)} bytes`,
  );
  // The linker says it for each time that it tries.
  return [...new Set(all.split('\n'))].join('\n');
}
