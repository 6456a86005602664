/**
 * A device that becomes wrong while it measures: what it measured since its last good check is withdrawn and measured again, and
 * in the end everything that stands is what a device that was well all the time measures.
 */
import { expect, test } from 'vitest';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { policies } from '../../tuner/policies/index.ts';
import type { TrialRecord } from '../../tuner/tune.ts';
import { samples } from '../samples.ts';
import { type Found, search } from '../search.ts';
import { randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const graph = randomNode('conv2d', new Random(5));

interface Ran extends Found {
  readonly standing: readonly TrialRecord[];
}
/** Searches on one device whose counts are changed from the call numbered in `bad` on, until it is opened again. */
async function run(trials: number, bad: (call: number) => boolean, checkEvery: number): Promise<Ran> {
  const policy = policies.random;
  if (policy === undefined) throw new Error('no policy is called random');
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
  const pool = { checkEvery, restMs: () => 0 };
  const found = await search({ graph, board: mps2An386, policy, trials, seed: 3, changed: drifting, pool });
  expect(found.end.reason).toBe('budget');
  const isDoubted = (at: number): boolean => found.doubted.includes(at);
  const stands = (r: TrialRecord, at: number): boolean =>
    !isDoubted(at) && !(r.reusedFrom !== null && isDoubted(Number(r.reusedFrom)));
  return { ...found, standing: found.records.filter(stands) };
}
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
      expect(bad.devices[0]?.suspects).toBe(bad.doubted.length);
      expect(bad.standing.filter((r) => r.reusedFrom === null)).toHaveLength(trials);
      expect(countsOf(bad.standing)).toEqual(want);
      expect(bad.progress.map((p) => [p.trials, p.best, p.default])).toEqual(
        good.progress.map((p) => [p.trials, p.best, p.default]),
      );
    }
  }
});
