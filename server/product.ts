/**
 * Boards whose real product hangs on this daemon. Must stay true: a daemon counts one kind for a board. Attached products count
 * cycles of silicon, their twins those of a model; whoever has the one does not get the other beside it.
 */
import type { BoardModule } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import { attach } from '../firmware-rpc/host/attach.ts';
import type { AttachedDevice, Flasher } from './attached.ts';

export interface Wishes {
  readonly devices: readonly AttachedDevice[];
  /** Emulated devices by board. */
  readonly emulate: Readonly<Record<string, number>>;
}

/**
 * The boards as this daemon has them: a board whose product is attached, or whose twin is not wanted, is the product. Failure:
 * KINDS_MIXED where both are asked for.
 */
export function boardsFor(all: readonly BoardModule[], wishes: Wishes): Result<readonly BoardModule[]> {
  const out: BoardModule[] = [];
  for (const board of all) {
    const attached = wishes.devices.some((d) => d.board === board.id);
    const wanted = wishes.emulate[board.id];
    if (board.product === undefined || (!attached && wanted !== 0)) out.push(board);
    else if (wanted !== undefined && wanted > 0) return failed('start', 'KINDS_MIXED', mixed(board));
    else out.push(attachedForm(board));
  }
  return ok(out);
}

/** Said where both are asked for. */
export const mixed = ({ id, kind }: BoardModule): string =>
  `attached devices of ${id} count cycles of silicon, emulated ones count ${kind}: leave out one of the two (--emulate ${id}=0)`;

/** A board as it is when it is attached: its product, where it has one. */
export const attachedForm = (board: BoardModule): BoardModule =>
  board.product === undefined ? board : { ...board.product.board, product: board.product, build: board.product.build };

/** A product that hangs at this address: opening it puts the firmware of a network on it. */
export const productAt = (product: BoardModule, address: string, flasher: Flasher): BoardModule => ({
  ...product,
  open: async ({ firmware }) => {
    const flashed = await flasher.flash(firmware, address);
    return flashed.ok ? attach(address) : flashed;
  },
});

/** Whether devices of this board are started here, not attached. */
export const isEmulated = (board: BoardModule): boolean => board.open !== undefined && board.kind !== 'silicon';

/** Attached devices of a board that has a product are that product, and count what silicon counts. */
export const suits = (board: BoardModule): boolean => board.product === undefined || board.kind === 'silicon';
