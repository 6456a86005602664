/**
 * What an emitted library costs once it is compiled, measured on its own objects: no server, no start-up code. The compiler's
 * helpers that the kernels call are counted; they ship with them.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../boards/index.ts';
import type { CompiledSizes, Network } from '../compiler/emit/index.ts';
import { instruction } from '../compiler/instructions/index.ts';
import type { Program } from '../compiler/program/index.ts';
import { callsIn } from '../compiler/program/walk.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import type { Section } from '../toolchain/elf.ts';
import { readElf, run, stackUsageOf } from '../toolchain/index.ts';

/** The compiler flag without which there are no frame sizes. */
export const stackUsageFlag = '-fstack-usage';

/** An object by the path of its source in the library. */
export interface CompiledSource {
  readonly path: string;
  readonly object: string;
}

/** Whether the frame sizes of an object are at hand; a cache may have lost them in a power cut. A file without functions has none. */
export const hasFrames = ({ path, object }: CompiledSource): boolean =>
  path === 'weights.c' || (statSync(stackUsageOf(object), { throwIfNoEntry: false })?.size ?? 0) > 0;

/** Links the objects into one and adds up its sections; `dir` is for the temporary file. Failure: LINK_FAILED. */
export async function librarySizes(
  network: Network,
  sources: readonly CompiledSource[],
  target: Target,
  dir: string,
): Promise<Result<CompiledSizes>> {
  const whole = join(dir, `library-${randomUUID()}.o`);
  const objects = sources.map((s) => s.object);
  const command = [target.compiler, ...target.flags, '-r', '-nostdlib', ...objects, '-lgcc', '-o', whole];
  const linked = await run(command);
  if (linked.code !== 0) return failed('link', 'LINK_FAILED', linked.stderr.trim().slice(0, 1200));
  const { sections } = readElf(readFileSync(whole));
  rmSync(whole);
  const sum = (want: (s: Section) => boolean): number =>
    sections.filter((s) => s.allocated && want(s)).reduce((at, s) => aligned(at, Math.max(4, s.align)) + s.bytes, 0);
  return ok({
    flashBytes: sum((s) => s.stored),
    ramBytes: sum((s) => !s.stored || isInRam(s)),
    stackBytes: stackBound(network, sources) + besidesFrames(target),
  });
}

/** Linkers lay sections out one behind another, each begun at a word at least. */
const aligned = (at: number, align: number): number => Math.ceil(at / align) * align;

/** What start-up code copies into RAM: code of `.ramfunc`, constants of `.data`. */
const isInRam = (s: Section): boolean => s.writable || /^\.(data|ramfunc)/.test(s.name);

/**
 * The frame of `_run` and the deepest kernel below it: all frames of the kernel's file, as if each of its functions called the
 * next, and what its assembly uses.
 */
function stackBound(n: Network, sources: readonly CompiledSource[]): number {
  const frames = new Map(sources.map((s) => [s.path, framesOf(s.object)]));
  const run = frames.get(`${n.name}.c`)?.get(`${n.name}_run`) ?? 0;
  const kernels = n.layers.map((l) => {
    const own = frames.get(`kernels/${l.name}.c`) ?? new Map<string, number>();
    return [...own.values()].reduce((sum, bytes) => sum + bytes, 0) + assemblyStack(l.choice.program);
  });
  return run + Math.max(0, ...kernels);
}

/** What a kernel's assembly pushes: it leaves no frame sizes. Local arrays are in the frames. */
const assemblyStack = (program: Program): number =>
  Math.max(0, ...callsIn(program.body).map((c) => instruction(c.instr, c.params).stackBytes));

/**
 * What calls cost beside frames: on x86-64 two return addresses, and the red zone that a leaf uses below the stack pointer; on
 * Armv6-M the compiler's functions for 64-bit products and floats, which push up to 36 bytes and call one small one.
 */
function besidesFrames({ isa }: Target): number {
  if (isa === 'x86_64') return 2 * 8 + 128;
  return isa === 'armv6-m' ? 48 : 0;
}

/**
 * Bytes of each function's frame, from the file that -fstack-usage leaves: place, tab, bytes, tab, kind. Without functions GCC
 * leaves it empty and Clang leaves none.
 */
function framesOf(object: string): ReadonlyMap<string, number> {
  const file = stackUsageOf(object);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  return new Map(
    lines
      .map((line) => line.split('\t'))
      .filter((fields) => fields.length === 3)
      .map(([place = '', bytes = '']): [string, number] => [place.split(':').at(-1) ?? '', Number(bytes)]),
  );
}
