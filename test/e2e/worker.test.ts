/**
 * A farm whose devices hang on other hosts: the real daemon, the real Redis, real workers with emulators. What they count is what
 * devices of the farm's own count; whichever of them dies in the middle of a job, every trial is there once and the job ends.
 */
import { expect, test } from 'vitest';
import type { DeviceBody, DeviceList, RecordBody, ReplayBody } from '../../server/schemas/index.ts';
import {
  type DaemonProcess,
  dataDir,
  emulatorsOf,
  ended,
  expectMeasuredOnce,
  measured,
  recordsOf,
  startDaemonProcess,
  submit,
  until,
} from './daemon-process.ts';
import { startRedis, startWorker } from './worker-process.ts';

const board = 'mps2-an386';
const devicesOf = async (d: DaemonProcess): Promise<readonly DeviceBody[]> =>
  (await d.get<DeviceList>('/v1/devices')).items.filter((x) => x.board === board);
const allAre = (d: DaemonProcess, state: 'there' | 'unplugged', count: number) =>
  until(`${count} devices are ${state}`, async () => {
    const devices = (await devicesOf(d)).filter((x) => (x.state === 'unplugged') === (state === 'unplugged'));
    return devices.length === count ? devices : undefined;
  });

/** What each binary counted; every one was measured once, and well. */
function countsOf(records: readonly RecordBody[]): ReadonlyMap<string, number | null> {
  const own = expectMeasuredOnce(records);
  expect(own.filter((r) => r.status !== 'ok').map((r) => [r.device, r.code, r.detail])).toEqual([]);
  return new Map(own.map((r) => [`${r.task} ${r.binary}`, r.cycles]));
}
async function expectDone(d: DaemonProcess, job: string, trials: number): Promise<readonly RecordBody[]> {
  const body = await ended(d, job);
  expect([body.state, body.error]).toEqual(['done', null]);
  expect(body.trials).toMatchObject({ done: trials, budget: trials });
  expect(body.report).toMatchObject({ verifiedInputs: 8 });
  return recordsOf(d, job);
}

const longMs = 600_000;

test(
  'a job on another host, through the end of Redis and of the farm: every trial once, and counted as here',
  async () => {
    const [trials, dir] = [10, dataDir()];
    const redis = await startRedis();
    const farm = ['--emulate', `${board}=0`, '--redis', redis.url];
    let d = await startDaemonProcess(dir, farm);
    const worker = startWorker(d.url, 'bench2', dir, ['--emulate', `${board}=2`]);
    const there = await allAre(d, 'there', 2);
    expect(there.map((x) => [x.name, x.transport])).toEqual([0, 1].map((i) => [`bench2/${board}#${i}`, 'worker']));
    const { id: job } = await submit(d, { board, trials });
    let before = await measured(d, job, 2);
    await redis.kill();
    await until('the farm has noticed', async () => (d.said().includes('Redis does not answer') ? true : undefined));
    expect((await fetch(`${d.url}/readyz`)).status).toBe(200);
    await until('the worker as well', async () => (worker.said().includes('Redis is away') ? true : undefined));
    await redis.start();
    before = await measured(d, job, before.length + 2);
    await d.end('SIGKILL');
    await until('the worker has noticed', async () => (worker.said().includes('the farm is away') ? true : undefined));
    d = await startDaemonProcess(dir, [...farm, '--port', new URL(d.url).port]);
    const records = await expectDone(d, job, trials);
    expect(records.slice(0, before.length)).toEqual(before);
    expect(new Set(records.map((r) => r.device?.split('/')[0]))).toEqual(new Set(['bench2']));
    expect(worker.said()).toMatch(/the farm is back/);
    expect(await worker.end('SIGTERM'), worker.said()).toBe(0);
    expect(emulatorsOf(dir)).toEqual([]);
    await allAre(d, 'unplugged', 2);
    // The same trials on devices of this host.
    await d.post('/v1/devices', { board, emulate: 2 });
    const own = records.filter((r) => r.reusedFrom === null);
    const again = await Promise.all(own.map((r) => d.post<ReplayBody>(`/v1/trials/${r.id}/replay`)));
    expect(again.map((r) => r.sameBinary)).toEqual(own.map(() => true));
    expect(again.map((r) => r.record.device)).toEqual(own.map(() => expect.stringMatching(/^mps2-an386#/)));
    expect(countsOf(again.map((r) => r.record))).toEqual(countsOf(records));
  },
  longMs,
);

test(
  'a worker that is killed: its trials are run elsewhere, once; strangers are not let in',
  async () => {
    const [trials, dir] = [14, dataDir()];
    const redis = await startRedis();
    const d = await startDaemonProcess(dir, ['--emulate', `${board}=0`, '--redis', redis.url]);
    const one = ['--emulate', `${board}=1`];
    const wrong = startWorker(d.url, 'bench4', dir, [...one, '--token', 'wrong']);
    const [killed, other] = ['bench2', 'bench3'].map((name) => startWorker(d.url, name, dir, one));
    await allAre(d, 'there', 2);
    const { id: job } = await submit(d, { board, trials });
    await until('both have measured', async () => {
      const devices = new Set((await recordsOf(d, job)).map((r) => r.device?.split('/')[0]));
      return devices.size === 2 ? true : undefined;
    });
    await until('it is at a trial', async () => {
      const device = (await devicesOf(d)).find((x) => x.name === `bench2/${board}#0`);
      return device?.state === 'busy' ? true : undefined;
    });
    await killed?.end('SIGKILL');
    const records = await expectDone(d, job, trials);
    countsOf(records);
    const lost = (await devicesOf(d)).find((x) => x.name === `bench2/${board}#0`);
    expect(lost).toMatchObject({ state: 'unplugged', stats: { failures: 0 } });
    expect([await wrong.ended, wrong.said()]).toEqual([2, expect.stringMatching(/^error UNAUTHORIZED: /m)]);
    // It is there again under its name.
    startWorker(d.url, 'bench2', dir, one);
    await allAre(d, 'there', 2);
    expect(await other?.end('SIGTERM')).toBe(0);
  },
  longMs,
);
