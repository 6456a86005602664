/** Which device answers, and with which firmware: builds that are not today's, equal uids, one device on two paths. */
import { expect, test } from 'vitest';
import { ok } from '../../compiler/result.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import { counted, Fake, failedWith, goneWhileWaiting, poolOf, quick, resultOf } from './pool-devices.ts';

test('firmware that is not the one of today: put on anew once, else used with a warning, or not used', async () => {
  const old = { info: { buildId: 'old' } };
  const today = async (): Promise<string> => 'new';
  class Flashable extends Fake {
    flashes = 0;
    build = today;
    reflash = async () => {
      this.flashes++;
      this.info = { ...this.info, buildId: 'new' };
      return ok(undefined);
    };
  }
  const a = new Flashable('a', old);
  const pool = poolOf([a], quick);
  await resultOf(pool, counted(1));
  expect(pool.states()).toMatchObject([{ firmware: 'new', warning: null, recoveries: { reflash: 1 }, failures: 0 }]);

  class Stubborn extends Flashable {
    override reflash = async () => {
      this.flashes++;
      return ok(undefined);
    };
  }
  const b = new Stubborn('b', old);
  const second = poolOf([b], quick);
  for (let i = 0; i < 3; i++) await second.use(async () => failedWith('LINK'));
  expect(await resultOf(second, counted(1))).toMatchObject({ status: 'ok' });
  expect(second.states()).toMatchObject([{ firmware: 'old', warning: expect.stringContaining('flash it') }]);
  // Once because of the build, however often it was opened; the ladder may do it again.
  expect(b.flashes).toBe(1);

  const c = Object.assign(new Fake('c', old), { build: today });
  const strict = poolOf([c], { ...quick, firmware: 'same' });
  expect(await goneWhileWaiting(strict)).toMatchObject({ code: 'FIRMWARE_OUTDATED' });
  await strict.closeAll();
  const warned = poolOf([Object.assign(new Fake('d', old), { build: today })], quick);
  expect(await resultOf(warned, counted(1))).toMatchObject({ status: 'ok' });
  expect(warned.states()).toMatchObject([{ firmware: 'old', warning: expect.stringContaining('old') }]);
});

test('a device that somebody had for a network of its own gets its firmware again, each time', async () => {
  const a = Object.assign(new Fake('a', { info: { buildId: 'today' } }), {
    flashes: 0,
    build: async () => 'today',
    reflash: async () => {
      a.flashes++;
      a.info = { ...a.info, buildId: 'today' };
      return ok(undefined);
    },
  });
  const pool = poolOf([a], quick);
  for (const times of [1, 2, 3]) {
    await pool.exclusively(async ({ name }) => {
      expect([name, a.closed]).toEqual(['a', a.opened]);
      a.info = { ...a.info, buildId: 'a network' };
    });
    expect(await resultOf(pool, counted(1))).toMatchObject({ status: 'ok' });
    expect([a.flashes, pool.states()[0]?.warning]).toEqual([times, null]);
  }
  await pool.closeAll();
  expect(await pool.exclusively(async () => 1)).toBeUndefined();
});

/** Runs so many trials at once that every device of the pool must be open. */
async function onAll(pool: DevicePool): Promise<void> {
  let inside = 0;
  const all = Promise.withResolvers<void>();
  await Promise.all(
    Array.from({ length: pool.size }, () =>
      pool.use(async () => {
        if (++inside === pool.size) all.resolve();
        await all.promise;
        return counted(1);
      }),
    ),
  );
}

test('devices with equal uids work side by side under names of their own', async () => {
  const pool = poolOf(['a', 'b', 'c'].map((name) => new Fake(name, { attached: true })));
  await onAll(pool);
  const uids = pool.states().map((s) => s.uid);
  expect(new Set(uids).size).toBe(3);
  expect(uids.filter((u) => u === 'made up')).toHaveLength(1);
  expect(pool.states().map((s) => s.trials)).toEqual([1, 1, 1]);
});

test('one device on two paths is used once', async () => {
  const memory = new Map<number, Uint8Array>();
  const pool = poolOf(['a', 'b'].map((name) => new Fake(name, { attached: true, memory })));
  const done = await Promise.all([1, 2, 3].map((n) => resultOf(pool, counted(n))));
  for (const r of done) expect(r).toMatchObject({ status: 'ok' });
  const twice = pool.states().filter((s) => s.state === 'quarantined');
  expect(twice).toMatchObject([{ code: 'DEVICE_TWICE', reason: expect.stringContaining('is the same device as') }]);
  await pool.closeAll();
});
