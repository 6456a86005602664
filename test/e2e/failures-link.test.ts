/**
 * What happens to the link of a board that works: a reboot in the middle of a load, an adapter that vanishes, a UART that
 * freezes. The trial is told why, the device's state shows it, and the next trial on the same place is right, with nobody's help.
 */
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { connect } from '../../firmware-rpc/host/client.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { encodeFrame, frameSplitter } from '../../firmware-rpc/host/frame.ts';
import { openSerial } from '../../firmware-rpc/host/serial.ts';
import type { Transport } from '../../firmware-rpc/host/transport.ts';
import { commands } from '../../firmware-rpc/protocol.ts';
import { DevicePool } from '../../tuner/measure/pool.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { near } from '../near.ts';
import { plugIn } from '../plugged-in.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
let qemu: ChildProcess | undefined;
let pool: DevicePool;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, mps2An386);
});
afterEach(async () => {
  await pool.closeAll();
  await unplug();
});
afterAll(() => folder.remove());

/** Ends the emulator, and its port with it. */
async function unplug(): Promise<void> {
  const child = qemu;
  qemu = undefined;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
}
/** Starts one; the path of its port. */
function start(): Promise<string> {
  const { child, path } = plugIn(firmware.elf);
  qemu = child;
  return path;
}

/** A pool with one place, whose port is whatever `port` says when it is opened. */
function place(port: () => Promise<string>, between: (line: Transport) => Transport = (line) => line): DevicePool {
  const open = async () => {
    const line = between(await openSerial(await port()));
    const options = { patienceMs: 200, attempts: 6, slowdown: 10 };
    return { ok: true as const, value: await connect(line, options) };
  };
  return new DevicePool(mps2An386, [{ name: 'the board', open }], folder.dir);
}

const adds = '#include <stdint.h>\nuint32_t mt_entry(uint32_t a, uint32_t b) { return a + b; }';
/** A trial: a long load and a call; `meanwhile` comes between the two. */
const trial = (meanwhile: (device: Device) => void = () => undefined) =>
  pool.use(async (station): Promise<MeasureResult> => {
    const device = near(station);
    const base = { device: 'the board', times: {} };
    await device.load(device.info.data.base, new Uint8Array(5000).fill(1));
    const entry = await loadCandidate(device, mps2An386, adds, 0, folder.dir);
    meanwhile(device);
    const called = await device.call({ entry, args: [40, 2], warmups: 0, repeats: 1, deadlineMs: 100 });
    if (!called.ok) return { status: 'failed', stage: 'run', code: called.code, detail: called.detail, ...base };
    expect(called.returned).toBe(42);
    const sizes = { codeBytes: 0, constBytes: 0, scratchBytes: 0, stackBytes: called.stackBytes };
    const bytes = { code: 0, constants: 0, rest: 0 };
    const [cycles = 0] = called.cycles;
    return { status: 'ok', kind: mps2An386.kind, cycles, repeats: called.cycles, sizes, bytes, binary: '', ...base };
  });
const state = () => pool.states()[0];
const well = { ok: true, value: { status: 'ok' } };

test('a UART that freezes: the trial ends with what there is to say; as soon as it thaws the next one is right', async () => {
  const port = await start();
  pool = place(async () => port);
  expect(await trial()).toMatchObject(well);
  const frozen = trial(() => qemu?.kill('SIGSTOP'));
  // It thaws when the trial was given up, not before.
  expect(await frozen).toMatchObject({
    ok: true,
    value: { code: 'LINK', detail: expect.stringContaining('no answer to CALL') },
  });
  qemu?.kill('SIGCONT');
  expect(await trial()).toMatchObject(well);
  expect(state()).toMatchObject({ state: 'idle', failures: 1, code: 'LINK', recoveries: { retry: 1 } });
}, 120_000);

test('an adapter that vanishes in the middle of a call: told at once; plugged in again, the next trial is right', async () => {
  pool = place(async () => {
    await unplug();
    return start();
  });
  expect(await trial()).toMatchObject(well);
  const lost = await trial(() => qemu?.kill('SIGKILL'));
  expect(lost).toMatchObject({ ok: true, value: { code: 'LINK' } });
  expect(await trial()).toMatchObject(well);
  expect(state()).toMatchObject({ state: 'idle', failures: 1, code: 'LINK' });
});

/** In place of a LOAD, when `now` says so, the board is told to restart: what a watchdog does. */
function withReboot(line: Transport, now: () => boolean): Transport {
  let sent: Uint8Array | undefined;
  const split = frameSplitter((payload) => {
    sent = payload;
  });
  return {
    ...line,
    write: (frame) => {
      split(frame);
      const reboot = sent?.[1] === commands.LOAD && now();
      return line.write(reboot ? encodeFrame(Uint8Array.of(sent?.[0] ?? 0, commands.RESET)) : frame);
    },
  };
}

test('a reboot in the middle of a load: noticed, nothing is taken for loaded, the next trial is right', async () => {
  const port = await start();
  let loadsLeft = Number.POSITIVE_INFINITY;
  pool = place(
    async () => port,
    (line) => withReboot(line, () => --loadsLeft === 0),
  );
  expect(await trial()).toMatchObject(well);
  // The first load of a trial is ten frames long.
  loadsLeft = 5;
  const rebooted = await trial();
  expect(rebooted).toMatchObject({
    ok: false,
    error: { code: 'LINK', detail: expect.stringContaining('the device has restarted; what was loaded is gone') },
  });
  expect(await trial()).toMatchObject(well);
  expect(state()).toMatchObject({ state: 'idle', failures: 1, code: 'LINK' });
});
