/**
 * The STM32F405 on another of QEMU's machines than the rest: its own start-up code and USART, behind the MPU. Counts are exact,
 * the MLPerf Tiny networks right, misbehaving candidates cost their own call.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { stm32f405 as board } from '../../boards/stm32f405/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { expectOk, firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import { commit, everywhere, onCortexM, serverVariable, thumb, Witness } from '../wire/misbehaviour.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, board);
});
afterAll(() => folder.remove());

async function withDevice(work: (device: Device) => Promise<void>, bulk: 'shared' | 'uart' = 'shared'): Promise<void> {
  if (board.open === undefined) throw new Error(`${board.id} is emulated`);
  const device = expectOk(await board.open({ firmware, bulk }));
  try {
    await work(device);
  } finally {
    await device.close();
  }
}

/** The same code runs on mps2-an386; here it is the memory map and the link that are others. */
for (const name of (['kws', 'ad', 'ic', 'vww'] as const).slice(0, samples(2, 4))) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

  test.skipIf(model === undefined)(`${name} with drawn schedules`, async () => {
    for (let seed = 1; model !== undefined && seed <= samples(1, 4); seed++) {
      const { built, stackBytes } = await runGolden(model, board, { passes: 'all', schedules: { seed } });
      expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
    }
  });
}

/** Two instructions a turn, and one more beside the return. */
const countdown = thumb('1: subs r0, #1; bne 1b; movs r0, #7; bx lr');

test('counts are exact to the instruction, also where the deadline takes several rounds of its timer', () =>
  withDevice(async (device) => {
    const entry = await loadCandidate(device, board, countdown, 0, folder.dir);
    const count = async (turns: number, repeats: number, deadlineMs: number): Promise<void> => {
      const called = await device.call({ entry, args: [turns], warmups: 0, repeats, deadlineMs });
      expect(called).toMatchObject({ ok: true, returned: 7, cycles: Array(repeats).fill(2 * turns + 1) });
    };
    for (const turns of [1, 2, 3, 1000, 100_000]) await count(turns, 3, 1000);
    // Two rounds of 405 ms, and the call ends in the second; in a long run beyond the 32 bits of the counter.
    await count(250_000_000, 1, 810);
    if (samples(0, 1) === 1) await count(2_200_000_000, 1, 10_000);
  }));

test('misbehaving candidates: each ends as it must, and the next call is right', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    const places = { good: 0x4000, block: 0x8000, blockBytes: 4096 };
    const witness = await Witness.on(device, board, folder.dir, places);
    await witness.check('before');
    const misdeeds = [
      ...everywhere({ load: load.base + places.block, data: data.base }),
      ...onCortexM(serverVariable(firmware.elf), load.base),
    ];
    for (const m of misdeeds) await commit(m, device, board, witness, folder.dir);
    await device.reset();
    await (await Witness.on(device, board, folder.dir, places)).check('after a reset');
  }));

for (const bulk of ['shared', 'uart'] as const)
  test(`all of its memory can be written and read, bulk data by ${bulk === 'shared' ? "QEMU's GDB server" : 'USART'}`, () =>
    withDevice(async (device) => {
      const { load, data } = device.info;
      expect([load.bytes, data.bytes]).toEqual([board.loadBytes, board.dataBytes]);
      const block = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
      for (const range of [load, data])
        for (const at of [range.base, range.base + range.bytes - block.length]) {
          await device.load(at, block);
          expect(Buffer.from(await device.fetch(at, block.length))).toEqual(Buffer.from(block));
        }
    }, bulk));

test('the firmware without a network is small', () => {
  // Server, port and start-up, and the first KiB that is a null pointer's. Kept here so that growth is a decision.
  expect(firmware.sizes.text).toBeLessThanOrEqual(7200);
  expect(firmware.sizes.data).toBe(0);
});
