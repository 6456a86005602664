/**
 * A pool that several jobs share, through simulated hours: devices that fail, come and go at random, trials of several clients,
 * drains, quarantines, stops. Time is simulated, so that hours take milliseconds.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { failed, ok } from '../../compiler/result.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';
import type { Client } from '../../tuner/fair-turns.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { lostDevice } from '../../tuner/types.ts';
import { samples } from '../samples.ts';
import { counted, Fake, failedWith, poolOf } from './pool-devices.ts';
import { Random } from './random.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1e12 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const stopAfter = (ms: number): AbortSignal => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), ms);
  return stop.signal;
};
/** Simulated time passes until `done`; far more than anything here may need. */
async function within<T>(hours: number, done: Promise<T>): Promise<T> {
  let settled = false;
  const end = done.finally(() => {
    settled = true;
  });
  for (let minutes = 0; !settled && minutes < 60 * hours; minutes++) await vi.advanceTimersByTimeAsync(60_000);
  if (!settled) throw new Error(`not done after ${hours} simulated hours`);
  return end;
}

/** Fails at random until it is healed. */
class Flaky extends Fake {
  trouble: number;
  /** Trials that are on it now. */
  inside = 0;
  private refused = 0;
  private readonly random: Random;
  constructor(name: string, random: Random, trouble: number) {
    super(name, { info: { uid: name }, opens: () => !this.acts() });
    this.random = random;
    this.trouble = trouble;
  }
  acts(): boolean {
    return this.random.next() < this.trouble;
  }
  override async open(): ReturnType<Fake['open']> {
    await pause(this.random.int(1, 50));
    this.health = this.acts()
      ? failed('health', 'HEALTH_WRONG', 'it computes nonsense')
      : ok({ count: 1, baseline: 1 });
    const opened = await super.open();
    if (!opened.ok) this.refused++;
    return opened;
  }
  get isClosed(): boolean {
    return this.opened === this.closed + this.refused;
  }
}

interface Farm {
  readonly pool: DevicePool;
  readonly devices: Map<string, Flaky>;
  readonly random: Random;
}
function farmOf(seed: number, count: number, trouble: number): Farm {
  const random = new Random(seed);
  const list = Array.from({ length: count }, (_, i) => new Flaky(`d${i}`, random, trouble * random.int(0, 2)));
  return { random, pool: poolOf(list, { checkEvery: 5 }), devices: new Map(list.map((d) => [d.name, d])) };
}

/** What a trial does on a device: it must be alone there. */
async function onDevice(farm: Farm, uid: string, id: number, ms: number): Promise<MeasureResult> {
  const device = farm.devices.get(uid);
  if (device === undefined) throw new Error(`a trial on ${uid}, which is not there`);
  device.inside++;
  expect(device.inside).toBe(1);
  await pause(ms);
  device.inside--;
  return device.acts() ? failedWith('LINK') : counted(id);
}

/** One trial, tried again until a device gives an answer that stands; undefined where its client was told to stop. */
async function trial(farm: Farm, id: number, client: Client, signal: AbortSignal): Promise<number | undefined> {
  for (;;) {
    const ms = farm.random.int(1, 4000);
    const work = (uid: string): Promise<MeasureResult> => onDevice(farm, uid, id, ms);
    const used = await farm.pool.use((station) => work(station.device.info.uid), client, signal);
    if (used.ok && used.value.status === 'ok') return used.value.cycles;
    if (signal.aborted) return undefined;
    expect(used.ok ? lostDevice(used.value) : used.error.code === 'DEVICE_UNWELL').toBe(true);
  }
}

/** Somebody plays with the farm for a while, then puts everything right. */
async function meddle({ pool, devices, random }: Farm): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await pause(random.int(1, 60_000));
    const name = `d${random.int(0, devices.size - 1)}`;
    switch (random.int(0, 6)) {
      case 0:
        pool.drain(name);
        break;
      case 1:
        pool.quarantine(name, 'smells', new Date().toISOString());
        break;
      case 2:
      case 3:
        pool.release(name);
        break;
      case 4:
        pool.wake(name);
        break;
      case 5:
        await pool.exclusively(async ({ name: mine }) => {
          expect([devices.get(mine)?.inside, devices.get(mine)?.isClosed]).toEqual([0, true]);
          await pause(random.int(1, 1000));
        }, stopAfter(5000));
        break;
      case 6:
        if (await pool.remove(name)) pool.add(devices.get(name) as Flaky);
        break;
    }
  }
  for (const device of devices.values()) device.trouble = 0;
  for (const name of devices.keys()) pool.release(name);
}

test('whatever devices do and whoever meddles: every trial is done once, alone on its device, or was told to stop', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 4 }), async (seed, count) => {
      const farm = farmOf(seed, count, 0.15);
      const stop = new AbortController();
      const clients: readonly Client[] = [1, 4, 16].map((weight) => ({ id: `job ${weight}`, weight }));
      const { signal: never } = new AbortController();
      const trials = clients.flatMap((client, c) =>
        Array.from({ length: 20 }, (_, i) =>
          pause(farm.random.int(0, 600_000)).then(() =>
            trial(farm, 100 * c + i, client, c === 0 ? stop.signal : never),
          ),
        ),
      );
      setTimeout(() => stop.abort(), farm.random.int(1, 900_000));
      const [answers] = await within(24, Promise.all([Promise.all(trials), meddle(farm)]));
      for (const [i, answer] of answers.entries()) {
        const id = 100 * Math.floor(i / 20) + (i % 20);
        if (i >= 20 || answer !== undefined) expect(answer).toBe(id);
      }
      expect(farm.pool.gone).toBeUndefined();
      await within(1, farm.pool.closeAll());
      for (const d of farm.devices.values()) expect([d.name, d.isClosed, d.inside]).toEqual([d.name, true, 0]);
      expect(await trial(farm, 1, clients[0] as Client, AbortSignal.abort())).toBeUndefined();
    }),
    { seed: 1, numRuns: samples(40, 400) },
  );
});

test('clients that always wait get devices by weight, in time and not in trials; none starves', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1e9 }), async (seed) => {
      const farm = farmOf(seed, 3, 0.01);
      const had = new Map<string, number>();
      const end = new AbortController();
      // Trials of the heaviest client are the longest: by number of trials it would get far less.
      const clients = [1, 4, 16].map((weight) => ({ id: `job ${weight}`, weight }));
      const lanes = clients.flatMap((client) =>
        Array.from({ length: 6 }, async () => {
          while (!end.signal.aborted) {
            const ms = farm.random.int(1, 100 * client.weight);
            const used = await farm.pool.use(
              async () => {
                await pause(ms);
                return counted(ms);
              },
              client,
              end.signal,
            );
            if (used.ok) had.set(client.id, (had.get(client.id) ?? 0) + ms);
          }
        }),
      );
      setTimeout(() => end.abort(), 1_800_000);
      await within(5, Promise.all(lanes));
      const total = [...had.values()].reduce((a, b) => a + b, 0);
      for (const { id, weight } of clients) {
        const share = (had.get(id) ?? 0) / total;
        expect([id, Math.abs(share - weight / 21) < 0.02]).toEqual([id, true]);
      }
      // Devices had something to do all the time.
      expect(total / (3 * 1_800_000)).toBeGreaterThan(0.9);
      await within(1, farm.pool.closeAll());
    }),
    { seed: 1, numRuns: samples(1, 20) },
  );
});

test('all devices gone for an hour: trials wait, and the pool says since when; then they are done', async () => {
  const fake = new Fake('a', { opens: () => Date.now() >= 1e12 + 3_600_000 });
  const pool = poolOf([fake]);
  const done = pool.use(async () => counted(7));
  await vi.advanceTimersByTimeAsync(1_800_000);
  const { gone } = pool;
  expect(gone).toMatchObject({ code: 'DEVICE_UNREACHABLE', detail: 'no device left. a: a is silent' });
  // The ladder takes about a minute.
  const after = Date.parse(gone?.since ?? '') - 1e12;
  expect(after).toBeGreaterThan(20_000);
  expect(after).toBeLessThan(120_000);
  expect(pool.states()).toMatchObject([{ state: 'quarantined', quarantine: { by: 'farm', reason: 'a is silent' } }]);
  const until = Date.parse(pool.states()[0]?.quarantine?.until ?? '');
  expect(until).toBeGreaterThan(Date.now());
  expect(await within(1, done)).toMatchObject({ ok: true, value: { cycles: 7 } });
  // A look every ten minutes, not more.
  expect(fake.opened).toBeLessThan(25);
  expect(pool.gone).toBeUndefined();
  await within(1, pool.closeAll());
});

test('a trial whose caller was told to stop keeps its device for a grace, then loses it; that is no failure of the device', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], { graceMs: 2000 });
  const stop = new AbortController();
  // The device's link ends when it is closed.
  const endless = pool.use(
    async () => {
      while (a.closed === 0) await pause(100);
      return failedWith('LINK');
    },
    undefined,
    stop.signal,
  );
  const other = pool.use(async () => counted(2));
  await vi.advanceTimersByTimeAsync(10_000);
  stop.abort();
  await vi.advanceTimersByTimeAsync(1900);
  expect(a.closed).toBe(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(await within(1, endless)).toMatchObject({ ok: true, value: { code: 'LINK' } });
  expect(await within(1, other)).toMatchObject({ ok: true, value: { cycles: 2 } });
  expect(pool.states()).toMatchObject([{ failures: 0, recoveries: { retry: 0 }, trials: 2 }]);
  await within(1, pool.closeAll());
});

test('a device that is taken away in the middle of its check takes no result with it', async () => {
  const a = new Fake('a');
  let slow = false;
  const check = async () => {
    while (slow && a.closed === 0) await pause(100);
    if (slow) throw new LinkError('closed');
    return ok({ count: 1, baseline: 1 });
  };
  const pool = poolOf([a], { graceMs: 2000, check });
  const doubted: MeasureResult[] = [];
  pool.onDoubt((results) => doubted.push(...results));
  await within(
    1,
    pool.use(async () => counted(1)),
  );
  slow = true;
  const stop = new AbortController();
  const faulty = pool.use(async () => failedWith('FAULT'), undefined, stop.signal);
  await vi.advanceTimersByTimeAsync(1000);
  stop.abort();
  expect(await within(1, faulty)).toMatchObject({ ok: false, error: { code: 'DEVICE_UNWELL' } });
  slow = false;
  expect(
    await within(
      1,
      pool.use(async () => counted(2)),
    ),
  ).toMatchObject({ ok: true });
  expect([doubted, pool.states()[0]?.failures]).toEqual([[], 0]);
  await within(1, pool.closeAll());
});
