/**
 * Firmware of a real STM32 board from its board.json: the same server, call and guard as on its twin, with the part's own drivers
 * (common/stm32) and addresses. Must stay true: nothing here has run on silicon; what emulators could show of it is said
 * in the boards' READMEs.
 */
import { join } from 'node:path';
import type { Board, Silicon, Stm32Family } from '../board.ts';
import type { Product } from '../module.ts';
import { type BuildRecipe, buildServer } from './build.ts';
import { cortexMRecipe } from './cortex-m/recipe.ts';
import { atOwnAddresses, type Shares, sizesInRam } from './layout.ts';

const here = import.meta.dirname;
const stm32 = (file: string): string => join(here, 'stm32', file);

/** Clock set-up and caches of a family: the G4's are the L4+'s, by the same registers; what differs is in its family.h. */
export const familySource = (family: Stm32Family): string => stm32(`${family === 'g4' ? 'l4' : family}/family.c`);

/** `folder` has the board's silicon.h. */
export function productOf(board: Board, silicon: Silicon, folder: string): Product {
  const recipe = stm32Recipe(board, silicon, folder, {});
  return {
    board: onSilicon(board, sharesOf(board, silicon)),
    build: (request) => buildServer(recipe, request),
    tools: silicon.tools,
  };
}

/** Every memory at its own address. */
export const sharesOf = (board: Pick<Board, 'memory'>, silicon: Omit<Silicon, 'tools'>): Shares => ({
  at: atOwnAddresses(board),
  ...silicon,
});

/** A board as its product is: trials are loaded into RAM whatever their schedules place, so that there is nothing to place. */
export function onSilicon(twin: Board, shares: Shares): Board {
  const { placed: _, target, ...board } = twin;
  return {
    ...board,
    kind: 'silicon',
    target: { ...target, features: target.features.filter((f) => f !== 'places') },
    ...sizesInRam(twin, shares),
    deterministic: false,
  };
}

/** `defines`: for the preprocessor, where an emulator lacks something of the part. */
export function stm32Recipe(
  board: Pick<Board, 'id' | 'clockHz' | 'memory' | 'target'>,
  silicon: Omit<Silicon, 'tools'>,
  folder: string,
  defines: Readonly<Record<string, string>>,
): BuildRecipe {
  return cortexMRecipe({
    board,
    shares: sharesOf(board, silicon),
    sources: [...['machine.c', 'timers.c', 'usart.c'].map(stm32), familySource(silicon.family)],
    includeDirs: [stm32(''), stm32(silicon.family), folder],
    // As delivered the part's Security Extension is off.
    defines: { ...(silicon.family === 'u5' && { MT_NO_SECURITY: '1' }), ...defines },
  });
}
