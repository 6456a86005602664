/**
 * Emulated boards: candidates that misbehave cost their own call; an emulator that dies is told in words and leaves nothing
 * behind; none outlives its host, however that ends.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startQemu } from '../../boards/common/qemu.ts';
import { host } from '../../boards/host/index.ts';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { attach } from '../../firmware-rpc/host/attach.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { type Bulk, onDevice } from '../emulated.ts';
import { plugIn } from '../plugged-in.ts';
import { candidate, expectOk, firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import { commit, everywhere, onCortexM, serverVariable, Witness } from '../wire/misbehaviour.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, mps2An386);
});
afterAll(() => folder.remove());

const endless = 'void mt_entry(void) { for (;;) __asm__ volatile(""); }';

const withDevice = (work: (device: Device) => Promise<void>, bulk?: Bulk): Promise<void> =>
  onDevice(mps2An386, firmware, work, bulk);

/** Command lines of live processes that run this very firmware, by process id: emulators of it, or itself. */
function emulators(elf = firmware.elf): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, readonly string[]>();
  for (const pid of readdirSync('/proc').filter((p) => /^\d+$/.test(p))) {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const zombie = / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      const runs = args[0] === elf || (args[0]?.endsWith('qemu-system-arm') === true && args.includes(elf));
      if (runs && !zombie) found.set(Number(pid), args);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
function onlyEmulator(): readonly [number, readonly string[]] {
  const [one, ...more] = emulators();
  if (one === undefined || more.length > 0) throw new Error(`${more.length} emulators too many`);
  return one;
}
const ramOf = (args: readonly string[]): string => /mem-path=([^,]+)/.exec(args.join(' '))?.[1] ?? '';

/** True as soon as `done` is; false when it is not within 5 s. */
async function soon(done: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (done()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return done();
}

test('misbehaving candidates on the Cortex-M4: each ends as it must, and the next call is right', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    const witness = await Witness.on(device, mps2An386, folder.dir);
    await witness.check('before');
    const misdeeds = [
      ...everywhere({ load: load.base + 0x20000, data: data.base }),
      ...onCortexM(serverVariable(firmware.elf), load.base),
    ];
    for (const m of misdeeds) await commit(m, device, mps2An386, witness, folder.dir);
    await device.reset();
    const again = await Witness.on(device, mps2An386, folder.dir);
    await again.check('after a reset');
  }));

test('all of its memory can be written, read and called', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    expect([load.base + load.bytes, data.base + data.bytes]).toEqual([0x20400000, 0x21fe0000]);
    expect(load.bytes).toBe(mps2An386.loadBytes);
    expect(data.bytes).toBe(mps2An386.ramBytes);
    const end = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) & 255);
    for (const range of [load, data]) {
      await device.load(range.base + range.bytes - end.length, end);
      const last = await device.fetch(range.base + range.bytes - 500, 500);
      expect(Buffer.from(last)).toEqual(Buffer.from(end.subarray(-500)));
    }
    const source = `#include <stdint.h>
      uint32_t mt_entry(const uint32_t *end) {
        volatile uint32_t *x = (uint32_t *)${data.base + data.bytes - 4}u;
        *x = end[-1];
        return *x;
      }`;
    const entry = await loadCandidate(device, mps2An386, source, load.bytes - 400 * 1024, folder.dir);
    const args = [load.base + load.bytes];
    const called = await device.call({ entry, args, warmups: 0, repeats: 1, deadlineMs: 100 });
    expect(called).toMatchObject({ ok: true, returned: Buffer.from(end).readUInt32LE(end.length - 4) });
  }));

test('equal calls are counted equally, over shared memory and over the UART alone', async () => {
  const source = `#include <stdint.h>
    uint32_t mt_entry(uint32_t n) { volatile uint32_t sum = 0; for (uint32_t i = 0; i < n; i++) sum += i; return sum; }`;
  const counts: number[] = [];
  const count = async (device: Device): Promise<void> => {
    const entry = await loadCandidate(device, mps2An386, source, 0, folder.dir);
    const called = await device.call({ entry, args: [5000], warmups: 1, repeats: 5, deadlineMs: 100 });
    if (!called.ok) throw new Error(called.detail);
    expect(called.returned).toBe(12497500);
    counts.push(...called.cycles);
  };
  await withDevice(count, 'shared');
  await withDevice(count, 'uart');
  expect(counts.length).toBe(10);
  expect(new Set(counts).size).toBe(1);
  // Five or six instructions a turn.
  expect(counts[0]).toBeGreaterThan(5000 * 4);
  expect(counts[0]).toBeLessThan(5000 * 8);
});

test('an emulator that dies in the middle of a call: a LINK failure, no folder left, the next one works', async () => {
  await withDevice(async (device) => {
    const entry = await loadCandidate(device, mps2An386, endless, 0, folder.dir);
    const [pid, args] = onlyEmulator();
    expect(existsSync(ramOf(args))).toBe(true);
    const called = device.call({ entry, args: [], warmups: 0, repeats: 1, deadlineMs: 150_000 });
    process.kill(pid, 'SIGKILL');
    const detail = expect.stringContaining('the emulator ended');
    expect(await called).toMatchObject({ ok: false, code: 'LINK', detail });
    expect(existsSync(ramOf(args))).toBe(false);
  });
  await withDevice(async (device) => expect(device.info.board).toBe('mps2-an386'));
  expect([...emulators()]).toEqual([]);
});

test('an emulator that cannot start says why', async () => {
  const r = await mps2An386.open?.({ firmware: { ...firmware, elf: join(folder.dir, 'missing.elf') }, bulk: 'shared' });
  expect(r).toMatchObject({ ok: false, error: { stage: 'load', code: 'DEVICE_UNREACHABLE' } });
  expect(r?.ok === false ? r.error.detail : '').toMatch(/the emulator ended .*missing\.elf/s);
  const process = await host.open?.({ firmware: { ...firmware, elf: join(folder.dir, 'missing.elf') }, bulk: 'uart' });
  expect(process).toMatchObject({ ok: false, error: { stage: 'load', code: 'DEVICE_UNREACHABLE' } });
  expect(process?.ok === false ? process.error.detail : '').toMatch(/ENOENT/);
  const none = await startQemu({ program: 'qemu-system-none', machine: 'none', elf: '', bulk: 'uart' });
  expect(none).toMatchObject({ ok: false, error: { code: 'EMULATOR_MISSING' } });
  expect(none.ok ? '' : none.error.detail).toContain('qemu-system-none');
});

test('an emulator that has no place for its files says so', async () => {
  const { TMPDIR: before } = process.env;
  process.env.TMPDIR = join(folder.dir, 'nowhere');
  try {
    const r = await mps2An386.open?.({ firmware, bulk: 'shared' });
    expect(r).toMatchObject({ ok: false, error: { stage: 'load', code: 'DEVICE_UNREACHABLE' } });
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});

test('a serial port: attached by its path, and busy for everybody else', async () => {
  const { child: qemu, path: announced } = plugIn(firmware.elf);
  try {
    const path = await announced;
    const device = expectOk(await attach(path));
    expect(device.info.board).toBe('mps2-an386');
    const busy = await attach(path);
    expect(busy).toMatchObject({ ok: false, error: { code: 'DEVICE_BUSY' } });
    expect(busy.ok ? '' : busy.error.detail).toContain(path);
    await device.load(device.info.data.base, new Uint8Array(3000).fill(5));
    expect([...(await device.fetch(device.info.data.base + 2990, 10))]).toEqual(Array(10).fill(5));
    await device.close();
    // Closed and opened again: the board is the same, the session new.
    const again = expectOk(await attach(path));
    expect([...(await again.fetch(again.info.data.base, 2))]).toEqual([5, 5]);
    await again.close();
  } finally {
    qemu.kill('SIGKILL');
    await new Promise((resolve) => qemu.once('close', resolve));
  }
});

/** A program that opens a device, sets it to work for ever, and says so. */
const openAndTell = (board: string, built: BuiltFirmware, image: string): string => `
  import { readFileSync } from 'node:fs';
  import { boardOf } from '${root}/boards/index.ts';
  const opened = await boardOf('${board}').open({ firmware: ${JSON.stringify(built)}, bulk: 'shared' });
  if (!opened.ok) throw new Error(opened.error.detail);
  const { base } = opened.value.info.load;
  await opened.value.load(base, readFileSync('${image}'));
  void opened.value.call({ entry: base, args: [], warmups: 0, repeats: 1, deadlineMs: 150_000 });
  setImmediate(() => console.log('open'));
`;

const ends: readonly (readonly [BoardModule, NodeJS.Signals])[] = [
  [mps2An386, 'SIGKILL'],
  [mps2An386, 'SIGTERM'],
  [mps2An386, 'SIGINT'],
  [host, 'SIGKILL'],
];
for (const [board, signal] of ends) {
  test(`${board.id} at work does not outlive a program that ends by ${signal}, nor does its folder`, async () => {
    const built = await firmwareIn(join(folder.dir, signal), board);
    const [script, image] = ['program.ts', 'image'].map((f) => join(folder.dir, signal, board.id, f)) as [
      string,
      string,
    ];
    const base = board === host ? 0x20000000 : 0x20080000;
    writeFileSync(image, (await candidate(board, endless, base, folder.dir)).image);
    writeFileSync(script, openAndTell(board.id, built, image));
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('close', () => reject(new Error('the program ended')));
    });
    const running = [...emulators(built.elf).values()];
    expect(running.length).toBeGreaterThan(0);
    child.kill(signal);
    expect(await soon(() => emulators(built.elf).size === 0)).toBe(true);
    const folders = running.map((args) => dirname(ramOf(args))).filter((d) => d !== '.');
    expect(folders.length).toBe(board === host ? 0 : 1);
    expect(await soon(() => folders.every((d) => !existsSync(d)))).toBe(true);
  });
}

test('the firmware without a network is small', () => {
  // Server, port and start-up. Kept here so that growth is a decision. test/host/server-size.test.ts has the server alone.
  expect(firmware.sizes.text).toBeLessThanOrEqual(6000);
  expect(firmware.sizes.data).toBe(0);
});
