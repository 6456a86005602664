/** A host board that listens, for tests that bring their own connection; and candidates for any board. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Board } from '../../boards/board.ts';
import { buildServer } from '../../boards/common/build.ts';
import { host } from '../../boards/host/index.ts';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import type { Result } from '../../compiler/result.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { compileUnit, linkCandidate } from '../../toolchain/index.ts';

export const expectOk = <T>(r: Result<T>): T => {
  if (!r.ok) throw new Error(`${r.error.code}: ${r.error.detail}`);
  return r.value;
};

/** A folder that is gone when `remove` was called. */
export function workFolder(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-test-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export const firmwareIn = async (dir: string, board: BoardModule): Promise<BuiltFirmware> =>
  expectOk(await board.build({ dir: join(dir, board.id), name: 'server', objects: [] }));

const root = resolve(import.meta.dirname, '../..');
/** A process that guards nothing (unguarded.c), to find out what the server notices by itself. */
export const unguardedHost: BoardModule = {
  ...host,
  id: 'host-unguarded',
  build: (request) =>
    buildServer(
      {
        target: host.target,
        sources: ['test/wire/unguarded.c', 'boards/host/socket.c'].map((f) => join(root, f)),
        flags: [],
        linkScript: join(root, 'boards/host/link.ld'),
        linkFlags: [],
      },
      request,
    ),
};

export interface ListeningBoard {
  readonly port: number;
  readonly pid: number;
  /** Ends the process as a power cut would. */
  kill(): Promise<void>;
}
export const listeningBoard = async (dir: string): Promise<ListeningBoard> => listening(await firmwareIn(dir, host));
/** Starts a board that is a process; it serves one host after another. */
export async function listening({ elf }: BuiltFirmware): Promise<ListeningBoard> {
  const child = spawn(elf, ['listen'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.stdout.once('data', (d: Buffer) => resolve(Number(/port (\d+)/.exec(d.toString())?.[1])));
  });
  if (child.pid === undefined) throw new Error('a process without an id');
  return {
    port,
    pid: child.pid,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** C source with a function mt_entry -> its image linked at an address, by the road that trials take. */
export async function candidate(
  board: Board,
  source: string,
  base: number,
  cacheDir: string,
): Promise<{ readonly image: Uint8Array; readonly entry: number }> {
  const unit = { target: board.target, name: 'candidate', source, flags: [], headers: {} };
  const object = expectOk(await compileUnit(unit, cacheDir));
  const link = { target: board.target, object, base, symbols: {}, entry: 'mt_entry', maxBytes: 65536 };
  const { images, entry } = expectOk(await linkCandidate(link, cacheDir));
  return { image: images[0]?.bytes ?? new Uint8Array(), entry };
}

/** Loads a candidate at an offset into the load region; returns its entry. */
export async function loadCandidate(
  device: Device,
  board: Board,
  source: string,
  offset: number,
  cacheDir: string,
): Promise<number> {
  const base = device.info.load.base + offset;
  const { image, entry } = await candidate(board, source, base, cacheDir);
  await device.load(base, image);
  return entry;
}
