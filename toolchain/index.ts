/**
 * Compiling and linking, for trials, artifacts and firmware alike. Results are values; compiled objects are cached by the
 * hash of everything that went into them.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../boards/board.ts';
import type { Result } from '../compiler/result.ts';
import { touch } from './cache.ts';
import { type Image, readElf } from './elf.ts';
import { findTool, type Limits, type Ran, run, toolHint } from './process.ts';

export { pruneCache } from './cache.ts';
export { type Elf, type Image, readElf, sizesOf } from './elf.ts';
export { findTool, run, toolHint } from './process.ts';

const fail = <T>(stage: string, code: string, detail: string): Result<T> => ({
  ok: false,
  error: { stage, code, detail },
});
const sha = (...parts: readonly (string | Uint8Array)[]): string => {
  const h = createHash('sha256');
  for (const p of parts) h.update(p).update('\0');
  return h.digest('hex').slice(0, 32);
};
const firstLines = (text: string): string =>
  text
    .split('\n')
    .filter((l) => l.trim() !== '')
    .slice(0, 6)
    .join('\n')
    .slice(0, 1200);

/** Flags that everything is compiled with. Values of the IR wrap, so signed overflow must. */
const commonFlags: readonly string[] = [
  '-std=c99',
  '-O2',
  '-fwrapv',
  '-ffreestanding',
  '-fno-common',
  '-ffunction-sections',
  '-fdata-sections',
  '-pipe',
];

export interface Unit {
  readonly target: Target;
  /** For messages and the object's name. */
  readonly name: string;
  readonly source: string;
  /** After the common ones and the target's. */
  readonly flags: readonly string[];
  /** Files the source includes, by name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly limits?: Limits;
}
export interface ObjectFile {
  readonly path: string;
  readonly hash: string;
}

/** First line of the compiler's version, or TOOL_MISSING. */
export async function toolchainVersion(target: Target): Promise<Result<string>> {
  if (findTool(target.compiler) === undefined) return fail('compile', 'TOOL_MISSING', toolHint(target.compiler));
  const { stdout } = await run([target.compiler, '--version']);
  return { ok: true, value: stdout.split('\n')[0] ?? '' };
}

/** C text -> object file in `cacheDir`. Failures: TOOL_MISSING, COMPILE_FAILED, COMPILE_TIMEOUT. */
export async function compileUnit(unit: Unit, cacheDir: string): Promise<Result<ObjectFile>> {
  const flags = [...commonFlags, ...unit.target.flags, ...unit.flags];
  const compiler = findTool(unit.target.compiler);
  if (compiler === undefined) return fail('compile', 'TOOL_MISSING', toolHint(unit.target.compiler));
  const hash = sha(identityOf(compiler), flags.join(' '), unit.source, JSON.stringify(unit.headers));
  const path = join(cacheDir, `${hash}.o`);
  if (isWhole(path)) {
    for (const file of [path, stackUsageOf(path)]) touch(file);
    return { ok: true, value: { path, hash } };
  }
  const include = writeHeaders(unit.headers, cacheDir);
  // Two builds of one source may run at once: each writes its own file, the last one to finish wins with equal bytes.
  const temporary = join(cacheDir, `${hash}.${randomUUID()}.tmp.o`);
  const ran = await run([unit.target.compiler, ...flags, '-I', include, '-c', '-x', 'c', '-', '-o', temporary], {
    input: unit.source,
    ...(unit.limits !== undefined && { limits: unit.limits }),
  });
  if (ran.code !== 0) {
    rmSync(temporary, { force: true });
    return compileFailure(unit.name, ran);
  }
  // With -fstack-usage the compiler leaves the frame sizes beside the object.
  if (existsSync(stackUsageOf(temporary))) renameSync(stackUsageOf(temporary), stackUsageOf(path));
  renameSync(temporary, path);
  return { ok: true, value: { path, hash } };
}

/** Where the frame sizes of an object lie, if it was compiled with -fstack-usage. */
export const stackUsageOf = (object: string): string => object.replace(/\.o$/, '.su');

/** Another compiler under the same name gives other objects. */
function identityOf(compiler: string): string {
  const { size, mtimeMs } = statSync(compiler);
  return `${compiler} ${size} ${mtimeMs}`;
}
/** After a power cut a file may be there without its bytes. */
const isWhole = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

function compileFailure<T>(name: string, ran: Ran): Result<T> {
  if (ran.timedOut) return fail('compile', 'COMPILE_TIMEOUT', `${name}: the compiler was stopped at its time limit`);
  return fail(
    'compile',
    'COMPILE_FAILED',
    `${name}: ${firstLines(ran.stderr) || `the compiler ended with ${ran.code ?? 'a signal'}`}`,
  );
}

/** Headers in a folder named by their content, so that it is written once. */
function writeHeaders(headers: Readonly<Record<string, string>>, cacheDir: string): string {
  const dir = join(cacheDir, `include-${sha(JSON.stringify(headers))}`);
  if (existsSync(dir)) return dir;
  const temporary = `${dir}.${randomUUID()}.tmp`;
  mkdirSync(temporary, { recursive: true });
  for (const [name, text] of Object.entries(headers)) writeFileSync(join(temporary, name), text);
  try {
    renameSync(temporary, dir);
  } catch (error) {
    // Somebody else was first; theirs is the same.
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
  return dir;
}

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

/** The ELF file of an object that is linked for its place in the load regions. Failure: LINK_FAILED. */
export async function candidateElf(c: CandidateLink, cacheDir: string): Promise<Result<Uint8Array>> {
  const memory = await compileUnit({ ...memoryFunctions, target: c.target }, cacheDir);
  if (!memory.ok) return memory;
  const symbols = Object.entries(c.symbols).sort(([a], [b]) => (a < b ? -1 : 1));
  const elfPath = join(cacheDir, `${randomUUID()}.elf`);
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
    memory.value.path,
    '-lgcc',
    '-o',
    elfPath,
  ];
  const ran = await run(command);
  const file = ran.code === 0 ? readFileSync(elfPath) : undefined;
  rmSync(elfPath, { force: true });
  return file === undefined ? fail('link', 'LINK_FAILED', linkReason(ran)) : { ok: true, value: file };
}

/** Links one object for its place in the load regions. Failures: LINK_FAILED, CODE_TOO_LARGE. */
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

/** What the linker says, or how it ended. */
const linkReason = (ran: Ran): string =>
  firstLines(ran.stderr) ||
  (ran.timedOut ? 'the linker was stopped at its time limit' : `the linker ended with ${ran.code ?? 'a signal'}`);

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

/** Compiles the server's sources and links them with extra objects into an ELF file. Failures: TOOL_MISSING, LINK_FAILED. */
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
  const ran = await run(command);
  if (ran.code !== 0)
    return fail(
      'link',
      /overflow|will not fit|not within region|overlaps section/.test(ran.stderr) ? 'MODEL_TOO_BIG' : 'LINK_FAILED',
      linkReason(ran),
    );
  return { ok: true, value: { elf: f.out } };
}
