/**
 * Which line of C an address of linked code belongs to. Candidates are compiled without debug information; here the same source
 * is compiled again with it, and what it says is believed only where the machine code is the same.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asFailures } from './in-cache.ts';
import { type CandidateLink, candidateElf, compileUnit, type Elf, findTool, readElf, run, type Unit } from './index.ts';

export interface SourcePlace {
  /** Of the line, which may have been inlined elsewhere. */
  readonly function: string;
  /** From 1. */
  readonly line: number;
}

/** Everything of an object that ends up in memory. */
function contentOf(elf: Elf, file: Uint8Array): string {
  return elf.sections
    .filter((s) => s.allocated)
    .map(
      (s) =>
        `${s.name} ${s.bytes} ${Buffer.from(s.stored ? file.subarray(s.offset, s.offset + s.bytes) : []).toString('hex')}`,
    )
    .join('\n');
}
function sameContent(a: string, b: string): boolean {
  const [one, other] = [readFileSync(a), readFileSync(b)];
  return contentOf(readElf(one), one) === contentOf(readElf(other), other);
}

/** Lines of `addr2line -a -f -i` after an address: pairs of function and FILE:LINE, the innermost first. */
function placeOf(lines: readonly string[]): SourcePlace | undefined {
  const line = Number(/:(\d+)/.exec(lines[1] ?? '')?.[1] ?? 0);
  return line > 0 ? { function: lines[0] ?? '', line } : undefined;
}

type Places = readonly (SourcePlace | undefined)[];

/**
 * A place for each address, in order; undefined where it is not known: another tool's code, no such address, a missing tool, no room
 * for finding out.
 */
export async function placesInSource(...question: Parameters<typeof lookUp>): Promise<Places> {
  const found = await asFailures('link', async () => ({ ok: true, value: await lookUp(...question) }));
  return found.ok ? found.value : question[2].map(() => undefined);
}

async function lookUp(
  unit: Unit,
  link: CandidateLink,
  addresses: readonly number[],
  cacheDir: string,
): Promise<Places> {
  const unknown = addresses.map(() => undefined);
  const tool = unit.target.compiler.replace(/gcc$/, 'addr2line');
  if (tool === unit.target.compiler || findTool(tool) === undefined) return unknown;
  const object = await compileUnit({ ...unit, flags: [...unit.flags, '-g1'] }, cacheDir);
  if (!object.ok || !sameContent(link.object.path, object.value.path)) return unknown;
  const elf = await candidateElf({ ...link, object: object.value }, cacheDir);
  if (!elf.ok) return unknown;
  const path = join(cacheDir, `${randomUUID()}.elf`);
  writeFileSync(path, elf.value);
  const ran = await run([tool, '-a', '-f', '-i', '-e', path, ...addresses.map((a) => `0x${a.toString(16)}`)]);
  rmSync(path, { force: true });
  return ran.stdout
    .split(/^0x[0-9a-f]+\n/m)
    .slice(1)
    .map((said) => placeOf(said.split('\n')));
}
