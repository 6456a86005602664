/** The twin of ST's NUCLEO-G0B1RE: code for a Cortex-M0+, on an emulated Cortex-M3. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const nucleoG0b1re: BoardModule = emulated(data as TwinData);
