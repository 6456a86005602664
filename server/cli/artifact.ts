/** From a model file to a built library and firmware: what `compile` and `run` have in common. */
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoardModule } from '../../boards/index.ts';
import { identifier } from '../../compiler/emit/index.ts';
import { runtimeHeaderName } from '../../compiler/emit/runtime/index.ts';
import { failed, type Result } from '../../compiler/result.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import { budgetsOf, buildWithin, type Fitting, type Wishes } from '../budgets.ts';
import type { Prepared } from '../models.ts';
import { offersFor, toolchainOf } from '../offers.ts';
import { DamagedFile } from '../shipped/file.ts';
import { shippedRecords, withShipped } from '../shipped/records.ts';
import { openKnown } from './known.ts';
import type { CommonOptions } from './options.ts';

type Where = Pick<CommonOptions, 'data' | 'records'> & {
  readonly outDir: string;
  readonly budgets?: Wishes;
  /** Those that ship, unless given. */
  readonly shipped?: typeof shippedRecords;
};

/** Builds a model with the best schedules known that fit, shipped ones included. Failures: those of build, RECORD_BAD, SHIPPED_DAMAGED. */
export async function buildModel(model: Prepared, board: BoardModule, where: Where): Promise<Result<Fitting>> {
  const known = openKnown(where);
  if (!known.ok) return known;
  const cache = cacheOf(where.data);
  try {
    removeOldKernels(where.outDir);
    const version = await toolchainVersion(board.target);
    if (!version.ok) return version;
    const toolchain = toolchainOf(board, version.value);
    const own = known.value.records;
    const shipped = own && (where.shipped ?? shippedRecords)(model.tasks, board, toolchain);
    const records = own && shipped ? withShipped(own, shipped) : own;
    return await buildWithin({
      graph: model.graph,
      name: identifier(model.name),
      board,
      budgets: budgetsOf(board, where.budgets),
      tasks: model.tasks,
      known: offersFor(model.tasks, board, records, toolchain),
      outDir: where.outDir,
      cacheDir: cache.dir,
    });
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error;
    return failed('record', 'SHIPPED_DAMAGED', error.message);
  } finally {
    known.value.close();
    cache.done();
  }
}

/**
 * Kernels are named by layer and operator: those of an earlier build with other layers would stay and mislead. Only a folder
 * that we wrote is touched, and only its kernels.
 */
export function removeOldKernels(outDir: string): void {
  const dir = join(outDir, 'kernels');
  if (!existsSync(join(outDir, 'include', runtimeHeaderName)) || !existsSync(dir)) return;
  for (const file of readdirSync(dir)) if (/^\w+_\d\d+_\w+\.c$/.test(file)) rmSync(join(dir, file));
}

/** The data directory's build cache where it can be written, else one that goes when the command ends. */
export function cacheOf(data: string): { readonly dir: string; done(): void } {
  try {
    accessSync(data, constants.W_OK);
    return { dir: join(data, 'cache'), done: () => undefined };
  } catch {
    const dir = mkdtempSync(join(tmpdir(), 'microtune-cache-'));
    return { dir, done: () => rmSync(dir, { recursive: true, force: true }) };
  }
}
