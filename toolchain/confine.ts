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
import { type Start, saysNoProcess } from './tools.ts';

export interface Confined {
  readonly start: Start;
  /** Removes its folder. */
  release(): Promise<void>;
}

/** Behind the daemon, the devices and whoever sits at the machine. */
const polite: readonly string[] = ['nice', '-n', '5'];
type Way = Pick<Start, 'prefix' | 'holds'>;
/** Process ids of its own: with their first process, which ends with what it is started by, all of them end. */
const processes: readonly string[] = ['--pid', '--fork', '--kill-child'];
/**
 * Ways to start a program in a network of its own, in which there is nothing, as root and as anybody where the kernel lets them; the
 * best ones first.
 */
const apart: readonly Way[] = [
  { prefix: ['unshare', '--net', ...processes, '--'], holds: 'descendants' },
  { prefix: ['unshare', '--map-root-user', '--net', ...processes, '--'], holds: 'descendants' },
  { prefix: ['unshare', '--net', '--'], holds: 'group' },
  { prefix: ['unshare', '--map-root-user', '--net', '--'], holds: 'group' },
];

/**
 * With its program's full path, if that is there and the kernel allows it. Throws where no process can be started just now, which
 * says nothing of either.
 */
function working([name = '', ...args]: readonly string[]): readonly string[] | undefined {
  const program = findTool(name);
  if (program === undefined) return undefined;
  const { status, stderr, error } = spawnSync(program, [...args, 'true'], { encoding: 'utf8' });
  const said = `${error?.message ?? ''}\n${stderr ?? ''}`;
  if (saysNoProcess(said)) throw error ?? new Error(said.trim());
  return status === 0 ? [program, ...args] : undefined;
}
/** The first that works on this machine; without any prefix where none does. Throws where no process can be started just now. */
export function wayApart(): Way {
  for (const { prefix, holds } of apart) {
    const works = working(prefix);
    if (works !== undefined) return { prefix: works, holds };
  }
  return { prefix: [], holds: 'group' };
}

/** Of the machine, which does not change while we run: asked for once, when the first compiler is started. */
const ofMachine: { way?: Way } = {};
function usualWay(): Way {
  const { prefix, holds } = wayApart();
  return { prefix: [...(working(polite) ?? []), ...prefix], holds };
}

/** A place for one run of a tool. Throws what the system throws where there is no room for a folder, or for a process. */
export function confine(): Confined {
  ofMachine.way ??= usualWay();
  const dir = mkdtempSync(join(tmpdir(), 'microtune-tool-'));
  return {
    start: {
      ...ofMachine.way,
      env: { PATH: process.env.PATH ?? '', LANG: 'C', LC_ALL: 'C', TMPDIR: dir },
      folder: dir,
    },
    release: () => rm(dir, { recursive: true, force: true }),
  };
}
