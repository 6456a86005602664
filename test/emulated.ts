/** Which emulated boards a test takes: those it names in a normal run, all of them in a long one. */
import { type BoardModule, boardOf, boards } from '../boards/index.ts';
import { samples } from './samples.ts';

/** `usual`: ids, as a rule a board of each family that matters to the test. */
export function emulatedBoards(usual: readonly string[]): readonly BoardModule[] {
  const unknown = usual.find((id) => boardOf(id)?.open === undefined);
  if (unknown !== undefined) throw new Error(`${unknown} is not an emulated board`);
  return boards.filter((b) => b.open !== undefined && (usual.includes(b.id) || samples(0, 1) === 1));
}
