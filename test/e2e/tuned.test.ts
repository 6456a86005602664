/**
 * The MLPerf Tiny networks with schedules that a search found, not drew: all nine golden vectors on the emulated Cortex-M4, and
 * the search has paid.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mps2An386 as board } from '../../boards/mps2-an386/index.ts';
import { type Offer, type Selected, select } from '../../compiler/select.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { DevicePool } from '../../tuner/measure/pool.ts';
import { defaultPolicy, policies } from '../../tuner/policies/index.ts';
import { type TaskProgress, type TrialRecord, tune } from '../../tuner/tune.ts';
import { graphOf, opened, runGolden, unwrap } from '../golden-run.ts';
import { type GoldenModel, goldenModel } from '../models.ts';
import { samples } from '../samples.ts';

interface Found {
  readonly selected: readonly Selected[];
  readonly tasks: readonly TaskProgress[];
}

async function search(model: GoldenModel, trials: number): Promise<Found> {
  const dir = mkdtempSync(join(tmpdir(), 'mt-tuned-'));
  const graph = graphOf(model, 'all');
  const tasks = tasksOf(graph, { rounding: 'double' });
  const firmware = unwrap(await board.build({ dir, name: 'server', objects: [] }));
  const source = { name: 'twin', open: async () => ({ ok: true as const, value: await opened(board, firmware) }) };
  const pool = new DevicePool(board, [source], dir);
  const records: TrialRecord[] = [];
  let progress: readonly TaskProgress[] = [];
  const policy = policies[defaultPolicy];
  if (policy === undefined) throw new Error('the default policy is not listed');
  try {
    const end = await tune({
      graph,
      tasks,
      board,
      pool,
      templates: { templates, defaultSchedule },
      policy,
      policyName: defaultPolicy,
      seed: 1,
      budget: { trials },
      cores: 2,
      cacheDir: dir,
      known: () => [],
      record: (trial) => String(records.push(trial)),
      progress: (now) => {
        progress = now;
      },
      signal: new AbortController().signal,
      now: () => performance.now(),
    });
    expect(end).toEqual({ reason: 'budget' });
  } finally {
    await pool.closeAll();
    rmSync(dir, { recursive: true, force: true });
  }
  return { selected: select(tasks, (task) => offers(records, task.id)), tasks: progress };
}

/** Fastest first; the default is among them. */
function offers(records: readonly TrialRecord[], task: string): readonly Offer[] {
  const cycles = ({ result }: TrialRecord): number =>
    result.status === 'ok' ? result.cycles : Number.POSITIVE_INFINITY;
  return records
    .filter((r) => r.task.id === task && r.result.status === 'ok')
    .sort((a, b) => cycles(a) - cycles(b))
    .map((r) => ({ schedule: r.schedule, words: r.config.template }));
}

for (const name of (['kws', 'ad', 'ic', 'vww'] as const).slice(0, samples(1, 4))) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

  test.skipIf(model === undefined)(`${name}: found by search, faster, every golden byte`, async () => {
    if (model === undefined) return;
    const { selected, tasks } = await search(model, samples(80, 400));
    const whole = (of: (t: TaskProgress) => number | null): number =>
      tasks.reduce((n, t) => n + (of(t) ?? Number.NaN) * t.task.occurrences.length, 0);
    expect(whole((t) => t.best) * 2).toBeLessThan(whole((t) => t.default));
    await runGolden(model, board, { passes: 'all', schedules: selected });
  });
}
