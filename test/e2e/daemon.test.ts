/**
 * The daemon from outside, with real compilers and emulators: jobs end in proven firmware, and neither kill -9, nor a lost
 * emulator, nor missing tools cost more than what was under way.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { expect, onTestFinished, test } from 'vitest';
import type { DeviceList, JobBody, JobSummary, RecordBody } from '../../server/schemas/index.ts';
import { readElf } from '../../toolchain/index.ts';
import { samples } from '../samples.ts';
import { smallModel } from '../server/model.ts';
import {
  type DaemonProcess,
  dataDir,
  emulatorsOf,
  ended,
  expectMeasuredOnce,
  measured,
  recordsOf,
  refusedDaemon,
  startDaemonProcess,
  submit,
  until,
} from './daemon-process.ts';

const model = smallModel(1);

test('a job on the PC ends in a library and firmware that compute what the model says', async () => {
  const d = await startDaemonProcess(dataDir(), ['--emulate', 'host=2']);
  const { id } = await submit(d, { board: 'host', trials: 10 });
  const job = await ended(d, id);
  expect([job.state, job.error]).toEqual(['done', null]);
  expect(job.trials).toMatchObject({ done: 10, budget: 10 });
  // The best of a task's trials, the default among them; the finished network is run once, and the PC does not count twice the same.
  for (const task of job.tasks) expect(task.best).toBeLessThanOrEqual(task.default ?? 0);
  expect(job.cycles).toEqual({ default: job.report?.defaultCycles, best: job.report?.cycles });
  expect(job.report).toMatchObject({ board: 'host', kind: 'host', verifiedInputs: 8, policy: 'random', seed: 3 });
  const layers = job.report?.layers as {
    readonly op: string;
    readonly cycles: number;
    readonly defaultCycles: number;
  }[];
  expect(layers.map((l) => l.op)).toEqual(['conv2d', 'conv2d', 'average_pool2d', 'fully_connected']);
  for (const l of layers) expect(Math.min(l.cycles, l.defaultCycles)).toBeGreaterThan(0);

  const files = await artifactOf(d, id);
  const { files: named } = job.report as { readonly files: Record<string, string> };
  for (const file of Object.values(named)) expect([...files.keys()]).toContain(file);
  expect(JSON.parse(files.get('report.json')?.toString() ?? '')).toEqual(job.report);
  expect(readElf(files.get(named.elf ?? '') ?? Buffer.alloc(0)).entry).toBeGreaterThan(0);
  const devices = (await d.get<DeviceList>('/v1/devices')).items.filter((x) => x.board === 'host');
  expect(devices.map((x) => x.state)).toEqual(['closed', 'closed']);
  expect(devices.reduce((n, x) => n + x.trials, 0)).toBeGreaterThanOrEqual(10);

  // Another job on the same model knows what this one measured.
  const again = await ended(d, (await submit(d, { board: 'host', trials: 4, seed: 4 })).id);
  expect([again.state, again.error]).toEqual(['done', null]);
  expectMeasuredOnce([...(await recordsOf(d, id)), ...(await recordsOf(d, again.id))]);
  expect(await d.end('SIGTERM')).toBe(0);
});

async function artifactOf(d: DaemonProcess, job: string): Promise<ReadonlyMap<string, Buffer>> {
  const answer = await fetch(`${d.url}/v1/jobs/${job}/artifact`);
  expect(answer.status).toBe(200);
  const reader = extract();
  reader.end(gunzipSync(Buffer.from(await answer.arrayBuffer())));
  const files = new Map<string, Buffer>();
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    files.set(entry.header.name, Buffer.concat(chunks));
  }
  return files;
}

test('kill -9 in the middle of a job and of an upload: the next daemon ends the job, nothing is lost or measured twice', async () => {
  const dir = dataDir();
  const start = () => startDaemonProcess(dir, ['--emulate', 'mps2-an386=2']);
  let id = '';
  let before: readonly RecordBody[] = [];
  for (let kills = 0; kills < samples(1, 5); kills++) {
    const first = await start();
    if (id === '') id = (await submit(first, { trials: 40 })).id;
    const now = await measured(first, id, before.length + 6);
    expect(now.slice(0, before.length)).toEqual(before);
    before = now;
    await halfAnUpload(first.url);
    await first.end('SIGKILL');
    await until('no emulator is left', async () => (emulatorsOf(dir).length === 0 ? true : undefined));
  }

  const second = await start();
  const running = await second.get<JobBody>(`/v1/jobs/${id}`);
  expect(running.state).toBe('running');
  expect(running.trials.done).toBeLessThan(40);
  const job = await ended(second, id);
  expect([job.state, job.error]).toEqual(['done', null]);
  expect(job.trials).toMatchObject({ done: 40, budget: 40 });
  const after = await recordsOf(second, id);
  expect(after.slice(0, before.length)).toEqual(before);
  expectMeasuredOnce(after);
  expect((await second.get<{ items: JobSummary[] }>('/v1/jobs')).items.map((j) => j.id)).toEqual([id]);
  expect((await second.upload(model)).id).toBe(job.model);
  expect(await second.end('SIGTERM')).toBe(0);
});

/** A connection that promises a model and sends half of it. */
async function halfAnUpload(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  const head = `POST /v1/models HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/octet-stream\r\ncontent-length: ${model.length}\r\n\r\n`;
  await new Promise<void>((done) =>
    socket.write(Buffer.concat([Buffer.from(head), model.subarray(0, model.length / 2)]), () => done()),
  );
}

test('SIGTERM in the middle of a job ends everything within 10 s; the job waits, and can be cancelled later', async () => {
  const dir = dataDir();
  const first = await startDaemonProcess(dir, ['--emulate', 'mps2-an386=1']);
  const { id } = await submit(first, { trials: 100_000, time: '1h' });
  const before = await measured(first, id, 3);
  expect(emulatorsOf(dir).length).toBe(1);

  const taken = await refusedDaemon(dir);
  expect(taken.code).toBe(4);
  expect(taken.said).toMatch(new RegExp(`^error DATA_IN_USE: .*${first.url}`));
  const busy = await refusedDaemon(dataDir(), ['--port', new URL(first.url).port]);
  expect([busy.code, busy.said.trim().split('\n').length]).toEqual([4, 1]);
  expect(busy.said).toMatch(/^error PORT_IN_USE: /);

  const since = performance.now();
  expect(await first.end('SIGTERM')).toBe(0);
  expect(performance.now() - since).toBeLessThan(10_000);
  expect(emulatorsOf(dir)).toEqual([]);

  const second = await startDaemonProcess(dir, ['--emulate', 'mps2-an386=1']);
  const resumed = await measured(second, id, before.length + 2);
  expect(resumed.slice(0, before.length)).toEqual(before);
  expect((await second.post<JobBody>(`/v1/jobs/${id}/cancel`)).state).toBe('cancelled');
  await until('its emulator is gone', async () => (emulatorsOf(dir).length === 0 ? true : undefined));
  const log = readFileSync(join(dir, 'log'), 'utf8')
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l) as { job?: string; msg: string });
  expect(log.filter((l) => l.job === id).map((l) => l.msg)).toEqual(
    expect.arrayContaining(['job queued', 'job started', 'job goes on', 'job cancelled']),
  );
  expect(await second.end('SIGTERM')).toBe(0);
});

test('an emulator that is killed costs its trial, comes back, and the job goes on', async () => {
  const dir = dataDir();
  const d = await startDaemonProcess(dir, ['--emulate', 'mps2-an386=1']);
  const { id } = await submit(d, { trials: 30 });
  await measured(d, id, 4);
  const [pid = 0] = await until('an emulator runs', async () =>
    emulatorsOf(dir).length > 0 ? emulatorsOf(dir) : undefined,
  );
  process.kill(pid, 'SIGKILL');
  const job = await ended(d, id);
  expect([job.state, job.error]).toEqual(['done', null]);
  const records = await recordsOf(d, id);
  expectMeasuredOnce(records);
  expect(records.filter((r) => r.code === 'LINK').length).toBeLessThanOrEqual(1);
  const device = (await d.get<DeviceList>('/v1/devices')).items.find((x) => x.name === 'mps2-an386#0');
  expect(device?.failures).toBe(1);
  expect(await d.end('SIGTERM')).toBe(0);
});

test('a missing compiler or emulator fails the job with what to install; the daemon lives on', async () => {
  const tools = mkdtempSync(join(tmpdir(), 'microtune-tools-'));
  onTestFinished(() => rmSync(tools, { recursive: true, force: true }));
  const links = (name: string, programs: readonly string[]): string => {
    mkdirSync(join(tools, name));
    for (const p of programs) symlinkSync(join('/usr/bin', p), join(tools, name, p));
    return join(tools, name);
  };
  const shell = ['sh', 'cat'];
  const compilers = readdirSync('/usr/bin').filter((p) => p.startsWith('arm-none-eabi-'));
  const cases = [
    [links('none', shell), 'TOOL_MISSING', /gcc-arm-none-eabi/],
    [links('compiler', [...shell, ...compilers]), 'EMULATOR_MISSING', /qemu-system-arm/],
  ] as const;
  for (const [path, code, hint] of cases) {
    expect(path).not.toContain(delimiter);
    const d = await startDaemonProcess(dataDir(), [], { ...process.env, PATH: path });
    const job = await ended(d, (await submit(d, { trials: 5 })).id);
    expect([job.state, job.error?.code]).toEqual(['failed', code]);
    expect(job.error?.detail).toMatch(hint);
    expect(await d.get('/healthz')).toMatchObject({ status: 'ok', jobs: [] });
    expect(await d.end('SIGTERM')).toBe(0);
  }
});
