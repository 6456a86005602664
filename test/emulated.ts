/** Emulated boards for tests: which ones a test takes (those it names in a normal run, all of them in a long one), and one that runs. */
import { type BoardModule, type BuiltFirmware, boardOf, boards } from '../boards/index.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { samples } from './samples.ts';
import { expectOk } from './wire/host-board.ts';

/** `usual`: ids, as a rule a board of each family that matters to the test. */
export function emulatedBoards(usual: readonly string[]): readonly BoardModule[] {
  const unknown = usual.find((id) => boardOf(id)?.open === undefined);
  if (unknown !== undefined) throw new Error(`${unknown} is not an emulated board`);
  return boards.filter((b) => b.open !== undefined && (usual.includes(b.id) || samples(0, 1) === 1));
}

/** How bulk data gets there: see OpenRequest. */
export type Bulk = 'shared' | 'uart';

/** Starts an emulated board; throws where that fails. */
export async function started(board: BoardModule, firmware: BuiltFirmware, bulk: Bulk = 'shared'): Promise<Device> {
  if (board.open === undefined) throw new Error(`${board.id} is not emulated`);
  return expectOk(await board.open({ firmware, bulk }));
}

/** A device for the length of `work`, closed however that ends. */
export async function onDevice<T>(
  board: BoardModule,
  firmware: BuiltFirmware,
  work: (device: Device) => Promise<T>,
  bulk: Bulk = 'shared',
): Promise<T> {
  const device = await started(board, firmware, bulk);
  try {
    return await work(device);
  } finally {
    await device.close();
  }
}
