/** Cortex-M3 under QEMU, counting instructions. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const mps2An385: BoardModule = emulated(data as TwinData);
