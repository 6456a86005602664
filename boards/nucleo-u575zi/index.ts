/** The twin of ST's NUCLEO-U575ZI-Q. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const nucleoU575zi: BoardModule = emulated(data as TwinData);
