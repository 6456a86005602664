/** What was measured is kept in bench/results/networks-BOARD.json; docs/performance.md is written from it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { boards } from '../../boards/index.ts';
import { networkNames } from '../../test/models.ts';
import { resultsDir } from '../session.ts';
import type { LeftOut } from './leave-out.ts';
import type { Plain } from './plain.ts';
import { publishedFigures } from './published.ts';
import type { NetworkResult } from './replay.ts';
import { type BoardResults, performanceText } from './text.ts';
import type { Tight } from './tight.ts';
import type { Went } from './tune.ts';

export interface Results {
  readonly networks: readonly NetworkResult[];
  /** With as much RAM as TFLite Micro's arena takes. */
  readonly tight: readonly Tight[];
  readonly leftOut: readonly LeftOut[];
  /** With default schedules, in all of the board's memory. */
  readonly plain: readonly Plain[];
  /** How the searches went that made the records. */
  readonly went: readonly Went[];
}

const fileOf = (board: string): string => join(resultsDir, `networks-${board}.json`);
const json = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

const nothing: Results = { networks: [], tight: [], plain: [], leftOut: [], went: [] };
export const resultsOf = (board: string): Results =>
  existsSync(fileOf(board)) ? { ...nothing, ...(json(fileOf(board)) as Partial<Results>) } : nothing;

/** Puts rows in the place of what their networks had. */
export function keepResults(board: string, more: Partial<Results>): void {
  const before = resultsOf(board);
  const kept: Results = {
    networks: replaced(before.networks, more.networks ?? []),
    tight: replaced(before.tight, more.tight ?? []),
    plain: replaced(before.plain, more.plain ?? []),
    leftOut: replaced(before.leftOut, more.leftOut ?? []),
    went: replaced(before.went, more.went ?? []),
  };
  writeFileSync(fileOf(board), `${JSON.stringify(kept, null, 1)}\n`);
}

/** The reference networks first, in their order. */
const names: readonly string[] = networkNames;
const order = (name: string): number => (names.includes(name) ? names.indexOf(name) : names.length);
function replaced<T extends { readonly network: string }>(before: readonly T[], fresh: readonly T[]): readonly T[] {
  const rest = before.filter((r) => !fresh.some((f) => f.network === r.network));
  return [...rest, ...fresh].sort(
    (a, b) => order(a.network) - order(b.network) || (a.network < b.network ? -1 : a.network > b.network ? 1 : 0),
  );
}

/** Everything that is kept, in the order of boards, the one with the published results first. */
export function allResults(): readonly BoardResults[] {
  const kept = boards.filter((b) => existsSync(fileOf(b.id))).map((board) => ({ board, ...resultsOf(board.id) }));
  return [...kept.filter((r) => r.board.id === mainBoard), ...kept.filter((r) => r.board.id !== mainBoard)];
}
/** The board that most published results are of. */
export const mainBoard = 'nucleo-l4r5zi';

/** Writes docs/performance.md from everything that is kept. */
export function writePerformance(): void {
  writeFileSync(resolve(resultsDir, '../../docs/performance.md'), performanceText(allResults(), publishedFigures()));
}
