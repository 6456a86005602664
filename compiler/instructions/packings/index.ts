/** Every packing that instructions ask for. To add one: a file here, a line in the list, used by an instruction's operand. */
import { refuse } from '../../program/build.ts';
import type { Params } from '../instruction.ts';
import { laneGroups } from './lane-groups.ts';
import type { Packing, PackingRecipe } from './packing.ts';

export type { Packing, PackingRecipe } from './packing.ts';

export const packings: readonly PackingRecipe[] = [laneGroups];

/** The packing of that name for a constant of a shape; refuses an unknown one. */
export const packingOf = (name: string, params: Params, shape: readonly number[]): Packing =>
  (packings.find((p) => p.name === name) ?? refuse(`no packing ${name}`)).make(params, shape);
