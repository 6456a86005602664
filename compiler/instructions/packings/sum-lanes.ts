/**
 * sum_lanes: int8 weights [N, …taps] for sum-lanes.ts, `rows` channels a group. Taps are cut into chunks of `chunk`; a chunk is the words
 * that its sums start from, then the words of each tap. Must stay true: sums start at 255 * the weights below zero, so that
 * inputs of 0..255 keep them between 0 and 255 * all weights' sizes, which fits a lane; else the constant is refused.
 */
import { refuse } from '../../program/build.ts';
import { elements } from '../../program/walk.ts';
import { type Lanes, lanesOf, packLanes, unpackLanes } from '../sum-lanes.ts';
import type { Packing, PackingRecipe } from './packing.ts';

/** Largest input that a lane allows for. */
const mostInput = 255;
/** Chunks of K taps. */
export const chunksOf = (K: number, chunk: number): readonly { readonly from: number; readonly length: number }[] =>
  Array.from({ length: Math.ceil(K / chunk) }, (_, i) => ({
    from: i * chunk,
    length: Math.min(chunk, K - i * chunk),
  }));
/** Words of a group in use; groups are as long as both words and rows allow. */
export const groupWords = ({ words }: Lanes, K: number, chunk: number): number => words * (K + Math.ceil(K / chunk));
const groupBytesOf = (lanes: Lanes, K: number, chunk: number): number => {
  const unit = 4 * lanes.sums;
  return Math.ceil((4 * groupWords(lanes, K, chunk)) / unit) * unit;
};

/** 255 * the weights below zero. */
const startOf = (weights: Iterable<number>): number => {
  let sum = 0;
  for (const w of weights) sum -= Math.min(0, w);
  return mostInput * sum;
};

function encodeGroup(lanes: Lanes, rows: readonly Int32Array[], chunk: number, to: DataView): void {
  const K = rows[0]?.length ?? 0;
  let at = 0;
  const put = (values: readonly number[]): void => {
    for (const word of packLanes(lanes, values)) {
      to.setInt32(at, word, true);
      at += 4;
    }
  };
  for (const { from, length } of chunksOf(K, chunk)) {
    const taps = rows.map((row) => row.subarray(from, from + length));
    const size = Math.max(...taps.map((t) => t.reduce((n, w) => n + Math.abs(w), 0)));
    if (mostInput * size >= 2 ** lanes.bits)
      refuse(`lanes of ${lanes.bits} bits do not hold ${chunk} of these weights`);
    put(taps.map(startOf));
    for (let k = 0; k < length; k++) put(taps.map((t) => t[k] ?? 0));
  }
}

/** Weights of a group: words hold signed values, which half a lane's range makes positive. */
function decodeGroup(lanes: Lanes, K: number, chunk: number, from: DataView): readonly Int32Array[] {
  const rows = Array.from({ length: lanes.sums }, () => new Int32Array(K));
  const half = 2 ** (lanes.bits - 1);
  const middle = packLanes(
    lanes,
    rows.map(() => half | 0),
  );
  let at = 0;
  for (const c of chunksOf(K, chunk)) {
    at += 4 * lanes.words;
    for (let k = 0; k < c.length; k++) {
      const words = middle.map((m, i) => (m + from.getInt32(at + 4 * i, true)) | 0);
      unpackLanes(lanes, words).forEach((v, o) => {
        (rows[o] as Int32Array)[c.from + k] = v - half;
      });
      at += 4 * lanes.words;
    }
  }
  return rows;
}

export const sumLanes: PackingRecipe = {
  name: 'sum_lanes',
  make({ rows = 8, chunk = 1 }, shape): Packing {
    const lanes = lanesOf(rows);
    const [N = 1] = shape;
    const K = elements(shape.slice(1));
    if (shape.length < 2 || chunk < 1 || chunk > K) refuse('lanes: chunks of the taps of channels');
    const groupBytes = groupBytesOf(lanes, K, chunk);
    const groups = Math.ceil(N / rows);
    const view = (bytes: Uint8Array, g: number): DataView =>
      new DataView(bytes.buffer, bytes.byteOffset + g * groupBytes, groupBytes);
    return {
      rows,
      groupBytes,
      encode(values) {
        const bytes = new Uint8Array(groups * groupBytes);
        const none = new Int32Array(K);
        for (let g = 0; g < groups; g++) {
          const own = Array.from({ length: rows }, (_, i) => g * rows + i);
          encodeGroup(
            lanes,
            own.map((o) => (o < N ? values.subarray(o * K, (o + 1) * K) : none)),
            chunk,
            view(bytes, g),
          );
        }
        return bytes;
      },
      decode(bytes) {
        const values = new Int32Array(N * K);
        for (let g = 0; g < groups; g++) {
          decodeGroup(lanes, K, chunk, view(bytes, g)).forEach((row, i) => {
            if (g * rows + i < N) values.set(row, (g * rows + i) * K);
          });
        }
        return values;
      },
    };
  },
};

/** What each channel's sum must start from: the chunks' starts together. */
export const startsOf = (weights: Int32Array, N: number): Int32Array => {
  const K = weights.length / N;
  return Int32Array.from({ length: N }, (_, o) => startOf(weights.subarray(o * K, (o + 1) * K)));
};
