/** The twin of ST's NUCLEO-L4R5ZI, flash in two banks. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const nucleoL4r5zi: BoardModule = emulated(data as TwinData);
