/** What each instruction of a trial cost on a twin, read from the timing plugin's files: struct tally of timing/profile.h. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { TwinData } from '../board.ts';
import { causes, mapCauses, type Tally } from '../module.ts';
import { partOf, type Span } from './layout.ts';
import type { FiledMemory } from './timing/build.ts';

/** One counter of executions, one for each cause, for each halfword. */
const tallyBytes = 8 * (1 + causes.length);

/** Where trials of a board have their code. */
const codeOf = (data: TwinData): readonly Span[] =>
  [data.twin.load, data.twin.ramCode].flatMap((part) => (part === undefined ? [] : [partOf(data, data.twin, part)]));

/** The files of a folder, which must be new. */
export const profiledMemory = (data: TwinData, dir: string): readonly FiledMemory[] =>
  codeOf(data).map((span) => ({ ...span, path: join(dir, `tallies-${span.base.toString(16)}`) }));

/** The tallies of these addresses; none of addresses that no trial runs at, or that were not executed. */
export function readProfile(data: TwinData, dir: string, addresses: readonly number[]): ReadonlyMap<number, Tally> {
  const tallies = new Map<number, Tally>();
  for (const { base, bytes, path } of profiledMemory(data, dir)) {
    const file = openSync(path, 'r');
    try {
      for (const address of addresses.filter((a) => a >= base && a < base + bytes)) {
        const tally = readTally(file, (address - base) >> 1);
        if (tally.executed > 0) tallies.set(address, tally);
      }
    } finally {
      closeSync(file);
    }
  }
  return tallies;
}

function readTally(file: number, index: number): Tally {
  const box = Buffer.alloc(tallyBytes);
  readSync(file, box, 0, tallyBytes, index * tallyBytes);
  const counter = (n: number): number => Number(box.readBigUInt64LE(8 * n));
  return { executed: counter(0), causes: mapCauses((cause) => counter(1 + causes.indexOf(cause))) };
}
