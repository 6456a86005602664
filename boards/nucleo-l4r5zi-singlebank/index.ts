/** The twin of ST's NUCLEO-L4R5ZI whose option byte DBANK is cleared: flash as one bank, read 128 bits at a time. */
import type { TwinData } from '../board.ts';
import { emulated } from '../common/twin.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

export const nucleoL4r5ziSinglebank: BoardModule = emulated(data as TwinData);
