/**
 * Boards that are plugged in and pulled out while a farm works: real firmware in bare emulators, whose UARTs are pseudo-terminals.
 * In one test the farm stands alone and its ports are ours; in the other it is a daemon, asked over HTTP and by the command line.
 */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { openStore } from '../../db/index.ts';
import { attach } from '../../firmware-rpc/host/attach.ts';
import { main } from '../../server/cli/index.ts';
import { Farm, type FarmOptions } from '../../server/devices.ts';
import type { DeviceBody, DeviceHistory, DeviceList } from '../../server/schemas/index.ts';
import type { AnyStation } from '../../tuner/measure/far.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { near } from '../near.ts';
import { plugIn } from '../plugged-in.ts';
import { counted } from '../unit/pool-devices.ts';
import { expectOk, firmwareIn, workFolder } from '../wire/host-board.ts';
import { dataDir, ended, recordsOf, startDaemonProcess, submit, until } from './daemon-process.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, mps2An386);
});
afterAll(() => folder.remove());

interface Plugged {
  readonly path: string;
  /** Pulls it out: behind it the port is gone. */
  pull(): Promise<void>;
}
async function plug(): Promise<Plugged> {
  const { child, path } = plugIn(firmware.elf);
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const pull = (): Promise<void> => {
    child.kill('SIGKILL');
    return gone;
  };
  onTestFinished(pull);
  return { path: await path, pull };
}

/** A trial that talks to its device. */
const talk = async (station: AnyStation): Promise<MeasureResult> => {
  const device = near(station);
  return counted(await device.crc(device.info.data.base, 64));
};
/** One on each device of a pool, all at the same time. */
async function onAll(pool: DevicePool): Promise<void> {
  let inside = 0;
  const all = Promise.withResolvers<void>();
  const work = async (station: AnyStation): Promise<MeasureResult> => {
    if (++inside === pool.size) all.resolve();
    await all.promise;
    return talk(station);
  };
  const done = await Promise.all(Array.from({ length: pool.size }, () => pool.use(work)));
  expect(done.every((d) => d.ok)).toBe(true);
}

/** A farm of boards that are found, and of nothing else unless told. */
const farmOf = (options: Partial<FarmOptions>): Farm =>
  new Farm({
    boards: [mps2An386],
    attached: [],
    emulate: { 'mps2-an386': 0 },
    discover: 'each-job',
    cores: 1,
    cacheDir: folder.dir,
    log: () => undefined,
    ...options,
  });

test('a board that appears joins a pool under way; pulled out it leaves with one word; elsewhere it is the same again', async () => {
  const store = expectOk(openStore('memory', { mode: 'write' }));
  const said: string[] = [];
  let ports: readonly string[] = ['/dev/null'];
  let now = 1e12;
  const farm = farmOf({
    emulate: { 'mps2-an386': 1 },
    ports: async () => ports,
    store: store.devices,
    now: () => now,
    cores: 2,
    log: (m) => said.push(m),
  });
  onTestFinished(async () => {
    await farm.closeAll();
    farm.dispose();
    store.close();
  });
  const pool = expectOk(await farm.open(mps2An386));
  await onAll(pool);
  expect([pool.size, said]).toEqual([1, []]);

  const first = await plug();
  ports = ['/dev/null', first.path];
  await until('it is found', async () => {
    now += 10_000;
    await farm.look();
    return pool.size === 2 ? true : undefined;
  });
  expect(said).toEqual([`found a mps2-an386 at ${first.path}`]);
  await onAll(pool);
  const own = () => pool.states().find((s) => s.name === first.path);
  expect(own()).toMatchObject({ state: 'idle', trials: 1, failures: 0 });
  // Another one is there before the first is gone, so that it has another port.
  const second = await plug();
  said.length = 0;
  ports = ['/dev/null'];
  await first.pull();
  for (let i = 0; i < 5; i++) {
    now += 60_000;
    await farm.look();
    expect(await pool.use(talk)).toMatchObject({ ok: true });
  }
  expect(own()?.state).toBe('unplugged');
  expect(said).toEqual([`device ${first.path} is unplugged: ${first.path} is not there`]);

  ports = ['/dev/null', second.path];
  // An emulator takes a second to see that somebody has opened its port, longer than a stranger is waited for.
  await until('it is back', async () => {
    now += 10_000;
    await farm.look();
    return own()?.state === 'idle' ? true : undefined;
  });
  await onAll(pool);
  expect(own()).toMatchObject({ state: 'idle', trials: 2, failures: 0 });
  const { items } = expectOk(farm.history(first.path, undefined, 100));
  expect(
    items
      .map((e) => e.event)
      .filter((e) => e !== 'checked')
      .reverse(),
  ).toEqual(['plugged', 'opened', 'unplugged', 'closed', 'moved', 'opened']);
  expect(farm.states()).toMatchObject([{ transport: 'emulated' }, { name: first.path, address: second.path }]);
}, 60_000);

test('a board that was found and has not worked yet is known where it is plugged in next', async () => {
  const first = await plug();
  const said: string[] = [];
  let ports: readonly string[] = [first.path];
  let now = 1e12;
  const farm = farmOf({ ports: async () => ports, now: () => now, log: (m) => said.push(m) });
  onTestFinished(() => farm.closeAll());
  const saying = (words: string): Promise<true> =>
    until(words, async () => {
      now += 600_000;
      await farm.look();
      return said.at(-1) === words ? true : undefined;
    });
  await saying(`found a mps2-an386 at ${first.path}`);
  const second = await plug();
  ports = [];
  await first.pull();
  await saying(`device ${first.path} is unplugged: ${first.path} is not there`);
  ports = [second.path];
  await saying(`device ${first.path} is at ${second.path} now`);
  expect(farm.states()).toMatchObject([{ name: first.path, address: second.path }]);
}, 60_000);

test('of a board that is pulled out it is said so, and where, once', async () => {
  const board = await plug();
  const device = await until('it answers', async () => {
    const opened = await attach(board.path);
    return opened.ok ? opened.value : undefined;
  });
  onTestFinished(() => device.close());
  await board.pull();
  const lost = device.crc(device.info.data.base, 64);
  await expect(lost).rejects.toThrow(new RegExp(`^${board.path}: the connection broke off; .* \\([^)]+\\)$`));
}, 60_000);

test('a port that has two names is one port', async () => {
  const board = await plug();
  const other = join(folder.dir, 'by-id');
  let now = 1e12;
  symlinkSync(board.path, other);
  const farm = farmOf({
    attached: [{ board: 'mps2-an386', address: board.path }],
    ports: async () => [other],
    now: () => now,
  });
  onTestFinished(() => farm.closeAll());
  // Asked once, an emulator may not hear it in time; asked so often it does.
  for (; now < 1e12 + 600_000; now += 60_000) expect(await farm.look()).toEqual([]);
  expect(farm.states().map((d) => d.name)).toEqual([board.path]);
});

test('a daemon gets a board over HTTP while a job is under way, loses it, ends the job without it, and knows it after kill -9', async () => {
  const dir = dataDir();
  let daemon = await startDaemonProcess(dir, ['--emulate', 'mps2-an386=1']);
  const job = await submit(daemon, { trials: 24 });
  const board = await plug();
  const cli = async (...args: readonly string[]): Promise<string> => {
    let [out, err] = ['', ''];
    const code = await main(['devices', ...args, '--data', dir], {
      stdin: process.stdin,
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
    });
    expect([code, err]).toEqual([0, '']);
    return out;
  };
  expect(await cli('add', `mps2-an386=${board.path}`)).toMatch(new RegExp(`${board.path} +mps2-an386 .* serial `));
  const mine = async (): Promise<DeviceBody | undefined> =>
    (await daemon.get<DeviceList>('/v1/devices')).items.find((d) => d.name === board.path);
  const uid = await until('it has measured', async () => {
    const d = await mine();
    return d !== undefined && d.trials > 1 ? d.uid : undefined;
  });
  await board.pull();
  const done = await ended(daemon, job.id);
  expect([done.state, done.error]).toEqual(['done', null]);
  const records = await recordsOf(daemon, job.id);
  expect(records.filter((r) => r.device === uid && r.status === 'ok').length).toBeGreaterThan(0);
  expect(records.filter((r) => r.status === 'failed' && r.code === 'LINK').length).toBeLessThanOrEqual(1);
  const history = (): Promise<DeviceHistory> =>
    daemon.get(`/v1/devices/${encodeURIComponent(board.path)}/history?limit=1000`);
  // The look at the ports, every few seconds, finds it if no trial did.
  await until('it is missed', async () => ((await mine())?.state === 'unplugged' ? true : undefined));
  const events = (await history()).items.map((e) => e.event);
  expect(events.filter((e) => e === 'unplugged')).toHaveLength(1);
  expect(await cli('history', board.path)).toContain('unplugged');
  expect(await cli()).toMatch(new RegExp(`${board.path} .*unplugged`));
  await daemon.end('SIGKILL');
  daemon = await startDaemonProcess(dir, ['--emulate', 'mps2-an386=1']);
  const again = await until('it is missed again', async () => {
    const d = await mine();
    return d?.state === 'unplugged' ? d : undefined;
  });
  expect(again.stats.trials).toBeGreaterThan(0);
  await cli('remove', board.path);
  expect(await mine()).toBeUndefined();
  await daemon.end('SIGTERM');
}, 120_000);
