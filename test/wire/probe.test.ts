/**
 * Writes through a debug probe (gdb-remote.ts), against a stub of paper: every byte where it belongs in each form that stubs
 * take, with damage on the line repaired, and the target running on whatever happens. test/e2e/probe.test.ts has a real one.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { failed } from '../../compiler/result.ts';
import { attach } from '../../firmware-rpc/host/attach.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';
import { openProbe, openProbeOver } from '../../firmware-rpc/host/gdb-remote.ts';
import { AttachedSource } from '../../server/attached.ts';
import { devicesAsArguments, gdbServerOf } from '../../server/cli/options.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { GdbStub, type StubOptions } from './gdb-stub.ts';
import { expectOk, listeningBoard, workFolder } from './host-board.ts';

const folder = workFolder();
afterAll(() => folder.remove());

const random = (r: Random, n: number): Uint8Array =>
  Uint8Array.from({ length: n }, () => r.pick([r.int(0, 255), 0x23, 0x24, 0x2a, 0x7d]));
const held = (stub: GdbStub, address: number, n: number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => stub.memory.get(address + i) ?? -1);

test('binary or hex, acknowledged or not, packets of any size: the bytes are there and the target runs', async () => {
  const r = new Random(1);
  for (const form of ['binary', 'hex'] as const)
    for (const acks of ['needed', 'dropped'] as const)
      for (const packetBytes of [0, 100, 1000, 16384]) {
        const stub = new GdbStub({ form, acks, packetBytes });
        const probe = await openProbeOver(stub.open);
        expect(stub.state).toBe('running');
        for (const n of [1, 7, 400, r.int(1000, 9000)]) {
          const bytes = random(r, n);
          await probe.write(0x20000000 + n, bytes);
          expect(Buffer.from(held(stub, 0x20000000 + n, n))).toEqual(Buffer.from(bytes));
          const some = Math.min(n, 64);
          expect(Buffer.from(await probe.read(0x20000000 + n, some))).toEqual(Buffer.from(bytes.subarray(0, some)));
          expect(stub.state).toBe('running');
        }
        // "$", "#" and the checksum are counted by some stubs and not by others.
        expect(stub.longest).toBeLessThanOrEqual(packetBytes === 0 ? 400 : packetBytes);
        await probe.close();
      }
});

test('writes at once are done one after another', async () => {
  const stub = new GdbStub({ form: 'binary', acks: 'dropped', packetBytes: 4096 });
  const probe = await openProbeOver(stub.open);
  await Promise.all([1, 2, 3].map((n) => probe.write(n * 0x1000, new Uint8Array(3000).fill(n))));
  for (const n of [1, 2, 3]) expect(held(stub, n * 0x1000, 3000).every((b) => b === n)).toBe(true);
  expect(stub.state).toBe('running');
});

test('a line that changes bytes now and then: written right, or told', async () => {
  let [right, told, changed] = [0, 0, 0];
  for (let seed = 1; seed <= samples(20, 150); seed++) {
    const r = new Random(seed);
    const damage = (bytes: Uint8Array): Uint8Array => {
      // Not signs, which nothing protects.
      if (bytes.length < 4 || r.int(0, 9) > 0) return bytes;
      changed++;
      const at = r.int(1, bytes.length - 4);
      return bytes.map((b, i) => (i === at ? b ^ 1 : b));
    };
    const stub = new GdbStub({ form: 'binary', acks: 'needed', packetBytes: 1000, damage });
    const bytes = random(r, 5000);
    try {
      const probe = await openProbeOver(stub.open, { patienceMs: 300 });
      await probe.write(0x1000, bytes);
      expect(Buffer.from(held(stub, 0x1000, bytes.length)), `seed ${seed}`).toEqual(Buffer.from(bytes));
      right++;
    } catch (error) {
      expect(error, `seed ${seed}`).toBeInstanceOf(LinkError);
      told++;
    }
  }
  expect(changed).toBeGreaterThan(samples(20, 150));
  expect(right).toBeGreaterThan(told);
});

test('a connection that breaks in the middle of a write: told, the target runs on, and the probe stays over', async () => {
  const options: StubOptions = { form: 'hex', acks: 'dropped', packetBytes: 500, breaksAfter: 9 };
  const stub = new GdbStub(options);
  const probe = await openProbeOver(stub.open);
  await expect(probe.write(0, new Uint8Array(5000))).rejects.toThrow(/the stub is gone/);
  expect(stub.writes).toBeGreaterThan(0);
  expect([stub.connections, stub.state]).toEqual([2, 'running']);
  await expect(probe.write(0, new Uint8Array(4))).rejects.toThrow(/the stub is gone/);
  expect(stub.connections).toBe(2);
});

test('a probe that reaches another device is not used, and said to be of no use; nor is one that is not there', async () => {
  const board = await listeningBoard(folder.dir);
  const stub = new GdbStub({ form: 'binary', acks: 'dropped', packetBytes: 4096 });
  const server = createServer(async (socket) => {
    socket.pause();
    const line = await stub.open();
    line.onData((bytes) => void socket.write(bytes));
    socket.on('data', (bytes) => void line.write(bytes));
    socket.on('error', () => undefined);
    socket.resume();
  });
  const path = join(folder.dir, 'stub');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const lost: string[] = [];
  for (const probeAt of [path, join(folder.dir, 'none')]) {
    const options = { probeAt, probeLost: (reason: string) => void lost.push(reason) };
    const device = expectOk(await attach(`127.0.0.1:${board.port}`, options));
    const bytes = random(new Random(3), 3000);
    await device.load(device.info.data.base, bytes);
    expect(Buffer.from(await device.fetch(device.info.data.base, bytes.length))).toEqual(Buffer.from(bytes));
    await device.close();
  }
  expect(stub.memory.size).toBe(0);
  expect(lost.length).toBe(2);
  expect(lost[0]).toMatch(/stub does not reach the device at tcp 127/);
  expect(lost[1]).toMatch(/none: connect ENOENT/);
  // As a daemon does it.
  const told: string[] = [];
  const source = new AttachedSource(
    { board: 'host', address: `127.0.0.1:${board.port}` },
    {
      ports: async () => [],
      taken: () => [],
      firmware: async () => failed('load', 'NO_DEVICE', 'none is built here'),
      flash: undefined,
      powerCycle: undefined,
      probeAt: path,
      log: (message) => void told.push(message),
    },
  );
  await expectOk(await source.open()).close();
  expect(told.join()).toMatch(/all goes over its link: .*does not reach the device/);
  server.close();
  await board.kill();
});

test('--probe: a board and where its GDB server is', () => {
  expect(gdbServerOf('microbit=localhost:3333', { pico: '/run/gdb' })).toEqual({
    microbit: 'localhost:3333',
    pico: '/run/gdb',
  });
  for (const wrong of ['microbit', 'microbit=', '=localhost:3333', 'microbit=3333'])
    expect(() => gdbServerOf(wrong)).toThrow(/HOST:PORT/);
  expect(devicesAsArguments({ probe: { pico: '/run/gdb' } })).toEqual(['--probe', 'pico=/run/gdb']);
});

test('what is no GDB server is told in words', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const at = silent.address();
  const port = typeof at === 'object' && at !== null ? at.port : 0;
  await expect(openProbe(`127.0.0.1:${port}`, { patienceMs: 30 })).rejects.toThrow(/does a GDB server listen there/);
  silent.close();
  await expect(openProbe('/nowhere/gdb')).rejects.toThrow(LinkError);
});
