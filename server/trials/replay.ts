/**
 * A trial measured again, now, on a device of the board's pool beside the jobs that use it. Must stay true: whatever comes of it is a
 * record of its own; the old one stays as it is.
 */
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { TuningRecord } from '../../db/types.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import { benchOf } from '../../tuner/measure/bench.ts';
import { type Built, vectorOf } from '../../tuner/measure/builder.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import { lostDevice, type MeasureResult } from '../../tuner/types.ts';
import type { Farm } from '../devices.ts';
import { weightOf } from '../jobs/choice.ts';
import { toolchainOf } from '../offers.ts';
import { columnsOf } from './columns.ts';
import { type Remade, type RemakeOptions, remake } from './remake.ts';

export interface ReplayOptions extends RemakeOptions {
  readonly farm: Farm;
  /** How long to wait for a device that works, ms. */
  readonly patienceMs: number;
}
export interface Replayed {
  readonly record: TuningRecord;
  readonly sameBinary: boolean | null;
}

/** What shares of the pool replays get: those of a normal job, all together. */
const client = { id: 'replays', weight: weightOf({ priority: 'normal' }) };

interface Measured {
  readonly result: MeasureResult;
  readonly firmware: string | null;
  /** Why its device is not to be believed. */
  readonly doubt: string | undefined;
}

/** Failures: TRIAL_UNMAKEABLE, KINDS_MIXED, TOOL_MISSING, NO_DEVICE and others of opening devices. */
export async function replay(o: ReplayOptions, old: TuningRecord): Promise<Result<Replayed>> {
  const remade = await remake(o, old);
  if (!remade.ok) return remade;
  const { board, task, candidate, built, same } = remade.value;
  if (board.kind !== old.kind)
    return failed(
      'request',
      'KINDS_MIXED',
      `it counted ${old.kind}, the devices of ${board.id} count ${board.kind} now`,
    );
  const version = await toolchainVersion(board.target);
  if (!version.ok) return version;
  const measured = built.ok ? await measure(o, remade.value, built.value) : ok(refused(built.error));
  if (!measured.ok) return measured;
  const { result, firmware, doubt } = measured.value;
  const toolchain = toolchainOf(board, version.value);
  const added = o.store.addRecord({
    board: board.id,
    kind: board.kind,
    toolchain: toolchain.version,
    flags: toolchain.flags,
    firmware,
    job: null,
    task: task.id,
    workload: task.key,
    policy: 'replay',
    template: old.template,
    config: old.config,
    schedule: candidate.schedule,
    reusedFrom: null,
    ...columnsOf(result),
  });
  if (doubt !== undefined) o.store.doubt(added.id, doubt);
  return ok({ record: o.store.record(added.id) ?? added, sameBinary: same });
}

/** What the compiler refuses is a trial that failed. */
const refused = ({ code, detail }: { readonly code: string; readonly detail: string }): Measured => ({
  result: { status: 'failed', stage: 'compile', code, detail, times: {} },
  firmware: null,
  doubt: undefined,
});

async function measure(o: ReplayOptions, remade: Remade, built: Built): Promise<Result<Measured>> {
  const tell = (): void => undefined;
  const pool = await o.farm.open(remade.board, tell);
  if (!pool.ok) return pool;
  try {
    return await measureIn(o, pool.value, remade, built);
  } finally {
    await o.farm.close(remade.board, tell);
  }
}

/** Once more where the device was lost; then its device is checked, so that the result is vouched for or doubted. */
async function measureIn(
  o: ReplayOptions,
  pool: DevicePool,
  { board, task, graph, candidate: { kernel } }: Remade,
  built: Built,
): Promise<Result<Measured>> {
  let doubt: string | undefined;
  let result: MeasureResult | undefined;
  const stop = pool.onDoubt((results, why) => {
    if (result !== undefined && results.includes(result)) doubt = why;
  });
  const attempt = { kernel, built, bench: benchOf(task, graph), vector: vectorOf(built) };
  const patience = AbortSignal.timeout(o.patienceMs);
  try {
    for (let tries = 0; tries < 2; tries++) {
      const used = await pool.use((station) => station.measure(attempt), client, patience);
      if (!used.ok) return patience.aborted ? failed('load', 'NO_DEVICE', used.error.detail) : used;
      result = used.value;
      if (!lostDevice(result)) break;
    }
    await pool.audit();
  } finally {
    stop();
  }
  if (result === undefined) throw new Error('a replay without a result');
  const firmware = result.device === undefined ? null : o.farm.firmwareOf(board, result.device);
  return ok({ result, firmware, doubt });
}
