/**
 * A device that becomes wrong while it measures: what it measured since its last good check is withdrawn and measured again, and
 * in the end everything that stands is what a device that was well all the time measures.
 */
import { expect, test } from 'vitest';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { ok } from '../../compiler/result.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { DevicePool } from '../../tuner/measure/pool.ts';
import { policies } from '../../tuner/policies/index.ts';
import { type TaskProgress, type TrialRecord, tune } from '../../tuner/tune.ts';
import { samples } from '../samples.ts';
import { randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';
import { expectOk, firmwareIn, workFolder } from '../wire/host-board.ts';

const graph = randomNode('conv2d', new Random(5));

interface Ran {
  readonly standing: readonly TrialRecord[];
  readonly doubted: readonly string[];
  readonly progress: readonly TaskProgress[];
  readonly suspects: number;
}
/** Searches on one device whose counts are changed for the calls numbered in `bad`, until it is opened again. */
async function run(trials: number, bad: (call: number) => boolean, checkEvery: number): Promise<Ran> {
  const folder = workFolder();
  try {
    const firmware = await firmwareIn(folder.dir, mps2An386);
    let calls = 0;
    const drifting = (device: Device): Device => {
      let ill = false;
      return Object.create(device, {
        call: {
          value: async (request: Parameters<Device['call']>[0]) => {
            ill ||= bad(calls++);
            const called = await device.call(request);
            // Twice as fast: as wrong results that a search would love.
            return called.ok && ill ? { ...called, cycles: called.cycles.map((c) => Math.round(c / 2)) } : called;
          },
        },
      }) as Device;
    };
    const start = mps2An386.open ?? never();
    const open = async () => ok(drifting(expectOk(await start({ firmware, bulk: 'shared' }))));
    const pool = new DevicePool(mps2An386, [{ name: 'a', id: 'a', open }], folder.dir, { checkEvery, restMs: () => 0 });
    const records: TrialRecord[] = [];
    const doubted = new Set<string>();
    let progress: readonly TaskProgress[] = [];
    try {
      const end = await tune({
        graph,
        tasks: tasksOf(graph, { rounding: 'double' }),
        board: mps2An386,
        pool,
        templates: { templates, defaultSchedule },
        policy: policies.random ?? never(),
        policyName: 'random',
        seed: 3,
        budget: { trials },
        cores: 2,
        cacheDir: folder.dir,
        known: () => [],
        record: (trial) => String(records.push(trial) - 1),
        doubt: (id) => doubted.add(id),
        progress: (now) => {
          progress = now;
        },
        signal: new AbortController().signal,
        now: () => performance.now(),
      });
      expect(end.reason).toBe('budget');
    } finally {
      await pool.closeAll();
    }
    const stands = (r: TrialRecord, i: number): boolean => !doubted.has(String(i)) && !doubted.has(r.reusedFrom ?? '');
    return {
      standing: records.filter(stands),
      doubted: [...doubted],
      progress,
      suspects: pool.states()[0]?.suspects ?? -1,
    };
  } finally {
    folder.remove();
  }
}
const never = (): never => {
  throw new Error('there is none');
};
const countsOf = (records: readonly TrialRecord[]): ReadonlyMap<string, number> =>
  new Map(records.flatMap(({ result: r }) => (r.status === 'ok' ? [[r.binary, r.cycles] as const] : [])));

test('results of a device that drifted are withdrawn and measured again; what stands is right', async () => {
  const trials = 14;
  const good = await run(trials, () => false, 5);
  expect(good.doubted).toEqual([]);
  const want = countsOf(good.standing);
  // In the middle of the search, and just before its end, where only the last look finds it.
  for (const from of [5, 3, 9, 12].slice(0, samples(1, 4))) {
    for (const checkEvery of [5, 1000]) {
      const bad = await run(trials, (call) => call === from, checkEvery);
      expect(bad.doubted.length).toBeGreaterThan(0);
      expect(bad.suspects).toBe(bad.doubted.length);
      expect(bad.standing.filter((r) => r.reusedFrom === null)).toHaveLength(trials);
      expect(countsOf(bad.standing)).toEqual(want);
      expect(bad.progress.map((p) => [p.trials, p.best, p.default])).toEqual(
        good.progress.map((p) => [p.trials, p.best, p.default]),
      );
    }
  }
});
