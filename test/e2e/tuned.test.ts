/**
 * The MLPerf Tiny networks with schedules that a search found, not drew: all nine golden vectors on the emulated Cortex-M4, and
 * the search has paid.
 */
import { expect, test } from 'vitest';
import { mps2An386 as board } from '../../boards/mps2-an386/index.ts';
import { laysOut, type Offer, select, selectLaidOut } from '../../compiler/select.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { defaultPolicy, policies } from '../../tuner/policies/index.ts';
import type { TaskProgress, TrialRecord } from '../../tuner/tune.ts';
import { graphOf, runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { search } from '../search.ts';

/** Fastest first; the default is among them. */
function offers(records: readonly TrialRecord[], task: string): readonly Offer[] {
  const cycles = ({ result }: TrialRecord): number =>
    result.status === 'ok' ? result.cycles : Number.POSITIVE_INFINITY;
  return records
    .filter((r) => r.task.id === task && r.result.status === 'ok')
    .sort((a, b) => cycles(a) - cycles(b))
    .map((r) => ({ schedule: r.schedule, words: r.config.template, expected: cycles(r) }));
}

const policy = policies[defaultPolicy];
if (policy === undefined) throw new Error('the default policy is not listed');

for (const name of (['kws', 'ad', 'ic', 'vww'] as const).slice(0, samples(1, 4))) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

  test.skipIf(model === undefined)(`${name}: found by search, faster, every golden byte`, async () => {
    if (model === undefined) return;
    const graph = graphOf(model, 'all');
    const { end, records, progress } = await search({ graph, board, policy, trials: samples(80, 400) });
    expect(end).toEqual({ reason: 'budget' });
    const whole = (of: (t: TaskProgress) => number | null): number =>
      progress.reduce((n, t) => n + (of(t) ?? Number.NaN) * t.task.occurrences.length, 0);
    const tasks = tasksOf(graph, { rounding: 'double' });
    const selected = selectLaidOut(graph, tasks, (task) => offers(records, task.id));
    // Its last trials were in other layouts, and no task's best is one of them.
    const separable = tasks.some((t) => t.workload.op === 'depthwise_conv2d');
    expect(records.slice(-10).some((r) => laysOut(r.schedule))).toBe(separable);
    const inBytes = select(tasks, (task) => offers(records, task.id)).reduce((n, s) => n + (s.offer.expected ?? 0), 0);
    expect(inBytes).toBeGreaterThanOrEqual(whole((t) => t.best));
    expect(selected.reduce((n, s) => n + (s.offer.expected ?? 0), 0)).toBeLessThanOrEqual(inBytes);
    expect(whole((t) => t.best) * 2).toBeLessThan(whole((t) => t.default));
    await runGolden(model, board, { passes: 'all', schedules: selected });
  });
}
