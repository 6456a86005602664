/** A 32-bit RISC-V CPU under QEMU, counting instructions: the generic C path on a CPU that is not Arm's. */
import { join } from 'node:path';
import type { Board } from '../board.ts';
import { buildServer } from '../common/build.ts';
import { startQemu } from '../common/qemu.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const board = data as Board;
const here = import.meta.dirname;
const family = join(here, '../common/riscv');

/**
 * The machine's memory, and where staging begins in it. board.c uses the first half alone: QEMU writes its device tree to the
 * end at every start.
 */
const shared = { bytes: 0x4000000, stagingOffset: 0x1fe0000 };

export const riscv32Virt: BoardModule = {
  ...board,
  build: (request) =>
    buildServer(
      {
        target: board.target,
        sources: [join(here, 'board.c'), join(family, 'call.c'), join(family, 'start.c')],
        includeDirs: [family],
        flags: ['-ffreestanding', '--specs=picolibc.specs'],
        linkScript: join(here, 'link.ld'),
        linkFlags: ['-nostartfiles'],
      },
      request,
    ),
  // One instruction is one nanosecond of virtual time. The CPU has exactly what the flags of board.json ask for.
  open: ({ firmware, bulk }) =>
    startQemu({
      program: 'qemu-system-riscv32',
      machine: 'virt',
      args: ['-icount', 'shift=0', '-cpu', 'rv32,d=false,v=false', '-m', `${shared.bytes >> 20}`, '-bios', 'none'],
      elf: firmware.elf,
      shared,
      bulk,
    }),
};
