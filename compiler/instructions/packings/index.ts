/** Every packing that instructions ask for. To add one: a file here, a line in the list, used by an instruction's operand. */
import { refuse } from '../../program/build.ts';
import type { Params } from '../instruction.ts';
import { depthwiseTaps } from './depthwise-taps.ts';
import { laneGroups } from './lane-groups.ts';
import { lanePairs } from './lane-pairs.ts';
import type { Packing, PackingRecipe } from './packing.ts';
import { sumLanes } from './sum-lanes.ts';
import { windowLanes } from './window-lanes.ts';
import { winogradFilters } from './winograd-filters.ts';

export type { Packing, PackingRecipe } from './packing.ts';

export const packings: readonly PackingRecipe[] = [
  lanePairs,
  laneGroups,
  depthwiseTaps,
  sumLanes,
  windowLanes,
  winogradFilters,
];

/** The packing of that name for a constant of a shape; refuses an unknown one. */
export const packingOf = (name: string, params: Params, shape: readonly number[]): Packing =>
  (packings.find((p) => p.name === name) ?? refuse(`no packing ${name}`)).make(params, shape);
