/** The twin of Arm's Corstone-300 on the MPS3 board. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const corstone300: BoardModule = emulated(data as TwinData);
