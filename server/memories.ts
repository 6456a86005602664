/** What a network takes of a board's memory, or may take. */
import type { Board } from '../boards/index.ts';

/** Bytes of memory. */
export interface Memories {
  readonly ramBytes: number;
  readonly flashBytes: number;
}

/** What holds of a memory, in words. */
export const limitText = (memory: keyof Memories, limits: Memories, board: Board): string =>
  limits[memory] < board[memory] ? `the budget is ${limits[memory]}` : `${board.id} has ${board[memory]}`;
