/**
 * The timing plugin as a file that QEMU loads, and the configuration that it reads.
 * Must stay true: the file's name says what it was made from, so that whoever finds it need not build it, several may
 * build it at once, and an old one is never taken for a new one.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Result } from '../../../compiler/result.ts';
import { findTool, type Ran, run, toolHint } from '../../../toolchain/index.ts';
import type { Timing, TimingCache, TimingRegion } from '../../board.ts';

const here = import.meta.dirname;
/** QEMU versions whose plugin interface is number 1. */
const suitable = { from: 6, to: 8 };
const flags = [
  '-std=gnu11',
  '-O2',
  '-flto=auto',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Werror',
];

/** Compiled once, all of it in one go: on a slow machine, or one at work, that takes much longer than a candidate. */
const limits = { timeMs: 300_000 };

const failure = (code: string, detail: string): Result<never> => ({
  ok: false,
  error: { stage: 'load', code, detail },
});

const filesOf = (ending: string): string[] =>
  readdirSync(here)
    .filter((f) => f.endsWith(ending))
    .sort()
    .map((f) => join(here, f));

function nameOf(sources: readonly string[]): string {
  const hash = createHash('sha256').update(flags.join(' '));
  for (const file of [...sources, ...filesOf('.h')]) hash.update(file.slice(here.length)).update(readFileSync(file));
  return `timing-${hash.digest('hex').slice(0, 16)}.so`;
}

/** The uid of a file or folder; undefined where it is not there, or there are none. */
function ownerOf(path: string): number | undefined {
  const { uid } = lstatSync(path, { throwIfNoEntry: false }) ?? {};
  return process.getuid === undefined ? undefined : uid;
}

/** True where the folder is there, or can be made, and is ours to write: what lies in it is loaded and run. */
function usable(dir: string): boolean {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    accessSync(dir, constants.W_OK);
    return ownerOf(dir) === process.getuid?.();
  } catch {
    return false;
  }
}

/**
 * Where a file of this name is, or is to be made: in `own`, the project's cache, if we may write there, or if it is there already and
 * `owner` made it, whom we trust with the sources; else in a folder of the system's, or a new one.
 */
export function placeOf(name: string, own: string, owner: number | undefined): string {
  const there = join(own, name);
  if (owner !== undefined && ownerOf(there) === owner) return there;
  const users = join(tmpdir(), `microtune-timing-${process.getuid?.() ?? 0}`);
  return join([own, users].find(usable) ?? mkdtempSync(join(tmpdir(), 'microtune-timing-')), name);
}

/** Undefined where this QEMU can load the plugin; else why not. */
async function unsuitable(program: string): Promise<string | undefined> {
  const { stdout } = await run([program, '--version']);
  const version = /version (\d+)\.(\d+)/.exec(stdout);
  const major = Number(version?.[1]);
  if (major >= suitable.from && major <= suitable.to) return undefined;
  const found = version === null ? 'of unknown version' : `${version[1]}.${version[2]}`;
  return `${program} is ${found}; the timing model needs QEMU ${suitable.from} to ${suitable.to}`;
}

/** Where the plugin is, or will be once it is built. */
export function pluginFile(): string {
  const own = resolve(here, '../../../node_modules/.cache/microtune/timing');
  return placeOf(nameOf(filesOf('.c')), own, ownerOf(here));
}

/**
 * Path of the plugin for this emulator, built if it is not there. Failures: EMULATOR_MISSING, EMULATOR_UNSUITABLE,
 * TOOL_MISSING, PLUGIN_BUILD.
 */
export async function buildPlugin(program: string): Promise<Result<string>> {
  if (findTool(program) === undefined) return failure('EMULATOR_MISSING', toolHint(program));
  const why = await unsuitable(program);
  if (why !== undefined) return failure('EMULATOR_UNSUITABLE', why);
  const out = pluginFile();
  if (existsSync(out)) return { ok: true, value: out };
  if (findTool('gcc') === undefined) return failure('TOOL_MISSING', toolHint('gcc'));
  const half = `${out}.${randomUUID()}`;
  const built = await run(['gcc', ...flags, ...filesOf('.c'), '-o', half], { limits });
  if (built.code !== 0) return failure('PLUGIN_BUILD', whyNot(built));
  renameSync(half, out);
  return { ok: true, value: out };
}

/** What to say of a gcc that did not succeed: also of one that was stopped or killed, which says nothing itself. */
export function whyNot({ code, signal, stopped, stderr }: Ran): string {
  if (stopped === 'time') return `gcc was stopped after ${limits.timeMs / 1000} s`;
  return stderr.slice(0, 2000) || `gcc ended with ${signal ?? code}`;
}

const pair = (key: string, value: string | number | undefined): string =>
  value === undefined ? '' : ` ${key}=${value}`;

const cacheLine = (c: TimingCache): string =>
  `cache ${c.name} lines=${c.lines}${pair('ways', c.ways)} line-bytes=${c.lineBytes}${pair('sector-bytes', c.sectorBytes)}` +
  pair('writes', c.writes);

const regionLine = (r: TimingRegion): string =>
  `region ${r.name} base=${r.base} bytes=${r.bytes}` +
  pair('read-wait', r.readWait) +
  pair('write-wait', r.writeWait) +
  pair('fetch-wait', r.fetchWait) +
  pair('unit', r.unit) +
  pair('banks', r.banks) +
  (r.prefetch === true ? ' prefetch=1' : '') +
  pair('instructions', r.instructions) +
  pair('data', r.data) +
  pair('bus', r.bus);

/** A piece of memory, and the file that stands for it on the host. */
export interface FiledMemory {
  readonly base: number;
  readonly bytes: number;
  readonly path: string;
}

/**
 * What the plugin reads: config.h has the format. `ram`: the guest's memory that is shared through `path`. `profiled`: memory whose
 * instructions are tallied, in files that must not be there yet.
 */
export function timingConfig(
  t: Timing,
  ram: FiledMemory & { readonly mailbox: number },
  profiled: readonly FiledMemory[] = [],
): string {
  const lines = [
    `core ${t.core}`,
    ...t.caches.map(cacheLine),
    ...t.regions.map(regionLine),
    `ram ${ram.base} ${ram.bytes} ${ram.path}`,
    `mailbox ${ram.mailbox}`,
    ...profiled.map(({ base, bytes, path }) => `profile ${base} ${bytes} ${path}`),
  ];
  return `${lines.join('\n')}\n`;
}
