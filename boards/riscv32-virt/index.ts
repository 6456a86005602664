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
 * QEMU has 64 MiB from 0x80000000 on and starts there. What is staged for COPY lies behind the data; the upper half is not used,
 * as QEMU writes its device tree to the end at every start.
 */
const ram = { base: 0x80000000, bytes: 0x4000000 };
const stagingBytes = 0x20000;
const stackBytes = 0x8000;

/** Numbers of sections.ld: where each memory of board.json lies. */
const symbols = [
  ...board.memory.flatMap(({ name, base, bytes }) => [
    [`MT_${name.toUpperCase()}`, base],
    [`MT_${name.toUpperCase()}_BYTES`, bytes],
  ]),
  ['MT_STACK_BYTES', stackBytes],
  ['MT_STAGING_BYTES', stagingBytes],
].map(([name, value]) => `-Wl,--defsym,${name}=${value}`);
const stagingOffset = Math.max(...board.memory.map((m) => m.base + m.bytes)) - ram.base;

export const riscv32Virt: BoardModule = {
  ...board,
  build: (request) =>
    buildServer(
      {
        target: board.target,
        sources: [join(here, 'machine.c'), ...['board.c', 'call.c', 'start.c'].map((f) => join(family, f))],
        includeDirs: [family],
        flags: [
          '-ffreestanding',
          '--specs=picolibc.specs',
          `-DMT_BOARD="${board.id}"`,
          `-DMT_CPU_HZ=${board.clockHz}u`,
        ],
        linkScript: join(family, 'sections.ld'),
        linkFlags: ['-nostartfiles', ...symbols],
      },
      request,
    ),
  // The CPU has exactly what the flags of board.json ask for.
  open: ({ firmware, bulk }) =>
    startQemu({
      program: 'qemu-system-riscv32',
      machine: 'virt',
      args: ['-cpu', 'rv32,d=false,v=false', '-m', `${ram.bytes >> 20}`, '-bios', 'none'],
      elf: firmware.elf,
      shared: { bytes: ram.bytes, stagingOffset },
      bulk,
    }),
};
