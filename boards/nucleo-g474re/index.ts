/** The twin of ST's NUCLEO-G474RE, flash in two banks. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const nucleoG474re: BoardModule = emulated(data as TwinData);
