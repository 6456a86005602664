/**
 * All trials of the searches that made a board's records, by network, as the cost model learns from them. Too many to ship: they are kept in
 * build/ from one search to the next.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { featureNames } from '../../tuner/cost-models/features.ts';
import type { Trained } from '../../tuner/cost-models/shipped.ts';

/** By network. */
export type TrialsKept = Readonly<Record<string, readonly Trained[]>>;

/** A row: work, cycles, features. */
interface Kept {
  readonly features: readonly string[];
  readonly trials: Readonly<Record<string, readonly (readonly number[])[]>>;
}
const fileOf = (board: string): string => resolve(import.meta.dirname, `../../build/bench/trials-${board}.json`);

/** What is kept of a board. Trials whose features were others are forgotten. */
export function trialsOf(board: string): TrialsKept {
  const file = fileOf(board);
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Kept) : undefined;
  if (kept?.features.join() !== featureNames.join()) return {};
  const trained = ([work = 1, cycles = 1, ...features]: readonly number[]): Trained => ({
    work,
    cycles,
    features: Float64Array.from(features),
  });
  return Object.fromEntries(Object.entries(kept.trials).map(([name, rows]) => [name, rows.map(trained)]));
}

/** Puts the trials of a network in the place of those it had, and returns all. */
export function keepTrials(network: string, board: string, trials: readonly Trained[]): TrialsKept {
  const all: TrialsKept = { ...trialsOf(board), [network]: trials };
  const row = ({ work, cycles, features }: Trained): readonly number[] => [work, cycles, ...features];
  const rows = Object.fromEntries(Object.entries(all).map(([name, kept]) => [name, kept.map(row)]));
  mkdirSync(dirname(fileOf(board)), { recursive: true });
  writeFileSync(fileOf(board), JSON.stringify({ features: featureNames, trials: rows } satisfies Kept));
  return all;
}
