/**
 * What a compiler gets of the machine. Must stay true: nothing of the user's environment reaches it, so that equal inputs are
 * equal outputs and no variable of somebody's shell is an option; what it leaves in its folder for temporary files goes with it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool } from './find-tool.ts';

/** Programs that the tool is started by, each becoming the next, and its environment. */
export interface Confined {
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Removes its folder. */
  release(): Promise<void>;
}

/** Behind the daemon, the devices and whoever sits at the machine. */
const polite: readonly (readonly string[])[] = [['nice', '-n', '5']];
/** Ways to start a program in a network of its own, in which there is nothing: as root, and as anybody where the kernel lets them. */
const offline: readonly (readonly string[])[] = [
  ['unshare', '--net', '--'],
  ['unshare', '--map-root-user', '--net', '--'],
];

/** The first way that works on this machine, with its program's full path; none where it is not there or the kernel does not allow it. */
function working(ways: readonly (readonly string[])[]): readonly string[] {
  for (const [name = '', ...args] of ways) {
    const program = findTool(name);
    const start = program === undefined ? [] : [program, ...args];
    if (start.length > 0 && spawnSync(program ?? '', [...args, 'true'], { stdio: 'ignore' }).status === 0) return start;
  }
  return [];
}
export const offlinePrefix = (): readonly string[] => working(offline);

/** Of the machine, which does not change while we run: asked for once, when the first compiler is started. */
const ofMachine: { prefix?: readonly string[] } = {};

/** A place for one run of a tool. Throws what the system throws where there is no room for a folder. */
export function confine(): Confined {
  ofMachine.prefix ??= [...working(polite), ...offlinePrefix()];
  const dir = mkdtempSync(join(tmpdir(), 'microtune-tool-'));
  return {
    prefix: ofMachine.prefix,
    env: { PATH: process.env.PATH ?? '', LANG: 'C', LC_ALL: 'C', TMPDIR: dir },
    release: () => rm(dir, { recursive: true, force: true }),
  };
}
