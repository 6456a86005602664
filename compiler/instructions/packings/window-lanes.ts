/**
 * window_lanes: int8 weights [N, KH, KW, C] for windows whose rows are KW*C neighbours: two channels share the 16-bit lanes of a word
 * (even + 256 * odd), a row of the window is filled up to whole words. With `phases` 2 everything is there twice: for windows that
 * begin at a word, and moved by one element for those that begin in its middle. Rows come `pass` at a time, the last ones first:
 * the order in which a kernel's stack pointer walks down. An odd N repeats the last channel but one in the last group.
 */
import { refuse } from '../../program/build.ts';
import type { Params } from '../instruction.ts';
import type { Packing, PackingRecipe } from './packing.ts';
import { type EachLane, pairLanes } from './pair-lanes.ts';

/** Words of one row of a window. */
export const rowWords = (run: number, phases: number): number => Math.ceil((run + phases - 1) / 2);
/** Channels that the groups begin with: pairs; the last one steps back where N is odd. */
const pairsOf = (N: number): readonly number[] =>
  Array.from({ length: Math.ceil(N / 2) }, (_, g) => Math.min(2 * g, N - 2));

interface Shape {
  readonly N: number;
  readonly KH: number;
  readonly run: number;
  readonly words: number;
  readonly phases: number;
  readonly pass: number;
}
function shapeOf({ phases = 1, pass = 1 }: Params, shape: readonly number[]): Shape {
  const [N = 1, KH = 1, KW = 1, C = 1] = shape;
  if (shape.length !== 4 || N < 2) refuse('window_lanes: at least two channels of windows');
  if ((phases !== 1 && phases !== 2) || KH % pass !== 0) refuse('window_lanes: one or two phases, whole passes');
  return { N, KH, run: KW * C, words: rowWords(KW * C, phases), phases, pass };
}

const eachLane =
  (s: Shape): EachLane =>
  (f) => {
    const channel = s.KH * s.run;
    pairsOf(s.N).forEach((first, g) => {
      for (let phase = 0; phase < s.phases; phase++) {
        for (let ky = 0; ky < s.KH; ky++) {
          const passes = s.KH / s.pass;
          const row = (passes - 1 - Math.floor(ky / s.pass)) * s.pass + (ky % s.pass);
          const word = ((g * s.phases + phase) * s.KH + row) * s.words;
          for (let k = 0; k < s.run; k++) {
            const even = first * channel + ky * s.run + k;
            f(4 * word + 2 * (k + phase), even, even + channel);
          }
        }
      }
    });
  };

export const windowLanes: PackingRecipe = {
  name: 'window_lanes',
  make(params, shape): Packing {
    const s = shapeOf(params, shape);
    const groupBytes = 4 * s.phases * s.KH * s.words;
    return {
      rows: 2,
      groupBytes,
      ...pairLanes(groupBytes * pairsOf(s.N).length, s.N * s.KH * s.run, eachLane(s)),
    };
  },
};
