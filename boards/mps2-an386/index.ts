/** Cortex-M4 under QEMU, counting instructions. */
import { join } from 'node:path';
import type { Board } from '../board.ts';
import { buildServer } from '../common/build.ts';
import { startQemu } from '../common/qemu.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const board = data as Board;
const here = import.meta.dirname;

export const mps2An386: BoardModule = {
  ...board,
  build: (request) =>
    buildServer(
      {
        target: board.target,
        sources: ['board.c', 'start.c'].map((f) => join(here, f)),
        flags: ['-ffreestanding'],
        linkScript: join(here, 'link.ld'),
        linkFlags: ['-nostartfiles', '--specs=nano.specs'],
      },
      request,
    ),
  // One instruction is one nanosecond of virtual time, so timers count instructions.
  open: ({ firmware, bulk }) =>
    startQemu({
      program: 'qemu-system-arm',
      machine: 'mps2-an386',
      args: ['-icount', 'shift=0'],
      elf: firmware.elf,
      shared: { bytes: 0x1000000, stagingOffset: 0xfe0000 },
      bulk,
    }),
};
