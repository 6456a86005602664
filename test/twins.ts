/** What a board's board.json says beyond `Board`: which of QEMU's MPS machines it is emulated on, if on one. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Twin, TwinData } from '../boards/board.ts';
import type { BoardModule } from '../boards/index.ts';

const folder = resolve(import.meta.dirname, '../boards');

/** Undefined for boards with a machine of their own. */
export function twinOf({ id }: Pick<BoardModule, 'id'>): Twin | undefined {
  const { twin } = JSON.parse(readFileSync(join(folder, id, 'board.json'), 'utf8')) as Partial<TwinData>;
  return twin !== undefined && /^mps/.test(twin.machine ?? '') ? twin : undefined;
}
