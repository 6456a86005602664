/**
 * From chosen schedules to things on disk: the C library, and firmware with the network linked in. run-network.ts proves, by
 * running it, that it computes what the model says. Serves `compile`, `run` and the end of every job.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import PQueue from 'p-queue';
import type { BoardModule, BuiltFirmware } from '../boards/index.ts';
import {
  type CompiledSizes,
  constantBytes,
  emitLibrary,
  type Library,
  type Memory,
  memoryOf,
  type Network,
  networkOf,
  type Source,
} from '../compiler/emit/index.ts';
import { type Graph, tensorBytes } from '../compiler/graph/graph.ts';
import { type Failure, failed, ok, type Result } from '../compiler/result.ts';
import type { Selected } from '../compiler/select.ts';
import { makeDir } from '../db/make-dir.ts';
import { compileUnit, type ObjectFile } from '../toolchain/index.ts';
import { type CompiledSource, hasFrames, librarySizes, stackUsageFlag } from './library-sizes.ts';
import { limitText, type Memories } from './memories.ts';
import { type Outline, outlineOf, tensorsOf, type Verified } from './run-network.ts';

export * from './run-network.ts';

/** What our C must survive: the emitted library is compiled with all of these in every build of ours. */
export const strictFlags: readonly string[] = ['-Wall', '-Wextra', '-Wconversion', '-Wpedantic', '-Werror'];

export interface BuildOptions {
  readonly graph: Graph;
  /** A C identifier. */
  readonly name: string;
  readonly board: BoardModule;
  readonly selected: readonly Selected[];
  /** No more than the board has, which is what holds where there are none. */
  readonly budgets?: Memories;
  readonly outDir: string;
  readonly cacheDir: string;
}
export interface Built {
  readonly network: Network;
  readonly outline: Outline;
  readonly library: Library;
  readonly firmware: BuiltFirmware;
  /** Of the library alone; the firmware's own sizes are in `firmware.sizes`. */
  readonly memory: Memory;
  readonly flashBytes: number;
}

/** It lacks bytes of one memory, or of both. */
export interface TooBig {
  readonly kind: 'too big';
  /** The library by itself, or the firmware, which has the server beside it. */
  readonly what: 'library' | 'firmware';
  readonly missing: Memories;
  readonly failure: Failure;
}
/** What came of building. */
export type Attempt = { readonly kind: 'built'; readonly built: Built } | TooBig;

/** Emits, compiles and links. Failures: MODEL_TOO_BIG, TOOL_MISSING, COMPILE_*, LINK_FAILED. */
export async function build(o: BuildOptions): Promise<Result<Built>> {
  const made = await attempt(o);
  if (!made.ok) return made;
  return made.value.kind === 'built' ? ok(made.value.built) : { ok: false, error: made.value.failure };
}

/** The same, where too big is no failure but what the next attempt learns from. */
export async function attempt(o: BuildOptions): Promise<Result<Attempt>> {
  const choices = o.selected.map((s) => s.choice);
  const network = networkOf(o.graph, o.name, choices);
  // Within budgets a refusal says what is missing to the byte, which only the compiler knows.
  const planned = { ramBytes: network.plan.bytes, flashBytes: constantBytes(network) };
  const tooBig = o.budgets === undefined ? refuse(network, planned, o) : undefined;
  if (tooBig !== undefined) return ok(tooBig);
  const compiled = await compileLibrary(emitLibrary(network, { board: o.board.id }), o);
  if (!compiled.ok) return compiled;
  const sources = compiled.value.filter((s) => s.path !== tableFile);
  const sizes = await librarySizes(network, sources, o.board.target, o.cacheDir);
  if (!sizes.ok) return sizes;
  const memory = memoryOf(network, sizes.value);
  const outgrown = refuse(network, memory, o);
  if (outgrown !== undefined) return ok(outgrown);
  const library = writeLibrary(network, sizes.value, o);
  const objects = compiled.value.map((s) => s.object);
  const firmware = await o.board.build({ dir: join(o.outDir, 'firmware'), name: o.name, objects });
  if (!firmware.ok)
    return firmware.error.code === 'MODEL_TOO_BIG'
      ? ok(crowded(network, memory, o.board, firmware.error.detail))
      : firmware;
  const outline = outlineOf(network);
  const built = { network, outline, library, firmware: firmware.value, memory, flashBytes: memory.flashBytes };
  return ok({ kind: 'built', built });
}

const put = (dir: string, path: string, content: string): void => {
  makeDir(dirname(join(dir, path)));
  writeFileSync(join(dir, path), content);
};

/** Writes the library with its sizes, which are known by now. */
function writeLibrary(network: Network, sizes: CompiledSizes, o: BuildOptions): Library {
  const library = emitLibrary(network, { board: o.board.id, sizes });
  for (const [path, text] of library.files) put(o.outDir, path, text);
  return library;
}

/** Not part of the library: what links it into a server. */
const tableFile = 'microtune_network.c';

/** Objects of the library's sources and of the firmware's table. */
async function compileLibrary(library: Library, o: BuildOptions): Promise<Result<readonly CompiledSource[]>> {
  makeDir(o.cacheDir);
  const headers = Object.fromEntries(
    [...library.files].filter(([path]) => path.endsWith('.h')).map(([path, text]) => [path.split('/').at(-1), text]),
  );
  const compile = async ({ path, flags }: Source): Promise<Result<CompiledSource>> => {
    const source = library.files.get(path) ?? '';
    const all = [...strictFlags, stackUsageFlag, ...flags];
    const unit = { target: o.board.target, name: path, source, flags: all, headers };
    const done = await compileUnit(unit, o.cacheDir);
    if (!done.ok || hasFrames({ path, object: done.value.path })) return objectOf(path, done);
    rmSync(done.value.path);
    return objectOf(path, await compileUnit(unit, o.cacheDir));
  };
  const queue = new PQueue({ concurrency: availableParallelism() });
  const units = [...library.sources, { path: tableFile, flags: [] }];
  const done = await Promise.all(units.map((unit) => queue.add(() => compile(unit))));
  const objects: CompiledSource[] = [];
  for (const one of done) {
    if (!one.ok) return one;
    objects.push(one.value);
  }
  return ok(objects);
}

const objectOf = (path: string, done: Result<ObjectFile>): Result<CompiledSource> =>
  done.ok ? ok({ path, object: done.value.path }) : done;

/** Refusal of what cannot fit, with the bytes by layer or by block of the arena. */
function refuse(n: Network, needs: Memories, { board, budgets }: BuildOptions): TooBig | undefined {
  const limits = budgets ?? board;
  const has = (memory: keyof Memories): string => limitText(memory, limits, board);
  const missing = {
    flashBytes: Math.max(0, needs.flashBytes - limits.flashBytes),
    ramBytes: Math.max(0, needs.ramBytes - limits.ramBytes),
  };
  const told = (detail: string): TooBig => {
    const { error } = failed('select', 'MODEL_TOO_BIG', detail);
    return { kind: 'too big', what: 'library', missing, failure: error };
  };
  if (missing.flashBytes > 0)
    return told(
      `${missing.flashBytes} bytes of flash are missing: code and constants need ${needs.flashBytes} or more, ${has('flashBytes')}; constants by layer: ${byLayer(n)}`,
    );
  if (missing.ramBytes > 0) {
    const blocks = largest(n.blocks.map((b) => ({ name: b.label ?? b.id, bytes: b.bytes })));
    return told(
      `${missing.ramBytes} bytes of RAM are missing: ${needs.ramBytes} are needed or more, of these ${n.plan.bytes} for the arena (lower bound ${n.plan.lowerBound}), ${has('ramBytes')}; largest blocks: ${blocks}`,
    );
  }
  return undefined;
}

/** The network alone fits, but not beside the server that the firmware needs. */
function crowded(n: Network, memory: Memory, board: BoardModule, linker: string): TooBig {
  const overflows = overflowsOf(linker);
  const words = overflows.map(({ what, bytes }) => `${bytes} bytes of ${what} are missing: `).join('');
  const { error } = failed(
    'link',
    'MODEL_TOO_BIG',
    `${words}the network needs ${memory.flashBytes} bytes of flash and ${memory.ramBytes} of RAM, its inputs and outputs ${ioBytes(n.graph)} more, and the firmware of ${board.id} has no room for that beside its server; constants by layer: ${byLayer(n)}; the linker says: ${linker}`,
  );
  const sum = (of: 'flash' | 'RAM'): number =>
    overflows.filter(({ what }) => what === of).reduce((total, { bytes }) => total + bytes, 0);
  const missing = { flashBytes: sum('flash'), ramBytes: sum('RAM') };
  return { kind: 'too big', what: 'firmware', missing, failure: error };
}
const ioBytes = (graph: Graph): number =>
  tensorsOf(graph, [...graph.inputs, ...graph.outputs]).reduce((sum, t) => sum + tensorBytes(t), 0);
/** By how much memories overflow, from the linker's words: regions other than FLASH are RAM. */
const overflowsOf = (linker: string): readonly { readonly what: 'flash' | 'RAM'; readonly bytes: number }[] =>
  [...linker.matchAll(/region `(\w+)' overflowed by (\d+) bytes/g)].map(([, region, bytes]) => ({
    what: region === 'FLASH' ? 'flash' : 'RAM',
    bytes: Number(bytes),
  }));

const byLayer = (n: Network): string =>
  largest(
    n.layers.map((l) => ({ name: l.name, bytes: l.kernel.constants.reduce((sum, c) => sum + c.bytes.length, 0) })),
  );

/** The eight largest, in words. */
const largest = (rows: readonly { readonly name: string; readonly bytes: number }[]): string =>
  [...rows]
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 8)
    .map((r) => `${r.name} ${r.bytes}`)
    .join(', ');

/** What was written, below the output folder: another network's files may lie there too. */
const filesOf = ({ name, outDir }: Pick<BuildOptions, 'name' | 'outDir'>) => {
  const made = (path: string): string | null => (existsSync(join(outDir, path)) ? path : null);
  const firmware = { elf: made(`firmware/${name}.elf`), bin: made(`firmware/${name}.bin`) };
  return { header: `${name}.h`, source: `${name}.c`, ...firmware };
};

/** What report.json says of a layer's schedule. */
export interface Chosen {
  readonly choice: Pick<Selected['choice'], 'words'>;
  readonly offer: Pick<Selected['offer'], 'record'>;
  readonly refused: Selected['refused'];
}
export interface ArtifactOptions extends Pick<BuildOptions, 'graph' | 'name' | 'board' | 'outDir'> {
  readonly selected: readonly Chosen[];
}

/**
 * Writes report.json. `stable`: counts of a board that does not count the same each time stay out of it, so that equal
 * models and schedules give equal artifacts, byte for byte. A tuning job is about its counts and wants `all`.
 */
export function finishArtifact(
  built: Pick<Built, 'memory' | 'firmware'>,
  o: ArtifactOptions,
  verified: Verified,
  extra: Readonly<Record<string, unknown>>,
  counts: 'stable' | 'all' = 'stable',
): void {
  const counted = (cycles: number): number | null => (counts === 'all' || o.board.deterministic ? cycles : null);
  const report = {
    model: o.graph.name,
    board: o.board.id,
    kind: o.board.kind,
    ...built.memory,
    stackWatermark: verified.stackBytes,
    firmware: built.firmware.sizes,
    cycles: counted(verified.cycles),
    initCycles: counted(verified.initCycles),
    verifiedInputs: verified.inputs,
    layers: verified.layers.map((l, i) => ({
      ...l,
      cycles: counted(l.cycles),
      schedule: o.selected[i]?.choice.words,
      record: o.selected[i]?.offer.record ?? null,
      refused: o.selected[i]?.refused ?? [],
    })),
    files: filesOf(o),
    ...extra,
  };
  put(o.outDir, 'report.json', `${JSON.stringify(report, null, 2)}\n`);
}
