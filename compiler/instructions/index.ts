/** Every instruction that schedules may name. To add a set: copy armv7e-m-dsp.ts, list its recipes here (docs/adding.md). */
import { refuse } from '../program/build.ts';
import { addBytes } from './add-bytes.ts';
import { smlad } from './armv7e-m-dsp.ts';
import { columnSweep } from './column-sweep.ts';
import { depthwiseSweep } from './depthwise-sweep.ts';
import { depthwiseWindow } from './depthwise-window.ts';
import { fcStream } from './fc-stream.ts';
import { fill } from './fill.ts';
import { firstConv } from './first-conv.ts';
import { flipBytes } from './flip-bytes.ts';
import { gatherPlane } from './gather-plane.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import { laneBlock } from './lane-block.ts';
import { macBlock } from './mac-block.ts';
import { packedBlock } from './packed-block.ts';
import { planes } from './planes.ts';
import { poolMax } from './pool-max.ts';
import { poolSums } from './pool-sums.ts';
import { widen } from './widen.ts';
import { widenRows } from './widen-rows.ts';
import { winogradFrame } from './winograd-frame.ts';
import { winogradInput } from './winograd-input.ts';
import { winogradOutput } from './winograd-output.ts';
import { winogradSums } from './winograd-sums.ts';
import { winogradWordsInput } from './winograd-words-input.ts';
import { winogradWordsOutput } from './winograd-words-output.ts';
import { winogradWordsSums } from './winograd-words-sums.ts';

export const recipes: readonly Recipe[] = [
  packedBlock,
  macBlock,
  depthwiseSweep,
  depthwiseWindow,
  planes,
  widen,
  smlad,
  fill,
  addBytes,
  poolSums,
  poolMax,
  fcStream,
  laneBlock,
  columnSweep,
  gatherPlane,
  flipBytes,
  winogradFrame,
  winogradInput,
  winogradSums,
  winogradOutput,
  winogradWordsInput,
  winogradWordsSums,
  winogradWordsOutput,
  firstConv,
  widenRows,
];

/** The recipe of that name; refuses an unknown one. */
export const recipe = (name: string): Recipe =>
  recipes.find((r) => r.name === name) ?? refuse(`no instruction ${name}`);
/** The instruction that a recipe makes from parameters; refuses one that works on nothing. */
export function instruction(name: string, params: Params): Instruction {
  const made = recipe(name).make(params);
  const empty = made.meaning.buffers.find((b) => b.shape.some((extent) => extent < 1));
  return empty === undefined ? made : refuse(`${name}: ${empty.name} has no elements`);
}
