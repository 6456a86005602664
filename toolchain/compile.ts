/** C text -> object, by the board's compiler. Objects are cached by the hash of everything that went into them. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../boards/board.ts';
import type { Result } from '../compiler/result.ts';
import { touch } from './cache.ts';
import { compileFailure, fail } from './endings.ts';
import { findTool } from './find-tool.ts';
import { asFailures, inCache, lost, missedFile, sha, writeHeaders } from './in-cache.ts';
import { type Limits, type Ran, run, runAgainIfKilled, toolHint } from './process.ts';

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
  readonly limits?: Partial<Limits>;
}
export interface ObjectFile {
  readonly path: string;
  readonly hash: string;
}

/** What makes a target's kernels, libraries and other units; its version is the toolchain of a record. */
export const compilerOf = ({ compiler, kernels }: Target): string => kernels?.compiler ?? compiler;

/** Passes of GCC that a schedule turns off: other compilers do not know them. Its -O level they do. */
const ofGcc = (flag: string): boolean => flag.startsWith('-fno-');
const flagsOf = ({ target: { flags, kernels }, flags: own }: Unit): readonly string[] =>
  kernels === undefined
    ? [...commonFlags, ...flags, ...own]
    : [...commonFlags, ...kernels.flags, ...flags, ...own.filter((f) => !ofGcc(f))];

/** What a unit is compiled with, its text on standard input; where things lie is left out. */
export const commandOf = (unit: Unit): readonly string[] => [
  compilerOf(unit.target),
  ...flagsOf(unit),
  '-c',
  '-x',
  'c',
  '-',
];

/** What the compiler says of a unit without headers, be it compiled or not. Failure: TOOL_MISSING. */
export async function compilerOutput(unit: Unit): Promise<Result<string>> {
  const compiler = compilerOf(unit.target);
  if (findTool(compiler) === undefined) return fail('compile', 'TOOL_MISSING', toolHint(compiler));
  const ran = await compile(unit, '-o', '/dev/null');
  return { ok: true, value: ran.stderr };
}

const compile = (unit: Unit, ...where: readonly string[]): Promise<Ran> =>
  runAgainIfKilled([...commandOf(unit), ...where], {
    input: unit.source,
    ...(unit.limits !== undefined && { limits: unit.limits }),
  });

/** First line of the compiler's version, or TOOL_MISSING. */
export async function toolchainVersion(target: Target): Promise<Result<string>> {
  const compiler = compilerOf(target);
  if (findTool(compiler) === undefined) return fail('compile', 'TOOL_MISSING', toolHint(compiler));
  const { stdout } = await run([compiler, '--version']);
  return { ok: true, value: stdout.split('\n')[0] ?? '' };
}

/**
 * C text -> object file in `cacheDir`, whose parent must be there. Failures: TOOL_MISSING, COMPILE_FAILED, COMPILE_CRASHED, and
 * COMPILE_TIMEOUT, COMPILE_MEMORY, COMPILE_OUTPUT, COMPILE_PROCESSES, COMPILE_KILLED of the source; DISK_FULL and others of
 * isOutside() that are not.
 */
export async function compileUnit(unit: Unit, cacheDir: string): Promise<Result<ObjectFile>> {
  const compiler = findTool(compilerOf(unit.target));
  if (compiler === undefined) return fail('compile', 'TOOL_MISSING', toolHint(compilerOf(unit.target)));
  const hash = sha(identityOf(compiler), flagsOf(unit).join(' '), unit.source, JSON.stringify(unit.headers));
  const path = join(cacheDir, `${hash}.o`);
  if (isWhole(path)) {
    for (const file of [path, stackUsageOf(path)]) touch(file);
    return { ok: true, value: { path, hash } };
  }
  const made = await inCache('compile', cacheDir, () => compileTo(path, unit, cacheDir));
  return made.ok ? { ok: true, value: { path, hash } } : made;
}

async function compileTo(path: string, unit: Unit, cacheDir: string): Promise<Result<void>> {
  const include = writeHeaders(unit.headers, cacheDir);
  // Two builds of one source may run at once: each writes its own file, the last one to finish wins with equal bytes.
  const temporary = path.replace(/\.o$/, `.${randomUUID()}.tmp.o`);
  const ran = await compile(unit, '-I', include, '-o', temporary);
  if (ran.code !== 0) {
    for (const file of [temporary, stackUsageOf(temporary)]) rmSync(file, { force: true });
    return existsSync(include) && !missedFile(ran, cacheDir)
      ? compileFailure(unit.name, ran)
      : lost('compile', temporary);
  }
  // With -fstack-usage the compiler leaves the frame sizes beside the object.
  if (existsSync(stackUsageOf(temporary))) renameSync(stackUsageOf(temporary), stackUsageOf(path));
  renameSync(temporary, path);
  return { ok: true, value: undefined };
}

/** The bytes of an object. Failure: CACHE_LOST and others of isOutside(). */
export function readObject(object: ObjectFile): Promise<Result<Uint8Array>> {
  return asFailures('compile', async () => ({ ok: true, value: readFileSync(object.path) }));
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
