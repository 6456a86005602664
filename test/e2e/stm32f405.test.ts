/**
 * What only the STM32F405 has: counts that are exact to the instruction beyond the bits of its timers. The rest of it is tested with
 * other boards of that kind (boards-own.test.ts).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { stm32f405 as board } from '../../boards/stm32f405/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { onDevice } from '../emulated.ts';
import { samples } from '../samples.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import { countdown } from '../wire/misbehaviour.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, board);
});
afterAll(() => folder.remove());

const withDevice = (work: (device: Device) => Promise<void>): Promise<void> => onDevice(board, firmware, work);

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

test('the firmware without a network is small', () => {
  // Server, port and start-up, and the first KiB that is a null pointer's. Kept here so that growth is a decision.
  expect(firmware.sizes.text).toBeLessThanOrEqual(7424);
  expect(firmware.sizes.data).toBe(0);
});
