/**
 * Boards that somebody attached: found by asking, found again at another port, reached by two paths, frozen and brought back
 * by their power switch, built anew when their firmware is gone. Boards are processes, ports are relays in front of them.
 */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { buildServer } from '../../boards/common/build.ts';
import { host } from '../../boards/host/index.ts';
import type { BuiltFirmware } from '../../boards/index.ts';
import { ok } from '../../compiler/result.ts';
import { attach } from '../../firmware-rpc/host/attach.ts';
import { answering, ask, askAll, portOwner, serialPorts } from '../../firmware-rpc/host/discover.ts';
import { Farm, type FarmOptions } from '../../server/devices.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { near } from '../near.ts';
import { counted, goneWhileWaiting } from '../unit/pool-devices.ts';
import { expectOk, firmwareIn, type ListeningBoard, listening, workFolder } from './host-board.ts';
import { type Relay, relayTo } from './relay.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, host);
});
afterAll(() => folder.remove());

const link = { patienceMs: 250, attempts: 4 };
async function board(): Promise<ListeningBoard> {
  const made = await listening(firmware);
  onTestFinished(() => made.kill());
  return made;
}
async function port(to: ListeningBoard): Promise<Relay> {
  const relay = await relayTo(to.port);
  onTestFinished(() => relay.cut());
  return relay;
}
interface Bench {
  readonly farm: Farm;
  readonly pool: DevicePool;
  readonly told: string[];
}
async function farmOf(addresses: readonly string[], options: Partial<FarmOptions> = {}): Promise<Bench> {
  const told: string[] = [];
  const farm = new Farm({
    boards: [host],
    attached: addresses.map((address) => ({ board: 'host', address })),
    emulate: { host: 0 },
    ports: async () => [],
    link,
    pool: { restMs: () => 0 },
    cores: 2,
    cacheDir: folder.dir,
    log: (message) => told.push(message),
    ...options,
  });
  const pool = expectOk(await farm.open(host));
  onTestFinished(() => farm.closeAll());
  return { farm, pool, told };
}
/** A trial that talks to its device. */
const trial = (pool: DevicePool): Promise<MeasureResult | string> =>
  pool
    .use(async (station) => counted(await near(station).crc(near(station).info.data.base, 64)))
    .then((used) => (used.ok ? used.value : used.error.code));

test('whoever answers HELLO is found, all at once; others are told by their reason', async () => {
  const [a, b] = [await board(), await board()];
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const at = silent.address();
  const stranger = `127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}`;
  const addresses = [`127.0.0.1:${a.port}`, stranger, `127.0.0.1:${b.port}`, '/dev/null', join(folder.dir, 'nothing')];
  const answers = await askAll(addresses, link);
  silent.close();
  expect(answers.map((x) => x.address)).toEqual(addresses);
  const found = answering(answers);
  expect(found.map((f) => [f.address, f.board, f.buildId])).toEqual(
    [a, b].map((x) => [`127.0.0.1:${x.port}`, 'host', firmware.buildId]),
  );
  expect(new Set(found.map((f) => f.uid)).size).toBe(2);
  const codes = answers.flatMap(({ found: f }) => (f.ok ? [] : [f.error.code]));
  expect(codes).toEqual(['DEVICE_UNREACHABLE', 'NOT_A_SERIAL_PORT', 'DEVICE_UNREACHABLE']);
  // Asking leaves them as they were.
  const device = expectOk(await attach(addresses[0] ?? ''));
  await device.close();
});

test('the ports of a machine, each once; one that is locked is left alone', async () => {
  const dev = join(folder.dir, 'dev');
  mkdirSync(join(dev, 'serial/by-id'), { recursive: true });
  for (const name of ['ttyACM0', 'ttyACM1', 'ttyUSB7', 'ttyS0', 'null']) writeFileSync(join(dev, name), '');
  symlinkSync('../../ttyACM1', join(dev, 'serial/by-id/usb-ST-Link-if02'));
  symlinkSync('../../ttyACM9', join(dev, 'serial/by-id/usb-gone'));
  const want = ['serial/by-id/usb-ST-Link-if02', 'ttyACM0', 'ttyUSB7'].map((name) => join(dev, name));
  expect(await serialPorts(dev)).toEqual(want);
  expect(await serialPorts(join(dev, 'none'))).toEqual([]);
  const lock = join(folder.dir, 'lock');
  mkdirSync(lock);
  writeFileSync(join(lock, 'LCK..ttyACM1'), `${String(process.pid).padStart(10)}\n`);
  writeFileSync(join(lock, 'LCK..ttyACM0'), '999999999\n');
  writeFileSync(join(lock, 'LCK..ttyUSB7'), 'garbage');
  expect(want.map((path) => portOwner(path, lock))).toEqual([process.pid, undefined, undefined]);
  // A lock that cannot be read names nobody.
  mkdirSync(join(lock, 'LCK..ttyS0'));
  expect(portOwner(join(dev, 'ttyS0'), lock)).toBeUndefined();
});

test('what answers is attached for the next job, and not twice', async () => {
  const [a, b] = [await board(), await board()];
  const ports = [`127.0.0.1:${a.port}`];
  const { farm, pool, told } = await farmOf([], { discover: 'each-job', ports: async () => ports });
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  await farm.close(host);
  ports.push(`127.0.0.1:${b.port}`);
  const second = expectOk(await farm.open(host));
  expect(second.states().map((s) => s.name)).toEqual(ports);
  expect(told.filter((m) => m.startsWith('found'))).toHaveLength(2);
  expect(farm.states().map((s) => [s.name, s.kind])).toEqual(ports.map((p) => [p, 'host']));
});

test('a device that is plugged in elsewhere is found by its uid; the job goes on, and the next one knows', async () => {
  const only = await board();
  const first = await port(only);
  let ports = [first.address];
  const { farm, pool, told } = await farmOf([first.address], { ports: async () => ports });
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  const [before] = pool.states();
  await first.cut();
  const second = await port(only);
  ports = [second.address];
  expect(await trial(pool)).toBe('LINK');
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  expect(pool.states()).toMatchObject([{ name: first.address, uid: before?.uid, state: 'idle' }]);
  expect(told).toContain(`device ${first.address} is at ${second.address} now`);
  await farm.close(host);
  const next = expectOk(await farm.open(host));
  expect(await trial(next)).toMatchObject({ status: 'ok' });
  expect(next.states()).toMatchObject([{ failures: 0 }]);
});

test('a stranger at another port is not taken for a device that was there before', async () => {
  const [mine, other] = [await board(), await board()];
  const first = await port(mine);
  const { pool } = await farmOf([first.address], { ports: async () => [`127.0.0.1:${other.port}`] });
  await trial(pool);
  const uid = pool.states()[0]?.uid;
  await first.cut();
  expect(await trial(pool)).toBe('LINK');
  // Only a stranger is there: the device is waited for, until it is given up.
  expect(await goneWhileWaiting(pool)).toMatchObject({ code: 'DEVICE_UNREACHABLE' });
  expect(pool.states()).toMatchObject([{ state: 'quarantined', uid }]);
  expect(expectOk(await ask(`127.0.0.1:${other.port}`, link)).uid).not.toBe(uid);
});

test('one device on two paths is used once, whatever the paths are called', async () => {
  const relay = await port(await board());
  const { pool } = await farmOf([relay.address, relay.address.replace('127.0.0.1', 'localhost')]);
  const results = await Promise.all([1, 2, 3, 4].map(() => trial(pool)));
  expect(results.some((r) => typeof r !== 'string')).toBe(true);
  while (!pool.states().some((s) => s.state === 'quarantined')) await Promise.all([1, 2].map(() => trial(pool)));
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  expect(pool.states().filter((s) => s.code === 'DEVICE_TWICE')).toHaveLength(1);
});

test('a frozen device comes back when the command for its power is run; a command that fails is told', async () => {
  const [frozen, calls] = [await board(), join(folder.dir, 'calls')];
  const address = `127.0.0.1:${frozen.port}`;
  const command = `echo "$1" >> ${calls}; kill -CONT ${frozen.pid}`;
  const { pool } = await farmOf([address], { powerCycle: { host: command }, link: { patienceMs: 100, attempts: 4 } });
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  process.kill(frozen.pid, 'SIGSTOP');
  expect(await trial(pool)).toBe('LINK');
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  expect(readFileSync(calls, 'utf8')).toBe(`${address}\n`);
  expect(pool.states()).toMatchObject([{ state: 'idle', recoveries: { 'power-cycle': 1, reflash: 0 } }]);

  const broken = await farmOf(['127.0.0.1:1'], { powerCycle: { host: 'echo no hub >&2; exit 3' } });
  expect(await goneWhileWaiting(broken.pool)).toMatchObject({ code: 'DEVICE_UNREACHABLE' });
  expect(broken.told.some((m) => /power-cycle failed: .*no hub/.test(m))).toBe(true);
});

/** The same server, compiled otherwise. */
const older = (dir: string): Promise<BuiltFirmware> =>
  buildServer(
    {
      target: host.target,
      sources: ['board.c', 'socket.c'].map((f) => join(import.meta.dirname, '../../boards/host', f)),
      flags: ['-O1'],
      linkScript: join(import.meta.dirname, '../../boards/host/link.ld'),
      linkFlags: [],
    },
    { dir, name: 'older', objects: [] },
  ).then(expectOk);

test('a board with firmware of yesterday is flashed where that can be done, else used with a warning or not at all', async () => {
  const old = await older(folder.dir);
  expect(old.buildId).not.toBe(firmware.buildId);
  const [before, after] = [await listening(old), await board()];
  onTestFinished(() => before.kill());
  const at = await port(before);
  const warned = await farmOf([at.address]);
  expect(await trial(warned.pool)).toMatchObject({ status: 'ok' });
  expect(warned.pool.states()).toMatchObject([{ firmware: old.buildId, warning: expect.stringContaining('flash it') }]);
  await warned.farm.closeAll();
  const strict = await farmOf([at.address], { pool: { firmware: 'same' } });
  expect(await goneWhileWaiting(strict.pool)).toMatchObject({ code: 'FIRMWARE_OUTDATED' });
  await strict.farm.closeAll();

  const flashed: string[] = [];
  const flash = async ({ buildId }: BuiltFirmware, address: string) => {
    flashed.push(buildId, address);
    await at.swap(after.port);
    return ok(undefined);
  };
  const able = await farmOf([at.address], { flasherOf: () => ({ build: async () => ok(firmware), flash }) });
  expect(await trial(able.pool)).toMatchObject({ status: 'ok' });
  expect(flashed).toEqual([firmware.buildId, at.address]);
  expect(able.pool.states()).toMatchObject([
    { firmware: firmware.buildId, warning: null, failures: 0, recoveries: { reflash: 1 } },
  ]);
});

test('an emulated board whose firmware file is gone gets it anew', async () => {
  const dir = join(folder.dir, 'emulated');
  mkdirSync(dir);
  const { pool } = await farmOf([], { emulate: { host: 1 }, cacheDir: dir });
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  rmSync(join(dir, 'firmware/host/server.elf'));
  await pool.use(async (station) => {
    const device = near(station);
    await device.close();
    return counted(await device.crc(device.info.data.base, 4));
  });
  expect(await trial(pool)).toMatchObject({ status: 'ok' });
  expect(pool.states()).toMatchObject([{ name: 'host#0', uid: 'host#0', warning: null, recoveries: { reflash: 1 } }]);
});
