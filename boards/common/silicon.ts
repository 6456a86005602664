/**
 * Firmware of a real STM32 board from its board.json: the same server, call and guard as on its twin, with the part's own drivers
 * (common/stm32) and addresses. Must stay true: nothing here has run on silicon; what emulators could show of it is said
 * in the boards' READMEs.
 */
import { join } from 'node:path';
import type { Board, Silicon, Stm32Family } from '../board.ts';
import type { Product } from '../module.ts';
import { type BuildRecipe, buildServer } from './build.ts';
import { layoutOf, type Shares } from './layout.ts';

const here = import.meta.dirname;
const cortexM = (file: string): string => join(here, 'cortex-m', file);
const stm32 = (file: string): string => join(here, 'stm32', file);
/** Of a part's memory nothing is kept for an emulator. */
const nothing = { base: 0, bytes: 0 };

/** The way into a call, and the guard. */
const cores: Readonly<Record<Stm32Family, readonly string[]>> = {
  f4: ['enter-v7m.c', 'mpu-v7m.c'],
  g0: ['enter-v6m.c', 'mpu-v7m.c'],
  h7: ['enter-v7m.c', 'mpu-v7m.c'],
  l4: ['enter-v7m.c', 'mpu-v7m.c'],
  u5: ['enter-v8m.c', 'mpu-v8m.c'],
};

/** `folder` has the board's silicon.h. */
export function productOf(board: Board, silicon: Silicon, folder: string): Product {
  const recipe = stm32Recipe(board, silicon, folder, []);
  return {
    board: onSilicon(board, sharesOf(board, silicon)),
    build: (request) => buildServer(recipe, request),
    tools: silicon.tools,
  };
}

/** Every memory at its own address. */
const sharesOf = (board: Pick<Board, 'memory'>, silicon: Omit<Silicon, 'tools'>): Shares => ({
  at: Object.fromEntries(board.memory.map((m) => [m.name, String(m.base)])),
  ...silicon,
});

/** A board as its product is: trials are loaded into RAM whatever their schedules place, so that there is nothing to place. */
export function onSilicon(twin: Board, shares: Shares): Board {
  const { placed: _, target, ...board } = twin;
  return {
    ...board,
    kind: 'silicon',
    target: { ...target, features: target.features.filter((f) => f !== 'places') },
    ramBytes: layoutOf(twin, shares, nothing).MT_DATA_BYTES ?? 0,
    loadBytes: shares.load.kiB * 1024,
    dataBytes: shares.data.kiB * 1024,
    deterministic: false,
  };
}

/** `flags`: for the compiler, where an emulator lacks something of the part. */
export function stm32Recipe(
  board: Pick<Board, 'id' | 'clockHz' | 'memory' | 'target'>,
  silicon: Omit<Silicon, 'tools'>,
  folder: string,
  flags: readonly string[],
): BuildRecipe {
  const layout = layoutOf(board, sharesOf(board, silicon), nothing);
  const symbols = Object.entries(layout).map(([name, value]) => `-Wl,--defsym,${name}=${value}`);
  return {
    target: board.target,
    sources: [
      ...['board.c', 'call.c', 'start.c', ...cores[silicon.family]].map(cortexM),
      ...['machine.c', 'timers.c', 'usart.c', join(silicon.family, 'family.c')].map(stm32),
    ],
    includeDirs: [cortexM(''), stm32(''), stm32(silicon.family), folder],
    flags: [
      '-ffreestanding',
      `-DMT_BOARD="${board.id}"`,
      `-DMT_CPU_HZ=${board.clockHz}u`,
      // As delivered the part's Security Extension is off.
      ...(silicon.family === 'u5' ? ['-DMT_NO_SECURITY'] : []),
      ...flags,
    ],
    linkScript: cortexM('sections.ld'),
    linkFlags: ['-nostartfiles', '--specs=nano.specs', ...symbols],
  };
}
