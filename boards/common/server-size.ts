/**
 * What the server alone costs on a target: code, constants and variables of firmware-rpc, without the board's port, a network,
 * the load region and the stacks. The limits are the project's promise to small parts; test/host/server-size.test.ts keeps it.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Result } from '../../compiler/result.ts';
import { compileUnit, readElf, sizesOf } from '../../toolchain/index.ts';
import type { Target } from '../board.ts';
import type { BuiltFirmware } from '../module.ts';
import { headersIn, serverDirs, serverSources } from './build.ts';

export type FirmwareSizes = BuiltFirmware['sizes'];

/** Bytes on a Cortex-M0+: flash, and RAM beside load region and stacks. */
export const serverLimits = { flash: 4096, ram: 2048 } as const;

const textOf = (file: string): string => readFileSync(file, 'utf8');

/** Object files of the server for a target, in `cacheDir`. Failures: those of compileUnit. */
export async function serverObjects(target: Target, cacheDir: string): Promise<Result<readonly string[]>> {
  const byName = Object.fromEntries(serverDirs.flatMap(headersIn).map((f) => [basename(f), textOf(f)]));
  const objects: string[] = [];
  for (const file of serverSources) {
    const flags = ['-Wall', '-Wextra', '-Werror', '-DMT_BUILD_ID="0123456789abcdef"'];
    const unit = { target, name: file, source: textOf(file), flags, headers: byName };
    const object = await compileUnit(unit, cacheDir);
    if (!object.ok) return object;
    objects.push(object.value.path);
  }
  return { ok: true, value: objects };
}

/** Sizes of all of them together. */
export async function serverSizes(target: Target, cacheDir: string): Promise<Result<FirmwareSizes>> {
  const objects = await serverObjects(target, cacheDir);
  if (!objects.ok) return objects;
  const total = { text: 0, data: 0, bss: 0 };
  for (const path of objects.value) {
    const { text, data, bss } = sizesOf(readElf(readFileSync(path)));
    total.text += text;
    total.data += data;
    total.bss += bss;
  }
  return { ok: true, value: total };
}

/** Two lines for people: the server alone and the whole firmware. */
export function sizeLines(server: FirmwareSizes, whole: FirmwareSizes): readonly string[] {
  const line = (what: string, s: FirmwareSizes): string =>
    `${what.padEnd(14)}text ${String(s.text).padStart(8)}  data ${String(s.data).padStart(6)}  bss ${String(s.bss).padStart(8)}`;
  return [line('server alone', server), line('firmware', whole)];
}
