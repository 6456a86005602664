/** Candidates that misbehave on the host board: each costs its own call, never the board. test/e2e/boards.test.ts has the rest. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { expectOk, firmwareIn, workFolder } from './host-board.ts';
import { commit, everywhere, onX86, serverVariable, Witness } from './misbehaviour.ts';

const folder = workFolder();
let device: Device;
let server = 0;
beforeAll(async () => {
  const firmware = await firmwareIn(folder.dir, host);
  server = serverVariable(firmware.elf);
  device = expectOk(
    (await host.open?.({ firmware, bulk: 'shared' })) ?? {
      ok: false,
      error: { stage: 'load', code: 'NO_DEVICE', detail: '' },
    },
  );
});
afterAll(async () => {
  await device.close();
  folder.remove();
});

test('each ends as it must, and the next call on the same device is right', async () => {
  const { load, data, uid } = device.info;
  const witness = await Witness.on(device, host, folder.dir);
  await witness.check('before');
  const own = process.arch === 'x64' ? onX86(server) : [];
  for (const m of [...everywhere({ load: load.base + 0x20000, data: data.base }), ...own])
    await commit(m, device, host, witness, folder.dir);
  // Nobody restarted the server in between.
  expect(device.info.uid).toBe(uid);
});
