/**
 * An STM32F405 under QEMU, counting instructions: the part's own start-up code, clock set-up and USART on another machine than
 * the MPS2 boards.
 */
import { join } from 'node:path';
import type { Board, Silicon } from '../board.ts';
import { buildServer } from '../common/build.ts';
import { sizesInRam } from '../common/layout.ts';
import { startQemu } from '../common/qemu.ts';
import { sharesOf, stm32Recipe } from '../common/silicon.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const { silicon: stated, ...rest } = data;
const silicon = stated as Omit<Silicon, 'tools'>;
const known = rest as Omit<Board, 'ramBytes' | 'loadBytes'>;
const board: Board = { ...known, ...sizesInRam(known, sharesOf(known, silicon)) };
const here = import.meta.dirname;

/** As for the real part, but for counter, deadline and unit's id: QEMU has others, see machine.c. */
const part = stm32Recipe(board, silicon, here, {});
const shared = part.sources.filter((file) => !/stm32[/\\](machine|timers)\.c$/.test(file));
const recipe = { ...part, sources: [join(here, 'machine.c'), ...shared] };

export const stm32f405: BoardModule = {
  ...board,
  build: (request) => buildServer(recipe, request),
  open: ({ firmware, bulk }) =>
    startQemu({
      program: 'qemu-system-arm',
      machine: 'netduinoplus2',
      elf: firmware.elf,
      probe: 'gdb',
      bulk,
    }),
};
