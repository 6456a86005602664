/**
 * The host's client and the C server over a line that loses, changes, doubles and delays: every command ends right or with a
 * LinkError, and nothing is executed twice. A model of the device's memory says what is right.
 */
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { connect } from '../../firmware-rpc/host/client.ts';
import { type Device, LinkError } from '../../firmware-rpc/host/device.ts';
import { openSocket } from '../../firmware-rpc/host/socket.ts';
import { fillBytes } from '../../tuner/measure/bench.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { everyFault, type FaultyTransport, faulty } from './faulty.ts';
import { type ListeningBoard, listeningBoard, loadCandidate, workFolder } from './host-board.ts';

const folder = workFolder();
let board: ListeningBoard;
beforeAll(async () => {
  board = await listeningBoard(folder.dir);
});
afterAll(async () => {
  await board.kill();
  folder.remove();
});

const counts = '#include <stdint.h>\nuint32_t mt_entry(uint32_t at) { return ++*(uint32_t *)(uintptr_t)at; }';
const endless = 'unsigned mt_entry(void) { for (;;) __asm__ volatile(""); }';
const memoryBytes = 3000;
const impatient = { patienceMs: 40, attempts: 25 };

interface Session {
  readonly device: Device;
  readonly transport: FaultyTransport;
}
async function open(chance: number, seed: number, options = impatient): Promise<Session> {
  const transport = faulty(await openSocket('127.0.0.1', board.port), everyFault(chance), seed);
  return { device: await connect(transport, options), transport };
}

/** What the device's memory must hold: bytes at data + 64, the counter at data. */
interface Model {
  readonly bytes: Uint8Array;
  counter: number;
}

/** One random command; throws where its answer is not the model's. */
async function step(device: Device, model: Model, entry: number, r: Random): Promise<string> {
  const base = device.info.data.base + 64;
  const at = r.int(0, memoryBytes - 2);
  const n = r.int(1, memoryBytes - at);
  const seed = r.int(1, 1e9);
  switch (r.int(0, 4)) {
    case 0: {
      const bytes = fillBytes(n, seed);
      model.bytes.set(bytes, at);
      await device.load(base + at, bytes);
      return 'load';
    }
    case 1:
      model.bytes.set(fillBytes(n, seed), at);
      await device.fill(base + at, n, seed, 0);
      return 'fill';
    case 2:
      expect(await device.crc(base + at, n)).toBe(crc32(model.bytes.subarray(at, at + n)));
      return 'crc';
    case 3:
      expect(Buffer.from(await device.fetch(base + at, n))).toEqual(Buffer.from(model.bytes.subarray(at, at + n)));
      return 'fetch';
    default: {
      const request = { entry, args: [device.info.data.base], warmups: 0, repeats: 1, deadlineMs: 5000 };
      const called = await device.call(request);
      if (!called.ok && called.code === 'LINK') throw new LinkError(called.detail);
      expect(called).toMatchObject({ ok: true, returned: model.counter + 1 });
      model.counter++;
      return 'call';
    }
  }
}

/** After a lost link the last command was executed once or not at all; then model and device agree again. */
async function agree(model: Model): Promise<void> {
  const { device } = await open(0, 0, { patienceMs: 1000, attempts: 12 });
  const counter = Buffer.from(await device.fetch(device.info.data.base, 4)).readUInt32LE();
  expect([model.counter, model.counter + 1]).toContain(counter);
  model.counter = counter;
  await device.load(device.info.data.base + 64, model.bytes);
  await device.close();
}

test('random commands over a faulty line', async () => {
  const first = await open(0, 0);
  const entry = await loadCandidate(first.device, host, counts, 0, folder.dir);
  await first.device.load(first.device.info.data.base, new Uint8Array(64 + memoryBytes));
  await first.device.close();
  const model: Model = { bytes: new Uint8Array(memoryBytes), counter: 0 };
  const done = new Map<string, number>();
  let [lost, injected] = [0, 0];
  for (let seed = 1; seed <= samples(8, 120); seed++) {
    const r = new Random(1000 + seed);
    let session: Session | undefined;
    try {
      session = await open(0.02 + 0.02 * (seed % 4), seed);
      for (let n = 0; n < 25; n++) {
        const command = await step(session.device, model, entry, r);
        done.set(command, (done.get(command) ?? 0) + 1);
      }
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      lost++;
      expect(error.message).toMatch(/no answer to [A-Z]+ in \d+ ms/);
    }
    injected += session?.transport.injected() ?? 0;
    await session?.device.close();
    if (lost > 0) await agree(model);
  }
  expect(injected).toBeGreaterThan(100);
  expect([...done.keys()].sort()).toEqual(['call', 'crc', 'fetch', 'fill', 'load']);
  // Faults of this strength are survived, not merely reported.
  expect(lost).toBeLessThanOrEqual(samples(8, 120) / 2);
});

test('a connection that has become a black hole ends in a clear error, and stays ended', async () => {
  const { device, transport } = await open(0, 1, { patienceMs: 5, attempts: 4 });
  transport.blackHole();
  await expect(device.crc(device.info.data.base, 4)).rejects.toThrow(/no answer to CRC in 20 ms/);
  await expect(device.load(device.info.data.base, new Uint8Array(4000))).rejects.toThrow(/no answer to CRC/);
  await device.close();
  // The device was there all the time.
  const again = await open(0, 1);
  expect(again.device.info.board).toBe('host');
  await again.device.close();
});

test('a CALL into a black hole is a LINK failure, after its deadline and no sooner', async () => {
  const { device, transport } = await open(0, 1, { patienceMs: 5, attempts: 2 });
  transport.blackHole();
  const request = { entry: device.info.load.base, args: [], warmups: 1, repeats: 2, deadlineMs: 20 };
  const called = await device.call(request);
  expect(called).toMatchObject({ ok: false, code: 'LINK' });
  const waited = Number(/in (\d+) ms/.exec(called.ok ? '' : called.detail)?.[1]);
  expect(waited).toBeGreaterThanOrEqual(60);
  await device.close();
});

test('a board that dies in the middle of a call is a LINK failure at once; another one serves on', async () => {
  const own = await listeningBoard(`${folder.dir}/dies`);
  const device = await connect(await openSocket('127.0.0.1', own.port));
  const entry = await loadCandidate(device, host, endless, 0, folder.dir);
  const called = device.call({ entry, args: [], warmups: 0, repeats: 1, deadlineMs: 600_000 });
  await own.kill();
  expect(await called).toMatchObject({ ok: false, code: 'LINK', detail: expect.stringMatching(/closed|ECONNRESET/) });
  await expect(device.fetch(device.info.data.base, 4)).rejects.toThrow(LinkError);
  await device.close();
  const next = await open(0, 1);
  expect(await next.device.crc(next.device.info.data.base, 0)).toBe(0);
  await next.device.close();
});
