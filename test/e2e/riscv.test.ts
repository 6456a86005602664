/**
 * The RISC-V board: the MLPerf Tiny networks bit for bit through the generic C, candidates that misbehave, exact counts. What
 * runs here cannot be Arm's alone.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { riscv32Virt as board } from '../../boards/riscv32-virt/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { readElf } from '../../toolchain/index.ts';
import { type Bulk, onDevice } from '../emulated.ts';
import { runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import { assembly, commit, serverVariable, Witness } from '../wire/misbehaviour.ts';
import { everywhereOnRiscV, onRiscV } from '../wire/misbehaviour-riscv.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, board);
});
afterAll(() => folder.remove());

const withDevice = (work: (device: Device) => Promise<void>, bulk?: Bulk): Promise<void> =>
  onDevice(board, firmware, work, bulk);

for (const name of ['kws', 'ic', 'vww', 'ad'] as const) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

  test.skipIf(model === undefined)(`${name}, default and drawn schedules`, async () => {
    if (model === undefined) return;
    const plain = await runGolden(model, board, { passes: 'all', schedules: 'default' });
    expect(plain.cycles).toBeGreaterThan(0);
    expect(plain.stackBytes).toBeLessThanOrEqual(plain.built.memory.stackBytes + 16);
    for (let seed = 1; seed <= samples(1, 8); seed++) {
      const { built, stackBytes } = await runGolden(model, board, { passes: 'all', schedules: { seed } });
      expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
    }
  });
}

test('misbehaving candidates: each ends as it must, and the next call is right', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    const witness = await Witness.on(device, board, folder.dir);
    await witness.check('before');
    const code = readElf(readFileSync(firmware.elf)).symbol('mt_frame_write') ?? -1;
    const misdeeds = [
      ...everywhereOnRiscV({ load: load.base + 0x20000, data: data.base }),
      ...onRiscV(serverVariable(firmware.elf), code),
    ];
    for (const m of misdeeds) await commit(m, device, board, witness, folder.dir);
    await device.reset();
    const again = await Witness.on(device, board, folder.dir);
    await again.check('after a reset');
  }));

/** A loop of two instructions a turn, and two more. */
const countdown = assembly('addi a0, a0, -1; bnez a0, mt_entry; li a0, 7; ret');

test('counts are exact to the instruction, by either road and however often', async () => {
  const count = async (device: Device, turns: number): Promise<readonly number[]> => {
    const entry = await loadCandidate(device, board, countdown, 0, folder.dir);
    const called = await device.call({ entry, args: [turns], warmups: 1, repeats: 3, deadlineMs: 1000 });
    if (!called.ok) throw new Error(called.detail);
    expect(called.returned).toBe(7);
    return called.cycles;
  };
  for (const bulk of ['shared', 'uart'] as const)
    await withDevice(async (device) => {
      for (const turns of [1, 2, 50, 51, 100_000])
        expect(await count(device, turns)).toEqual(Array(3).fill(2 * turns + 1));
    }, bulk);
});

test('all of its memory can be written and read', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    expect([load.bytes, data.bytes]).toEqual([board.loadBytes, board.ramBytes]);
    const end = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) & 255);
    for (const range of [load, data]) {
      await device.load(range.base + range.bytes - end.length, end);
      const last = await device.fetch(range.base + range.bytes - 500, 500);
      expect(Buffer.from(last)).toEqual(Buffer.from(end.subarray(-500)));
    }
  }));

test('the firmware without a network is small', () => {
  // Server, port and start-up. Kept here so that growth is a decision.
  expect(firmware.sizes.text).toBeLessThanOrEqual(5800);
  expect(firmware.sizes.data).toBe(0);
});
