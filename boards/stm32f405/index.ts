/**
 * An STM32F405 under QEMU, counting instructions: the part's own start-up code, clock set-up and USART on another machine than
 * the MPS2 boards.
 */
import { join } from 'node:path';
import type { Board, Silicon } from '../board.ts';
import { buildServer } from '../common/build.ts';
import { startQemu } from '../common/qemu.ts';
import { stm32Recipe } from '../common/silicon.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const { silicon, ...rest } = data;
const board = rest as Board;
const here = import.meta.dirname;

/** As for the real part, but for counter, deadline and unit's id: QEMU has others, see machine.c. */
const part = stm32Recipe(board, silicon as Omit<Silicon, 'tools'>, here, {});
const shared = part.sources.filter((file) => !/stm32[/\\](machine|timers)\.c$/.test(file));
const recipe = { ...part, sources: [join(here, 'machine.c'), ...shared] };

export const stm32f405: BoardModule = {
  ...board,
  build: (request) => buildServer(recipe, request),
  // One instruction is one nanosecond of virtual time.
  open: ({ firmware, bulk }) =>
    startQemu({
      program: 'qemu-system-arm',
      machine: 'netduinoplus2',
      args: ['-icount', 'shift=0'],
      elf: firmware.elf,
      probe: 'gdb',
      bulk,
    }),
};
