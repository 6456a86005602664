/**
 * The machine code of a trial, and on a twin what each instruction of it cost: the candidate is run once on an emulator of its
 * own, whose timing model tallies by address.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BoardModule, causes, type Tally } from '../../boards/index.ts';
import { ok, type Result } from '../../compiler/result.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { type CodeLine, disassemble, readObject } from '../../toolchain/index.ts';
import { benchOf } from '../../tuner/measure/bench.ts';
import { type Built, vectorOf } from '../../tuner/measure/builder.ts';
import { linkErrors } from '../../tuner/measure/link-errors.ts';
import { Station } from '../../tuner/measure/runner.ts';
import type { Remade } from './remake.ts';

export interface Listed extends CodeLine {
  /** null where it was not executed, or where the board has no timing model. */
  readonly tally: Tally | null;
}
export interface Listing {
  readonly lines: readonly Listed[];
  /** Whether tallies were made. */
  readonly cycles: 'model' | null;
}

/** Disassembles a candidate that compiled. Failures: TOOL_MISSING, those of starting an emulator and of linking, LINK. */
export async function listingOf(remade: Remade, built: Built, cacheDir: string): Promise<Result<Listing>> {
  const { board } = remade;
  if (board.profile !== undefined && board.open !== undefined) return profiled(remade, built, board, cacheDir);
  const object = await readObject(built.object);
  if (!object.ok) return object;
  const lines = await disassemble(object.value, board.target, cacheDir);
  return lines.ok ? ok({ lines: lines.value.map((l) => ({ ...l, tally: null })), cycles: null }) : lines;
}

async function profiled(remade: Remade, built: Built, board: BoardModule, cacheDir: string): Promise<Result<Listing>> {
  const firmware = await board.build({ dir: join(cacheDir, 'profile', board.id), name: 'server', objects: [] });
  if (!firmware.ok) return firmware;
  const dir = mkdtempSync(join(cacheDir, 'tallies-'));
  try {
    const opened = await board.open?.({ firmware: firmware.value, bulk: 'shared', profileDir: dir });
    if (opened === undefined) throw new Error(`${board.id} is not emulated`);
    if (!opened.ok) return opened;
    const code = await runOn(opened.value, remade, built, cacheDir);
    if (!code.ok) return code;
    const tallies = board.profile?.(
      dir,
      code.value.map((l) => l.address),
    );
    const tallyOf = (l: CodeLine): Tally | null => tallies?.get(l.address) ?? null;
    return ok({ lines: code.value.map((l) => ({ ...l, tally: tallyOf(l) })), cycles: 'model' });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs it as a trial is run, whatever comes of it; its code where it lay. */
async function runOn(
  device: Device,
  { board, task, graph, candidate: { kernel } }: Remade,
  built: Built,
  cacheDir: string,
): Promise<Result<readonly CodeLine[]>> {
  const station = new Station(device, 'profile', board, cacheDir, () => 0);
  try {
    return await linkErrors('run', async () => {
      await station.measure({ kernel, built, bench: benchOf(task, graph), vector: vectorOf(built) });
      const elf = await station.elfOf({ kernel, built });
      return elf.ok ? disassemble(elf.value, board.target, cacheDir) : elf;
    });
  } finally {
    await device.close();
  }
}

/** All cycles of a tally. */
export const cyclesOf = (t: Tally): number => causes.reduce((sum, cause) => sum + t.causes[cause], 0);
