/**
 * Emulated Cortex-M boards with a machine of their own, whose trials run from RAM behind the guard of Armv7-M: misbehaving
 * candidates cost their own call, counts are exact, memory is what board.json says, and networks come out right where they fit.
 */
import { afterAll, expect, test } from 'vitest';
import { type BoardModule, type BuiltFirmware, boards } from '../../boards/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { onDevice } from '../emulated.ts';
import { runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { twinOf } from '../twins.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import {
  commit,
  countdown,
  everywhere,
  type Misdeed,
  onCortexM,
  refusesNothing,
  serverVariable,
  Witness,
} from '../wire/misbehaviour.ts';

const folder = workFolder();
afterAll(() => folder.remove());

/** Machines that several boards share are tested by boards-cortex-m.test.ts and boards-v8m.test.ts. */
const tested = boards.filter(
  (b) => b.open !== undefined && b.target.isa.startsWith('armv7') && twinOf(b) === undefined,
);

test('there are such boards', () => expect(tested.length).toBeGreaterThan(1));

const places = { good: 0x2000, block: 0x4000, blockBytes: 4096 };
const bulkOf = { shared: "QEMU's GDB server", uart: 'UART' } as const;
const toSystemRegisters = new Set(['switches the MPU off', 'resets the CPU']);
const onThis = (m: Misdeed, { id }: BoardModule): Misdeed =>
  refusesNothing.has(id) && toSystemRegisters.has(m.name) ? { ...m, ends: 'OK' } : m;
tested.forEach((board, k) => {
  let built: Promise<BuiltFirmware> | undefined;
  async function withDevice(
    bulk: 'shared' | 'uart',
    work: (device: Device, firmware: BuiltFirmware) => Promise<void>,
  ): Promise<void> {
    built ??= firmwareIn(folder.dir, board);
    const firmware = await built;
    await onDevice(board, firmware, (device) => work(device, firmware), bulk);
  }

  test(`misbehaving candidates on ${board.id}: each ends as it must, and the next call is right`, () =>
    withDevice('shared', async (device, firmware) => {
      expect(device.info.guarded).toBe(true);
      const { load, data } = device.info;
      const witness = await Witness.on(device, board, folder.dir, places);
      await witness.check('before');
      const misdeeds = [
        ...everywhere({ load: load.base + places.block, data: data.base }),
        ...onCortexM(serverVariable(firmware.elf), load.base),
      ];
      // In a bounded run every board takes its share, together all of them.
      const share = samples(2, 1);
      for (const m of misdeeds.filter((_, i) => i % share === k % share))
        await commit(onThis(m, board), device, board, witness, folder.dir);
      await device.reset();
      await (await Witness.on(device, board, folder.dir, places)).check('after a reset');
    }));

  test(`${board.id} counts what a call executes, the same at every call`, () =>
    withDevice('shared', async (device) => {
      const entry = await loadCandidate(device, board, countdown, 0, folder.dir);
      const count = async (turns: number): Promise<number> => {
        const called = await device.call({ entry, args: [turns], warmups: 0, repeats: 3, deadlineMs: 2000 });
        if (!called.ok) throw new Error(called.detail);
        expect(new Set(called.cycles).size).toBe(1);
        return called.cycles[0] ?? 0;
      };
      // 40 instructions are a whole number of ticks of any board here.
      const few = await count(20);
      for (const more of [20, 2000, 20_000_000]) expect((await count(20 + more)) - few).toBe(2 * more);
    }));

  for (const [bulk, by] of Object.entries(bulkOf) as ['shared' | 'uart', string][])
    test(`all memory of ${board.id} can be written and read, bulk data by ${by}`, () =>
      withDevice(bulk, async (device) => {
        const { load, data } = device.info;
        expect([load.bytes, data.bytes]).toEqual([board.loadBytes, board.dataBytes]);
        const block = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
        for (const range of [load, data])
          for (const at of [range.base, range.base + range.bytes - block.length]) {
            await device.load(at, block);
            expect(Buffer.from(await device.fetch(at, block.length))).toEqual(Buffer.from(block));
          }
      }));

  // The same code runs on boards of the MPS machines; here it is the memory map and the link that are others.
  for (const name of (['kws', 'ad', 'ic', 'vww'] as const).slice(0, samples(1, 4))) {
    const model = goldenModel(name);
    if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

    test.skipIf(model === undefined)(`${name} with drawn schedules on ${board.id}`, async () => {
      for (let seed = 1; model !== undefined && seed <= samples(1, 4); seed++) {
        const running = runGolden(model, board, { passes: 'all', schedules: { seed } });
        if (name !== 'kws' && (await tooBig(running))) continue;
        const { built, stackBytes } = await running;
        expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
      }
    });
  }
});

/** True where it failed because the board is too small for it, and said by how much. */
const tooBig = (running: Promise<unknown>): Promise<boolean> =>
  running.then(
    () => false,
    (error: Error) =>
      /MODEL_TOO_BIG: .*(\d+ bytes of (flash|RAM) are missing|overflowed by \d+ bytes)/s.test(error.message),
  );
