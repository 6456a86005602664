/**
 * Images of real boards. Each is built as it would be flashed; that of the NUCLEO-F446RE starts on QEMU's netduinoplus2, a part of
 * the same family, whose USART2, TIM2 and MPU it drives. QEMU has no clock tree: the image finds that oscillators do not come,
 * stays on the internal one and says so, as it would on a broken part. QEMU's TIM2 adds the time since its start to each alarm,
 * so that only the first deadline is waited for.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Silicon } from '../../boards/board.ts';
import { buildServer } from '../../boards/common/build.ts';
import { startQemu } from '../../boards/common/qemu.ts';
import { stm32Recipe } from '../../boards/common/silicon.ts';
import { boards } from '../../boards/index.ts';
import data from '../../boards/nucleo-f446re/board.json' with { type: 'json' };
import { nucleoF446re as board } from '../../boards/nucleo-f446re/index.ts';
import { readElf } from '../../toolchain/index.ts';
import { expectOk, loadCandidate, workFolder } from '../wire/host-board.ts';
import { commit, everywhere, onCortexM, serverVariable, Witness } from '../wire/misbehaviour.ts';

const folder = workFolder();
afterAll(() => folder.remove());

const products = boards.filter((b) => b.product !== undefined);

test('every product can be built, at its own addresses, with the tools that flash it', async () => {
  expect(products.map((b) => b.id)).toEqual(expect.arrayContaining(['nucleo-f446re', 'nucleo-l4r5zi']));
  for (const { id, product, memory } of products) {
    if (product === undefined) throw new Error(id);
    const dir = join(folder.dir, id);
    const firmware = expectOk(await product.build({ dir, name: 'server', objects: [] }));
    const elf = readElf(readFileSync(firmware.elf));
    const inside = (address: number): boolean =>
      memory.some((m) => address >= m.base && address < m.base + m.bytes && m.bytes > 0);
    for (const s of elf.sections.filter((x) => x.allocated && x.bytes > 0))
      expect(inside(s.address) && inside(s.address + s.bytes - 1), `${id} ${s.name}`).toBe(true);
    // The first words of the image: a stack in RAM, and the reset handler, in Thumb state.
    const image = Buffer.from(elf.images().find((i) => i.base === elf.symbol('mt_flash_start'))?.bytes ?? []);
    expect(inside(image.readUInt32LE(0) - 4), id).toBe(true);
    expect(image.readUInt32LE(4), id).toBe((elf.symbol('Reset_Handler') ?? 0) | 1);
    // What a device with it announces is what the rest is told of the board.
    const size = (name: string): number => (elf.symbol(`mt_${name}_end`) ?? 0) - (elf.symbol(`mt_${name}_start`) ?? 0);
    expect([size('load'), size('data')], id).toEqual([product.board.loadBytes, product.board.dataBytes]);
    expect(product.board, id).toMatchObject({ id, kind: 'silicon', deterministic: false });
    expect(product.tools.length, id).toBeGreaterThan(0);
    expect(firmware.sizes.text, id).toBeLessThan(16 * 1024);
  }
});

test('the image of nucleo-f446re starts where nothing of its clocks answers, and serves', async () => {
  // The emulator has nothing where the part keeps its serial number.
  const recipe = stm32Recipe(board, data.silicon as Silicon, join(import.meta.dirname, '../../boards', board.id), {
    UID: '0x08000000u',
  });
  const { elf } = expectOk(await buildServer(recipe, { dir: folder.dir, name: 'f446', objects: [] }));
  const args = ['-serial', 'null']; // the link is the second UART
  const program = 'qemu-system-arm';
  const device = expectOk(await startQemu({ program, machine: 'netduinoplus2', args, elf, bulk: 'uart' }));
  try {
    expect(device.info).toMatchObject({ board: 'nucleo-f446re', cpuHz: 16_000_000, guarded: true });
    const { load, data: region } = device.info;
    const loop = await loadCandidate(device, board, 'void mt_entry(void) { for (;;) __asm__(""); }', 0, folder.dir);
    const stopped = await device.call({ entry: loop, args: [], warmups: 0, repeats: 1, deadlineMs: 20 });
    expect(stopped).toMatchObject({ ok: false, code: 'DEADLINE' });
    const places = { good: 0x4000, block: 0x8000, blockBytes: 4096 };
    const witness = await Witness.on(device, board, folder.dir, places);
    await witness.check('before');
    const misdeeds = [
      ...everywhere({ load: load.base + 0x8000, data: region.base }),
      ...onCortexM(serverVariable(elf), load.base),
    ].filter((m) => m.ends !== 'DEADLINE' && m.waits === undefined);
    for (const m of misdeeds) await commit(m, device, board, witness, folder.dir);
    const entry = await loadCandidate(device, board, 'unsigned mt_entry(unsigned n) { return n * 3u; }', 0, folder.dir);
    const called = await device.call({ entry, args: [14], warmups: 1, repeats: 2, deadlineMs: 100 });
    expect(called).toMatchObject({ ok: true, returned: 42 });
    await device.reset();
    await (await Witness.on(device, board, folder.dir, places)).check('after a reset');
  } finally {
    await device.close();
  }
});
