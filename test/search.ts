/** A search through the real tune loop on one emulated device of a board, in a folder that goes with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoardModule } from '../boards/index.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import { tasksOf } from '../compiler/tasks.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { defaultSchedule, templates } from '../kernels/index.ts';
import { DevicePool, type DeviceState, type PoolOptions } from '../tuner/measure/pool.ts';
import type { NamedPolicy } from '../tuner/policies/index.ts';
import { type TaskProgress, type TrialRecord, type TuneEnd, tune } from '../tuner/tune.ts';
import { started } from './emulated.ts';
import { unwrap } from './golden-run.ts';

export interface Search {
  readonly graph: Graph;
  readonly board: BoardModule;
  readonly policy: NamedPolicy;
  readonly trials: number;
  /** May put something between the tune loop and the device. */
  readonly changed?: (device: Device) => Device;
  readonly pool?: PoolOptions;
  /** 1 unless given. */
  readonly seed?: number;
}
export interface Found {
  readonly end: TuneEnd;
  readonly records: readonly TrialRecord[];
  /** Records that do not stand, by their places in `records`. */
  readonly doubted: readonly number[];
  readonly devices: readonly DeviceState[];
  /** As it was last reported. */
  readonly progress: readonly TaskProgress[];
}

/** Searches, knowing nothing before. */
export async function search(s: Search): Promise<Found> {
  const { graph, board, changed = (d) => d } = s;
  const dir = mkdtempSync(join(tmpdir(), 'mt-search-'));
  const cacheDir = join(dir, 'cache');
  const records: TrialRecord[] = [];
  const doubted: number[] = [];
  let progress: readonly TaskProgress[] = [];
  try {
    const firmware = unwrap(await board.build({ dir, name: 'server', objects: [] }));
    const open = async () => ({ ok: true as const, value: changed(await started(board, firmware)) });
    const pool = new DevicePool(board, [{ name: board.id, open }], cacheDir, s.pool);
    try {
      const end = await tune({
        graph,
        tasks: tasksOf(graph, { rounding: 'double' }),
        board,
        pool,
        templates: { templates, defaultSchedule },
        policy: s.policy,
        policyName: 'tested',
        seed: s.seed ?? 1,
        budget: { trials: s.trials },
        cores: 2,
        cacheDir,
        known: () => [],
        record: (trial) => String(records.push(trial) - 1),
        doubt: (id) => doubted.push(Number(id)),
        progress: (now) => {
          progress = now;
        },
        signal: new AbortController().signal,
        now: () => performance.now(),
      });
      return { end, records, doubted, devices: pool.states(), progress };
    } finally {
      await pool.closeAll();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
