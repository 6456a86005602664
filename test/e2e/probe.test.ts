/**
 * Bulk data through a real GDB server, QEMU's: what is loaded over the UART, through shared memory and through the probe is the
 * same, code included; a probe that breaks in the middle costs nothing but time.
 */
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { attach } from '../../firmware-rpc/host/attach.ts';
import { connect as connectDevice } from '../../firmware-rpc/host/client.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { openProbe } from '../../firmware-rpc/host/gdb-remote.ts';
import { openSerial } from '../../firmware-rpc/host/serial.ts';
import { plugIn } from '../plugged-in.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { candidate, expectOk, firmwareIn, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
const stub = join(folder.dir, 'gdb');
let firmware: BuiltFirmware;
let qemu: ChildProcess | undefined;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, mps2An386);
});
afterEach(async () => {
  if (qemu === undefined) return;
  const ended = new Promise((resolve) => qemu?.once('close', resolve));
  qemu.kill('SIGKILL');
  await ended;
  qemu = undefined;
  rmSync(stub, { force: true });
});
afterAll(() => folder.remove());

/** Starts an emulator with a GDB server at `stub`; the path of its UART. */
function start(): Promise<string> {
  // Made in this order: when the UART is announced the other one listens.
  const gdb = ['-chardev', `socket,id=gdb,path=${stub},server=on,wait=off`, '-gdb', 'chardev:gdb'];
  const { child, path } = plugIn(firmware.elf, [...gdb, '-chardev', 'pty,id=uart', '-serial', 'chardev:uart']);
  qemu = child;
  return path;
}

/** Loads random blocks, and code that adds them up; what the device says of both. */
async function loaded(device: Device, seed: number): Promise<readonly unknown[]> {
  const r = new Random(seed);
  const said: unknown[] = [];
  for (let n = 0; n < samples(4, 40); n++) {
    const bytes = Uint8Array.from({ length: r.pick([300, 5000, r.int(1, 40_000)]) }, () => r.int(0, 255));
    const at = device.info.data.base + r.int(0, 5000);
    await device.load(at, bytes);
    expect(await device.crc(at, bytes.length)).toBe(crc32(bytes));
    const table = Array.from({ length: 300 }, () => r.int(0, 1000));
    const source = `#include <stdint.h>
      static const uint32_t table[] = {${table.join(', ')}};
      uint32_t mt_entry(const uint8_t *at, uint32_t n) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < n; i++) sum += at[i] * table[i % 300u];
        return sum;
      }`;
    const { image, entry } = await candidate(mps2An386, source, device.info.load.base, folder.dir);
    await device.load(device.info.load.base, image);
    const called = await device.call({ entry, args: [at, bytes.length], warmups: 0, repeats: 1, deadlineMs: 1000 });
    const sum = bytes.reduce((s, b, i) => (s + b * (table[i % 300] as number)) >>> 0, 0);
    expect(called).toMatchObject({ ok: true, returned: sum });
    said.push(crc32(bytes), called.ok ? called.cycles : called);
  }
  return said;
}

test('UART, shared memory and probe: the same bytes, the same code, the same counts', async () => {
  const said: (readonly unknown[])[] = [];
  const opened: Device[] = [];
  for (const bulk of ['shared', 'uart'] as const)
    if (mps2An386.open !== undefined) opened.push(expectOk(await mps2An386.open({ firmware, bulk })));
  opened.push(expectOk(await attach(await start(), { probeAt: stub })));
  const sent: number[] = [];
  for (const device of opened) {
    try {
      said.push(await loaded(device, 1));
      sent.push(device.traffic.sent);
    } finally {
      await device.close();
    }
  }
  expect(said[1]).toEqual(said[0]);
  expect(said[2]).toEqual(said[0]);
  const [, uart, probe] = sent as [number, number, number];
  expect(probe).toBeLessThan(uart / 10);
});

/** A path that leads to the stub and breaks, the first time, after so many bytes. */
async function breaking(path: string, bytes: number): Promise<Server> {
  let left = bytes;
  const server = createServer((host) => {
    const target = connect(stub);
    const end = (): void => {
      host.destroy();
      target.destroy();
    };
    host.on('data', (d) => {
      const before = left;
      left -= d.length;
      if (before > 0 && left <= 0) {
        target.write(d.subarray(0, before), end);
        return;
      }
      target.write(d);
    });
    target.on('data', (d) => host.write(d));
    for (const side of [host, target]) side.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

test('a probe that breaks in the middle of a write: the rest goes over the UART', async () => {
  const path = join(folder.dir, 'breaking');
  const server = await breaking(path, 8000);
  const device = expectOk(await attach(await start(), { probeAt: path }));
  try {
    await loaded(device, 1);
    expect(device.traffic.sent).toBeGreaterThan(10_000);
  } finally {
    await device.close();
    server.close();
  }
});

test('a probe that writes something else than it is given: noticed, and loaded again over the UART', async () => {
  const uart = await start();
  const real = await openProbe(stub);
  const lost: string[] = [];
  const device = await connectDevice(await openSerial(uart), {
    probe: { ...real, write: (address, bytes) => real.write(address, bytes.with(bytes.length >> 1, 0)) },
    probeLost: (reason) => lost.push(reason),
  });
  try {
    const bytes = new Uint8Array(2000).fill(9);
    await device.load(device.info.data.base, bytes);
    expect(await device.crc(device.info.data.base, bytes.length)).toBe(crc32(bytes));
    expect(lost).toEqual([expect.stringContaining('has written something else')]);
  } finally {
    await device.close();
  }
});

test("a range that is not the host's is refused by the device, and nothing is written", async () => {
  const device = expectOk(await attach(await start(), { probeAt: stub }));
  try {
    const end = device.info.data.base + device.info.data.bytes;
    await device.load(end - 1000, new Uint8Array(1000).fill(7));
    await expect(device.load(end - 1000, new Uint8Array(1001))).rejects.toThrow(/LOAD was refused: BAD_ADDRESS/);
    const left = await device.fetch(end - 100, 100);
    expect([...left.subarray(-1)]).toEqual([7]);
  } finally {
    await device.close();
  }
});
