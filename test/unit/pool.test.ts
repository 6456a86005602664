/** The device pool with devices made up here: lending, reopening, quarantine, strangers; and what is resident on a device. */
import { expect, test } from 'vitest';
import type { KernelConstant } from '../../compiler/program/print-c.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';
import { Residents, roomFor } from '../../tuner/measure/residents.ts';
import { counted, Fake, failedWith, goneWhileWaiting, poolOf, quick, turn } from './pool-devices.ts';

test('each device is lent to one trial at a time; waiting ones are served in order', async () => {
  const pool = poolOf([new Fake('a'), new Fake('b')]);
  let [inside, most] = [0, 0];
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 9 }, (_, i) =>
      pool.use(async () => {
        most = Math.max(most, ++inside);
        await turn();
        order.push(i);
        inside--;
        return failedWith('FAULT');
      }),
    ),
  );
  expect(most).toBe(2);
  expect(order).toEqual([...order].sort((x, y) => x - y));
  expect(pool.states().map((s) => s.state)).toEqual(['idle', 'idle']);
});

test('a lost link closes the device and the next trial opens it again; other failures do not', async () => {
  const a = new Fake('a');
  const pool = poolOf([a], quick);
  await pool.use(async () => failedWith('FAULT'));
  expect([a.opened, a.closed]).toEqual([1, 0]);
  await pool.use(async () => failedWith('LINK'));
  const thrown = await pool.use(async () => {
    throw new LinkError('unplugged');
  });
  expect(thrown).toMatchObject({ ok: false, error: { code: 'LINK', detail: 'unplugged' } });
  expect([a.opened, a.closed]).toEqual([2, 2]);
  expect((await pool.use(async () => failedWith('FAULT'))).ok).toBe(true);
  expect(pool.states()).toMatchObject([{ state: 'idle', failures: 2, trials: 4 }]);
  await expect(
    pool.use(async () => {
      throw new TypeError('a bug');
    }),
  ).rejects.toThrow('a bug');
});

test('an error of this program on the way leaves no device open', async () => {
  const [a, b] = [new Fake('a'), new Fake('b')];
  const full = async (): Promise<never> => {
    throw new Error('the disk is full');
  };
  const pools = [poolOf([a], { check: full }), poolOf([Object.assign(b, { build: full })])];
  for (const pool of pools) await expect(pool.use(async () => failedWith('FAULT'))).rejects.toThrow('the disk is full');
  expect([a.opened - a.closed, b.opened - b.closed, a.opened]).toEqual([0, 0, 1]);
});

test('a device that fails again and again is quarantined, others go on; with none left the pool says why', async () => {
  const [dead, well] = [new Fake('dead', { opens: () => false }), new Fake('well')];
  const pool = poolOf([dead, well], quick);
  while (pool.states().some((s) => s.name === 'dead' && s.state !== 'quarantined')) {
    await Promise.all([0, 1].map(() => pool.use(async () => failedWith('FAULT'))));
    // Rests are timers.
    await turn();
  }
  expect(pool.states().map((s) => s.state)).toEqual(['quarantined', 'idle']);
  expect(dead.opened).toBeLessThan(10);
  expect(pool.gone).toBeUndefined();
  await pool.closeAll();

  const alone = poolOf([new Fake('dead', { opens: () => false })], { ...quick, now: () => 1e12 });
  const answers = [0, 1, 2].map(() => alone.use(async () => failedWith('FAULT')));
  expect(await goneWhileWaiting(alone)).toEqual({
    since: new Date(1e12).toISOString(),
    code: 'DEVICE_UNREACHABLE',
    detail: 'no device left. dead: dead is silent',
  });
  expect(alone.states()).toMatchObject([{ state: 'quarantined', reason: 'dead is silent' }]);
  await alone.closeAll();
  for (const answer of await Promise.all(answers))
    expect(answer).toMatchObject({ ok: false, error: { code: 'DEVICE_UNREACHABLE' } });
});

test('while no device works trials wait, each for as long as its caller does; the first that is well again gets them', async () => {
  let silent = true;
  const late = new Fake('late', { opens: () => !silent });
  const looks: number[] = [];
  const pool = poolOf([late], {
    ...quick,
    quarantineMs: (n) => {
      looks.push(n);
      if (n === 3) silent = false;
      return 0;
    },
  });
  const impatient = new AbortController();
  const waiting = [0, 1].map((n) => pool.use(async () => counted(n)));
  const left = pool.use(async () => counted(9), undefined, impatient.signal);
  while (pool.gone === undefined) await turn();
  impatient.abort();
  expect(await left).toMatchObject({ ok: false, error: { stage: 'load' } });
  for (const done of await Promise.all(waiting)) expect(done).toMatchObject({ ok: true, value: { status: 'ok' } });
  expect(looks).toEqual([0, 1, 2, 3]);
  expect(pool.gone).toBeUndefined();
  await pool.closeAll();
});

test('a trial waits for a device that is being plugged in, and longer each time', async () => {
  const rests: number[] = [];
  let tries = 0;
  const late = new Fake('late', { opens: () => ++tries > 3 });
  const pool = poolOf([late], { restMs: (n) => rests.push(n) });
  expect((await pool.use(async () => failedWith('FAULT'))).ok).toBe(true);
  expect(rests).toEqual([1, 2, 3]);
  expect(pool.states()).toMatchObject([{ state: 'idle', trials: 1, failures: 3 }]);
});

test('closing tells those who wait, and a resting device is not opened again', async () => {
  const dead = new Fake('dead', { opens: () => false });
  const pool = poolOf([dead], { restMs: () => 1_000_000 });
  const waiting = pool.use(async () => failedWith('FAULT'));
  while (dead.opened === 0) await turn();
  await turn();
  await pool.closeAll();
  expect(await waiting).toMatchObject({ ok: false, error: { stage: 'load' } });
  expect(dead.opened).toBe(1);
});

test('a device that opens only when the pool is closed is closed again', async () => {
  const opening = Promise.withResolvers<void>();
  class Slow extends Fake {
    override async open(): ReturnType<Fake['open']> {
      await opening.promise;
      return super.open();
    }
  }
  const slow = new Slow('slow');
  const pool = poolOf([slow]);
  const used = pool.use(async () => failedWith('FAULT'));
  const closed = pool.closeAll();
  expect(await used).toMatchObject({ ok: false, error: { code: 'NO_DEVICE' } });
  opening.resolve();
  await closed;
  expect([slow.opened, slow.closed]).toEqual([1, 1]);
  expect(pool.states()).toMatchObject([{ failures: 0 }]);
});

test('a device of another board is refused at once, and others go on', async () => {
  const pool = poolOf([new Fake('stranger', { info: { board: 'another' } })]);
  expect(await goneWhileWaiting(pool)).toMatchObject({ code: 'WRONG_BOARD' });
  expect(pool.states()).toMatchObject([{ state: 'quarantined', failures: 1 }]);
  await pool.closeAll();
  const both = poolOf([new Fake('stranger', { info: { board: 'another' } }), new Fake('a')]);
  for (let i = 0; i < 3; i++)
    expect(await both.use(async () => failedWith('FAULT'))).toMatchObject({ ok: true, value: { code: 'FAULT' } });
});

const constant = (symbol: string, fill: number, bytes: number): KernelConstant => ({
  name: symbol,
  symbol,
  bytes: new Uint8Array(bytes).fill(fill),
  ctype: 'int8_t',
  align: 4,
  place: 'flash',
});

test('constants that fit by what they are said to take lie in the room, however they were cut', async () => {
  const list = [1, 33, 64, 95].map((bytes, i) => constant(`c${i}`, i, bytes));
  const room = roomFor(list);
  const a = new Fake('a');
  const residents = new Residents(0, room);
  await residents.place(a.device(), [constant('other', 9, 32)]);
  await residents.place(a.device(), list);
  for (const { address, bytes } of a.loads) expect(address + bytes.length).toBeLessThanOrEqual(room);
});

test('behind a cache with sets, equal constants lie at equal places in its ways, whatever was resident before', async () => {
  const way = 1024;
  const device = new Fake('a').device();
  const list = [constant('w', 1, 700), constant('b', 2, 400)];
  const places: number[][] = [];
  for (const before of [[], [constant('x', 3, 100)], [constant('w', 1, 700)]]) {
    const residents = new Residents(40, 10 * way, way);
    await residents.place(device, before);
    const { symbols } = await residents.place(device, list);
    places.push(list.map((c) => (symbols[c.symbol] as number) % way));
    expect((await residents.place(device, list)).sent).toBe(0);
  }
  expect(new Set(places.map(String)).size).toBe(1);
  expect(roomFor(list, way)).toBe(2 * way);
});

test('a block that is resident is not sent again; when the room is used up the region begins anew', async () => {
  const a = new Fake('a');
  const device = a.device();
  const residents = new Residents(1024, 256);
  const first = await residents.place(device, [constant('w', 1, 100), constant('b', 2, 20)]);
  expect(first.sent).toBe(120);
  const again = await residents.place(device, [constant('other_name', 1, 100)]);
  expect(again).toEqual({ symbols: { other_name: first.symbols.w }, sent: 0 });
  // 128 + 32 bytes are taken; 100 more do not fit.
  const anew = await residents.place(device, [constant('w', 3, 100)]);
  expect(anew).toEqual({ symbols: { w: 1024 }, sent: 100 });
  expect((await residents.place(device, [constant('w', 1, 100)])).sent).toBe(100);
  residents.forget();
  expect((await residents.place(device, [constant('w', 1, 100)])).sent).toBe(100);
});
