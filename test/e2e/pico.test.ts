import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { pico as board } from '../../boards/pico/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { readElf } from '../../toolchain/index.ts';
import { expectOk, firmwareIn, workFolder } from '../wire/host-board.ts';
import { commit, serverVariable, Witness } from '../wire/misbehaviour.ts';
import { everywhereOnV6m, onV6m } from '../wire/misbehaviour-v6m.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, board);
});
afterAll(() => folder.remove());

async function withDevice(work: (device: Device) => Promise<void>): Promise<void> {
  if (board.open === undefined) throw new Error(`${board.id} is emulated`);
  const device = expectOk(await board.open({ firmware, bulk: 'uart' }));
  try {
    await work(device);
  } finally {
    await device.close();
  }
}

test('misbehaving candidates: each ends as it must, and the next call is right', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    const witness = await Witness.on(device, board, folder.dir);
    await witness.check('before');
    const code = readElf(readFileSync(firmware.elf)).symbol('mt_frame_write') ?? -1;
    const misdeeds = [
      ...everywhereOnV6m({ load: load.base + 0x20000, data: data.base }),
      ...onV6m({ server: serverVariable(firmware.elf), code: code & ~3, uart: 0x40034000, load: load.base + 0x20000 }),
    ];
    for (const m of misdeeds) await commit(m, device, board, witness, folder.dir);
    await device.reset();
    const again = await Witness.on(device, board, folder.dir);
    await again.check('after a reset');
  }));
