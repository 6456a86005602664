/** Objects -> code at its place: candidates in a device's load regions, and whole firmware. */
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../boards/board.ts';
import type { Result } from '../compiler/result.ts';
import { compileUnit, type ObjectFile } from './compile.ts';
import { type Image, readElf } from './elf.ts';
import { fail, linkFailure } from './endings.ts';
import { findTool } from './find-tool.ts';
import { inCache, lost, missedFile, sha, writeHeaders } from './in-cache.ts';
import { runAgainIfKilled, toolHint } from './process.ts';

export interface CandidateLink {
  readonly target: Target;
  readonly object: ObjectFile;
  /** Address that the code is linked for. */
  readonly base: number;
  /** Addresses of constants that already lie in the device. */
  readonly symbols: Readonly<Record<string, number>>;
  readonly entry: string;
  /** Room at base. */
  readonly maxBytes: number;
  /** Where code in the section .ramfunc goes; behind the rest where not given. */
  readonly ram?: { readonly base: number; readonly bytes: number };
}
export interface Linked {
  /** At `base`, and at `ram.base` if anything goes there. */
  readonly images: readonly Image[];
  readonly entry: number;
  /** Of the images and where they lie: equal hashes are equal measurements. */
  readonly hash: string;
}

/**
 * The ELF file of an object that is linked for its place in the load regions. Failures: LINK_FAILED; CACHE_LOST where the object is
 * not there any more, and others of isOutside().
 */
export async function candidateElf(c: CandidateLink, cacheDir: string): Promise<Result<Uint8Array>> {
  return inCache('link', cacheDir, async () => {
    // By whom links: another compiler might make of a loop the very call that it is the body of.
    const { kernels: _, ...target } = c.target;
    const memory = await compileUnit({ ...memoryFunctions, target }, cacheDir);
    return memory.ok ? linkTo(join(cacheDir, `${randomUUID()}.elf`), c, memory.value, cacheDir) : memory;
  });
}

async function linkTo(
  elfPath: string,
  c: CandidateLink,
  memory: ObjectFile,
  cacheDir: string,
): Promise<Result<Uint8Array>> {
  const symbols = Object.entries(c.symbols).sort(([a], [b]) => (a < b ? -1 : 1));
  const script = join(writeHeaders(candidateScripts, cacheDir), c.ram === undefined ? 'candidate.ld' : 'placed.ld');
  const command = [
    c.target.compiler,
    ...c.target.flags,
    '-nostdlib',
    '-static',
    '-Wl,--build-id=none',
    '-Wl,--no-warn-rwx-segments',
    '-Wl,--gc-sections',
    `-Wl,-e,${c.entry}`,
    `-Wl,--defsym,MT_BASE=${c.base}`,
    ...(c.ram === undefined ? [] : [`-Wl,--defsym,MT_RAM_BASE=${c.ram.base}`]),
    ...symbols.map(([name, at]) => `-Wl,--defsym,${name}=${at}`),
    '-T',
    script,
    c.object.path,
    memory.path,
    '-lgcc',
    '-o',
    elfPath,
  ];
  const ran = await runAgainIfKilled(command);
  const file = ran.code === 0 ? readFileSync(elfPath) : undefined;
  rmSync(elfPath, { force: true });
  if (file !== undefined) return { ok: true, value: file };
  return missedFile(ran, cacheDir) ? lost('link', c.object.path) : linkFailure(ran);
}

/** Links one object for its place in the load regions. Failures: CODE_TOO_LARGE and those of candidateElf(). */
export async function linkCandidate(c: CandidateLink, cacheDir: string): Promise<Result<Linked>> {
  const file = await candidateElf(c, cacheDir);
  if (!file.ok) return file;
  const elf = readElf(file.value);
  const images = elf.images();
  for (const { base, bytes } of images) {
    const room = base === c.ram?.base ? c.ram.bytes : base === c.base ? c.maxBytes : undefined;
    if (room === undefined) return fail('link', 'LINK_FAILED', `something lies at ${base}, where nothing is to go`);
    if (bytes.length > room)
      return fail('link', 'CODE_TOO_LARGE', `${bytes.length} bytes of code, the load region has room for ${room}`);
  }
  const hash = sha(...images.flatMap(({ base, bytes }) => [String(base), bytes]));
  return { ok: true, value: { images, entry: elf.entry, hash } };
}

/** A compiler may call these for any C; a candidate has no C library. What is not called is not linked. */
const memoryFunctions = {
  name: 'memory',
  flags: ['-fno-tree-loop-distribute-patterns'],
  headers: {},
  source: `#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n) {
  unsigned char *t = to;
  const unsigned char *f = from;
  while (n-- > 0u) *t++ = *f++;
  return to;
}
void *memset(void *to, int value, size_t n) {
  unsigned char *t = to;
  while (n-- > 0u) *t++ = (unsigned char)value;
  return to;
}
void *memmove(void *to, const void *from, size_t n) {
  unsigned char *t = to;
  const unsigned char *f = from;
  if (t <= f) return memcpy(to, from, n);
  while (n-- > 0u) t[n] = f[n];
  return to;
}
int memcmp(const void *a, const void *b, size_t n) {
  const unsigned char *x = a, *y = b;
  for (; n > 0u; n--, x++, y++)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}
`,
} as const;

/** Sections in .s… are those of small variables on RISC-V. */
const rest =
  '*(.rodata .rodata.* .srodata .srodata.*) *(.data .data.* .sdata .sdata.*) *(.bss .bss.* .sbss .sbss.* COMMON) . = ALIGN(16);';
const discarded = '/DISCARD/ : { *(.ARM.*) *(.comment) *(.note*) *(.eh_frame*) }';
/** Code is reached from the entry, which lies at MT_BASE; the linker puts veneers where the way is too long for a branch. */
const candidateScripts = {
  'candidate.ld': `SECTIONS
{
    . = MT_BASE;
    .text : { *(.text.mt_entry) *(.text .text.*) *(.ramfunc .ramfunc.*) ${rest} }
    ${discarded}
}
`,
  'placed.ld': `SECTIONS
{
    . = MT_BASE;
    .text : { *(.text.mt_entry) *(.text .text.*) ${rest} }
    . = MT_RAM_BASE;
    .ramfunc : { *(.ramfunc .ramfunc.*) }
    ${discarded}
}
`,
};

export interface Firmware {
  readonly target: Target;
  readonly sources: readonly string[];
  readonly includeDirs: readonly string[];
  readonly objects: readonly string[];
  readonly defines: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
  readonly linkFlags: readonly string[];
  readonly out: string;
}

/** Compiles the server's sources and links them with extra objects into an ELF file. Failures: TOOL_MISSING, LINK_FAILED, MODEL_TOO_BIG, DISK_FULL. */
export async function linkFirmware(f: Firmware): Promise<Result<{ readonly elf: string }>> {
  if (findTool(f.target.compiler) === undefined) return fail('compile', 'TOOL_MISSING', toolHint(f.target.compiler));
  const command = [
    f.target.compiler,
    '-std=gnu11',
    '-O2',
    '-Wall',
    '-Wextra',
    '-Wconversion',
    '-Werror',
    '-ffunction-sections',
    '-fdata-sections',
    '-Wl,--gc-sections',
    '-Wl,--build-id=none',
    ...f.target.flags,
    ...f.flags,
    ...f.includeDirs.flatMap((d) => ['-I', d]),
    ...Object.entries(f.defines).map(([k, v]) => `-D${k}=${v}`),
    ...f.sources,
    ...f.objects,
    ...f.linkFlags,
    '-o',
    f.out,
  ];
  const ran = await runAgainIfKilled(command);
  if (ran.code === 0) return { ok: true, value: { elf: f.out } };
  const tooBig = /overflow|will not fit|not within region|overlaps section/.test(ran.stderr);
  return linkFailure(ran, tooBig ? 'MODEL_TOO_BIG' : 'LINK_FAILED');
}
