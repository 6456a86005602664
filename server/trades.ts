/** What a network would cost with less memory: the table by which a user judges his budgets. */
import { type Point, ramOf } from '../compiler/plan/front.ts';
import type { Memories } from './memories.ts';
import type { Portfolio } from './portfolio.ts';

/** A network that could be had with less memory, and what it costs by what is known of its layers. */
export interface Trade extends Memories {
  readonly arenaBytes: number;
  /** Null where a layer was never measured on this board: what was counted on another one is of another kind, perhaps. */
  readonly cycles: number | null;
  /** Time over that of the fastest network, by estimates where there are no cycles; null where there are not even those. */
  readonly relative: number | null;
}
export interface Trades {
  /** From the fastest within the budget of RAM to the one with least flash. */
  readonly flash: readonly Trade[];
  /** From the fastest within the budget of flash to the one with least RAM. */
  readonly ram: readonly Trade[];
  readonly smallestArena: { readonly arenaBytes: number; readonly arenaLowerBound: number };
}

/** Rows of a table of trades. */
const mostRows = 8;

/** What the last kilobytes buy. `built`: what `point` came to, which tells what estimates leave out. */
export function tradesOf(portfolio: Portfolio, budgets: Memories, built: Memories, point: Point | undefined): Trades {
  const { points } = portfolio;
  const expected = point === undefined ? built : portfolio.estimate(point);
  const extra = {
    ramBytes: built.ramBytes - expected.ramBytes,
    flashBytes: built.flashBytes - expected.flashBytes,
  };
  const trade = (p: Point): Trade => {
    const { ramBytes, flashBytes, arenaBytes, cycles, selected } = portfolio.estimate(p);
    const needs = {
      ramBytes: Math.max(arenaBytes, ramBytes + extra.ramBytes),
      flashBytes: flashBytes + extra.flashBytes,
    };
    const stands = selected.every(({ offer }) => offer.cycles !== undefined);
    const relative = cycles === undefined ? null : ratio(cycles, points[0]?.cycles ?? cycles);
    return { ...needs, arenaBytes, cycles: stands ? (cycles ?? null) : null, relative };
  };
  const within = (memory: keyof Memories): readonly Point[] =>
    points.filter((p) => needsAtLeast(p)[memory] + extra[memory] <= budgets[memory]);
  const flash = steps(
    stairs(within('ramBytes'), (p) => p.flashBytes),
    (p) => p.flashBytes,
  );
  const ram = steps(stairs(within('flashBytes'), ramOf), ramOf);
  // Which arena comes out smallest is known of those that are planned: where layers shift against each other, bounds promise too much.
  const least = points.reduce((a, b) => (b.arenaBytes < a.arenaBytes ? b : a));
  const { arenaBytes, arenaLowerBound } = [least, ...flash, ...ram]
    .map((p) => portfolio.estimate(p))
    .reduce((a, b) => (b.arenaBytes < a.arenaBytes ? b : a));
  return { flash: flash.map(trade), ram: ram.map(trade), smallestArena: { arenaBytes, arenaLowerBound } };
}

/** To three digits behind the point. */
const ratio = (a: number, b: number): number => Math.round((1000 * a) / Math.max(1, b)) / 1000;

/** Of a point, but for what a plan of the arena adds. */
export const needsAtLeast = (p: Point): Memories => ({ ramBytes: ramOf(p), flashBytes: p.flashBytes });

/** From the fastest on, each with less of a memory than all before. */
function stairs(points: readonly Point[], bytes: (p: Point) => number): readonly Point[] {
  const out: Point[] = [];
  for (const p of points) if (out.every((o) => bytes(p) < bytes(o))) out.push(p);
  return out;
}

/** The fastest at each of a few budgets, from what the fastest takes down to the least. */
function steps(points: readonly Point[], bytes: (p: Point) => number): readonly Point[] {
  const [most = 0, least = 0] = [points[0], points.at(-1)].map((p) => (p === undefined ? 0 : bytes(p)));
  const rows = Array.from({ length: mostRows }, (_, i) => {
    const budget = most - (i * (most - least)) / (mostRows - 1);
    return points.find((p) => bytes(p) <= budget);
  });
  return [...new Set(rows.filter((p) => p !== undefined))];
}
