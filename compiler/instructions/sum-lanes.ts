/**
 * Sum lanes: several sums in a few words. Every product is added to all sums of a block by one multiplication a word, because a word
 * is the sum of its parts, each shifted to its place, modulo 2^32. A word has one sum in its low bits; the sums that are left
 * over run through the bits above, from word to word, and come apart from the lowest bits on. Must stay true: sums come apart
 * right exactly when each of them is in 0 .. 2^bits - 1. Numbered in the order in which they come apart.
 */
import { refuse } from '../program/build.ts';

/** A sum's place in a word. */
export interface Part {
  readonly sum: number;
  readonly shift: number;
}
/**
 * How sums come apart. `work` is the word at hand; of the sum that runs over several words, `known` holds the bits so far.
 * Two registers take turns for `known`: number `turn`.
 */
export type Unpack =
  | { readonly op: 'word'; readonly word: number }
  /** work -= known << shift. */
  | { readonly op: 'subtract'; readonly turn: number; readonly shift: number }
  /** known += bits at .. at + take - 1 of work, << have; known begins here where `have` is 0. */
  | { readonly op: 'piece'; readonly turn: number; readonly at: number; readonly take: number; readonly have: number }
  /** work keeps its low bits. */
  | { readonly op: 'mask'; readonly bits: number }
  /** Sum number `sum` is in work (turn undefined) or in that `known`. */
  | { readonly op: 'sum'; readonly sum: number; readonly turn?: number };

export interface Lanes {
  readonly sums: number;
  readonly words: number;
  /** Bits of a sum. */
  readonly bits: number;
  /** Parts of each word. */
  readonly parts: readonly (readonly Part[])[];
  readonly unpack: readonly Unpack[];
}

/** Words for a number of sums: what costs the fewest words a sum and still leaves sums of small layers room. */
const wordsFor: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 5, 8: 5 };
/** Numbers of sums that a block may have, best first. */
export const laneCounts: readonly number[] = [8, 5, 6, 3, 7, 4, 2, 1];

export function lanesOf(sums: number): Lanes {
  const words = wordsFor[sums] ?? refuse(`no lanes for ${sums} sums`);
  const bits = Math.min(32, Math.floor((32 * words) / sums));
  const parts: Part[][] = [];
  const unpack: Unpack[] = [];
  let next = 0;
  let over = sums - words;
  let turn = 0;
  /** Of the sum that is running over: its parts, and how many of its bits are placed. */
  let running: { readonly places: (readonly [number, number])[]; have: number } | undefined;
  for (let word = 0; word < words; word++) {
    const base = next++;
    parts.push([{ sum: base, shift: 0 }]);
    unpack.push({ op: 'word', word });
    const done: Unpack[] = [];
    let at = bits;
    while (at < 32 && (running !== undefined || over > 0)) {
      if (running === undefined) {
        running = { places: [], have: 0 };
        over--;
      }
      const { have, places } = running;
      const take = Math.min(32 - at, bits - have);
      places.push([word, at - have]);
      if (have > 0) unpack.push({ op: 'subtract', turn, shift: at - have });
      unpack.push({ op: 'piece', turn, at, take, have });
      at += take;
      running.have += take;
      if (running.have === bits) {
        const sum = next++;
        for (const [w, shift] of places) parts[w]?.push({ sum, shift });
        done.push({ op: 'sum', sum, turn });
        turn = 1 - turn;
        running = undefined;
      }
    }
    if (at > bits) unpack.push({ op: 'mask', bits });
    unpack.push({ op: 'sum', sum: base }, ...done);
  }
  return { sums, words, bits, parts, unpack };
}

/** The words of a value for each sum, modulo 2^32. */
export const packLanes = ({ parts }: Lanes, values: readonly number[]): readonly number[] =>
  parts.map((word) => word.reduce((n, { sum, shift }) => (n + ((values[sum] ?? 0) << shift)) | 0, 0));

/** The values in 0 .. 2^bits - 1 that words hold. */
export function unpackLanes({ unpack, sums }: Lanes, words: readonly number[]): readonly number[] {
  const out = new Array<number>(sums).fill(0);
  const known = [0, 0];
  let work = 0;
  for (const u of unpack) {
    switch (u.op) {
      case 'word':
        work = words[u.word] ?? 0;
        break;
      case 'subtract':
        work = (work - ((known[u.turn] ?? 0) << u.shift)) | 0;
        break;
      case 'piece': {
        const bits = (work << (32 - u.at - u.take)) >>> (32 - u.take);
        known[u.turn] = u.have === 0 ? bits : ((known[u.turn] ?? 0) + (bits << u.have)) | 0;
        break;
      }
      case 'mask':
        work = (work << (32 - u.bits)) >>> (32 - u.bits);
        break;
      case 'sum':
        out[u.sum] = (u.turn === undefined ? work : (known[u.turn] ?? 0)) >>> 0;
    }
  }
  return out;
}

/** Registers of the lines that take lanes apart: low ones. */
export interface UnpackRegisters {
  /** Of word number n. */
  readonly words: readonly string[];
  readonly work: string;
  readonly known: readonly [string, string];
  /** Free again at each sum. */
  readonly temp: string;
}
/** Thumb-1: for every sum in order, the lines of `each` with the register that holds it; they may not touch work and known. */
export function unpackLines(
  { unpack }: Lanes,
  { words, work, known, temp }: UnpackRegisters,
  each: (register: string, sum: number) => readonly string[],
): readonly string[] {
  return unpack.flatMap((u): readonly string[] => {
    switch (u.op) {
      case 'word':
        return [`mov ${work}, ${words[u.word]}`];
      case 'subtract':
        return [`lsls ${temp}, ${known[u.turn]}, #${u.shift}`, `subs ${work}, ${work}, ${temp}`];
      case 'piece': {
        const to = u.have === 0 ? (known[u.turn] ?? '') : temp;
        const left = 32 - u.at - u.take;
        const bits =
          left === 0
            ? [`lsrs ${to}, ${work}, #${u.at}`]
            : [`lsls ${to}, ${work}, #${left}`, `lsrs ${to}, ${to}, #${32 - u.take}`];
        if (u.have === 0) return bits;
        return [...bits, `lsls ${temp}, ${temp}, #${u.have}`, `adds ${known[u.turn]}, ${known[u.turn]}, ${temp}`];
      }
      case 'mask':
        return [`lsls ${work}, ${work}, #${32 - u.bits}`, `lsrs ${work}, ${work}, #${32 - u.bits}`];
      case 'sum':
        return each(u.turn === undefined ? work : (known[u.turn] ?? ''), u.sum);
    }
  });
}
/** The same in C: words a0, a1, …; uint32_t work, k0 and k1 are there. */
export function unpackPlain({ unpack }: Lanes, each: (value: string, sum: number) => string): string {
  const statement = (u: Unpack): string => {
    switch (u.op) {
      case 'word':
        return `work = a${u.word};`;
      case 'subtract':
        return `work -= k${u.turn} << ${u.shift};`;
      case 'piece': {
        const bits = `((work << ${32 - u.at - u.take}) >> ${32 - u.take})`;
        return u.have === 0 ? `k${u.turn} = ${bits};` : `k${u.turn} += ${bits} << ${u.have};`;
      }
      case 'mask':
        return `work = (work << ${32 - u.bits}) >> ${32 - u.bits};`;
      case 'sum':
        return each(u.turn === undefined ? 'work' : `k${u.turn}`, u.sum);
    }
  };
  return unpack.map((u) => `      ${statement(u)}\n`).join('');
}
