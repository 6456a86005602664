/**
 * How firmware of a Cortex-M board is built: what all of them share, and what a machine adds. Whoever shares out a board's memory
 * (a twin, a real part, a folder of its own) gives it as `shares`; common/layout.ts makes the numbers of sections.ld from it.
 */
import { join } from 'node:path';
import type { Board } from '../../board.ts';
import type { BuildRecipe } from '../build.ts';
import { layoutOf, type Shares, type Span } from '../layout.ts';

const family = (file: string): string => join(import.meta.dirname, file);

export interface CortexM {
  readonly board: Pick<Board, 'id' | 'clockHz' | 'memory' | 'target'>;
  readonly shares: Shares;
  /** What of the machine's memory is no board's; nothing where it is left out. */
  readonly staging?: Span;
  /** C files of the machine: what cortex-m.h says that it provides. Absolute paths, as those of folders with their headers. */
  readonly sources: readonly string[];
  readonly includeDirs: readonly string[];
  /** For the preprocessor, beside the board's name and clock. */
  readonly defines?: Readonly<Record<string, string>>;
  readonly linkFlags?: readonly string[];
}

export function cortexMRecipe({ board, shares, ...machine }: CortexM): BuildRecipe {
  const { isa } = board.target;
  const defines = { MT_BOARD: `"${board.id}"`, MT_CPU_HZ: `${board.clockHz}u`, ...machine.defines };
  const layout = Object.entries(layoutOf(board, shares, machine.staging ?? { base: 0, bytes: 0 }));
  return {
    target: board.target,
    sources: [...['board.c', 'call.c', 'start.c', enterOf(isa), guardOf(isa)].map(family), ...machine.sources],
    includeDirs: [family(''), ...machine.includeDirs],
    flags: ['-ffreestanding', ...Object.entries(defines).map(([name, value]) => `-D${name}=${value}`)],
    linkScript: family('sections.ld'),
    linkFlags: [
      '-nostartfiles',
      '--specs=nano.specs',
      ...(machine.linkFlags ?? []),
      ...layout.map(([name, value]) => `-Wl,--defsym,${name}=${value}`),
    ],
  };
}

/** The way into a call, by the instructions that the code is compiled for. */
function enterOf(isa: string): string {
  if (isa === 'armv6-m') return 'enter-v6m.c';
  return isa.startsWith('armv8') ? 'enter-v8m.c' : 'enter-v7m.c';
}
/** The MPU: Armv6-M has that of Armv7-M, where it has one. */
const guardOf = (isa: string): string => (isa.startsWith('armv8') ? 'mpu-v8m.c' : 'mpu-v7m.c');
