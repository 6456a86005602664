/** The twin of ST's NUCLEO-F446RE. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const nucleoF446re: BoardModule = emulated(data as TwinData);
