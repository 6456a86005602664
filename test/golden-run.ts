/** A golden network, built for a board and run there: every byte of every golden vector must come back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect } from 'vitest';
import type { BoardModule } from '../boards/index.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import { importModel } from '../compiler/import/index.ts';
import { runPasses } from '../compiler/passes/index.ts';
import type { Result } from '../compiler/result.ts';
import type { Selected } from '../compiler/select.ts';
import { type Built, build, runOnDevice } from '../server/build.ts';
import { onDevice } from './emulated.ts';
import { type GoldenModel, generateInput } from './models.ts';
import { type Schedules, schedulesFor } from './schedules.ts';

export const unwrap = <T>(r: Result<T>): T => {
  if (!r.ok) throw new Error(`${r.error.stage} ${r.error.code}: ${r.error.detail}`);
  return r.value;
};

export const graphOf = (model: GoldenModel, passes: 'all' | 'none'): Graph =>
  runPasses(unwrap(importModel(model.bytes, model.name)), { optional: passes });

export interface GoldenRun {
  readonly built: Built;
  /** Of the vector that took most. */
  readonly cycles: number;
  readonly stackBytes: number;
}

/**
 * Builds, opens the board, runs all vectors. Throws (and fails the test) where a byte differs. `cacheDir`: for objects that
 * another run of the test may have made.
 */
export async function runGolden(
  model: GoldenModel,
  board: BoardModule,
  how: {
    readonly passes: 'all' | 'none';
    readonly schedules: Schedules | readonly Selected[];
    readonly cacheDir?: string;
  },
): Promise<GoldenRun> {
  const dir = mkdtempSync(join(tmpdir(), 'mt-golden-'));
  try {
    const graph = graphOf(model, how.passes);
    const { schedules } = how;
    const selected =
      typeof schedules === 'object' && 'length' in schedules
        ? schedules
        : schedulesFor(graph, board.target.features, schedules);
    const where = { outDir: join(dir, 'out'), cacheDir: how.cacheDir ?? join(dir, 'cache') };
    const built = unwrap(await build({ graph, name: model.name, board, selected, ...where }));
    return { built, ...(await runVectors(model, board, built)) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function runVectors(
  model: GoldenModel,
  board: BoardModule,
  built: Built,
): Promise<{ readonly cycles: number; readonly stackBytes: number }> {
  const macs = built.network.layers.reduce((n, l) => n + l.macs, 0);
  let [cycles, stackBytes] = [0, 0];
  await onDevice(board, built.firmware, async (device) => {
    for (const v of model.golden.vectors) {
      const input = new Uint8Array(generateInput(model.golden.input_bytes, v.seed, v.shr).buffer);
      const run = unwrap(await runOnDevice(device, macs, input));
      const label = `${model.name} on ${board.id}, seed ${v.seed} shr ${v.shr}`;
      if (v.out_hex !== undefined) expect(Buffer.from(run.outputs).toString('hex'), label).toBe(v.out_hex);
      expect(crc32(run.outputs), label).toBe(v.out_crc32);
      cycles = Math.max(cycles, run.cycles);
      stackBytes = Math.max(stackBytes, run.stackBytes);
    }
    // A twin whose model does not know an instruction, or what it accesses, counts too little.
    const counted = await board.counters?.(device);
    expect([counted?.unknown ?? 0, counted?.unmapped ?? 0], `${model.name} on ${board.id}`).toEqual([0, 0]);
  });
  return { cycles, stackBytes };
}
