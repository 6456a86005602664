/** A Stellaris LM3S6965 under QEMU, counting instructions: a Cortex-M3 whose UART and timers no other board has. */
import { join } from 'node:path';
import type { Board } from '../board.ts';
import { buildServer } from '../common/build.ts';
import { cortexMRecipe } from '../common/cortex-m/recipe.ts';
import { atOwnAddresses, sizesInRam } from '../common/layout.ts';
import { startQemu } from '../common/qemu.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const { shares: parts, ...rest } = data;
const stated = rest as Omit<Board, 'ramBytes' | 'loadBytes'>;
const shares = { ...parts, at: atOwnAddresses(stated) };
const board: Board = { ...stated, ...sizesInRam(stated, shares) };
const recipe = cortexMRecipe({ board, shares, sources: [join(import.meta.dirname, 'machine.c')], includeDirs: [] });

export const lm3s6965evb: BoardModule = {
  ...board,
  build: (request) => buildServer(recipe, request),
  open: ({ firmware, bulk }) =>
    startQemu({
      program: 'qemu-system-arm',
      machine: board.id, // QEMU calls it by the same name
      elf: firmware.elf,
      probe: 'gdb',
      bulk,
    }),
};
