/** The smallest board: a Cortex-M0 with 16 KiB of RAM and no MPU, under QEMU, counting instructions. */
import { join } from 'node:path';
import type { Board } from '../board.ts';
import { buildServer } from '../common/build.ts';
import { startQemu } from '../common/qemu.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const board = data as Board;
const here = import.meta.dirname;
const family = join(here, '../common/cortex-m');

export const microbit: BoardModule = {
  ...board,
  build: (request) =>
    buildServer(
      {
        target: board.target,
        sources: [
          join(here, 'machine.c'),
          ...['board.c', 'call.c', 'start.c', 'enter-v6m.c', 'mpu-none.c'].map((f) => join(family, f)),
        ],
        includeDirs: [family],
        flags: ['-ffreestanding', `-DMT_BOARD="${board.id}"`, `-DMT_CPU_HZ=${board.clockHz}u`],
        linkScript: join(here, 'link.ld'),
        linkFlags: ['-nostartfiles', '--specs=nano.specs'],
      },
      request,
    ),
  open: ({ firmware, bulk }) =>
    startQemu({
      program: 'qemu-system-arm',
      machine: 'microbit',
      elf: firmware.elf,
      probe: 'gdb',
      bulk,
    }),
};
