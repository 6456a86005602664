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

/** A network that was built although the portfolio does not know it, as one with layouts between layers. */
export interface Outside extends Memories {
  readonly arenaBytes: number;
  /** By what is known of its layers; undefined where nothing is known of one. */
  readonly cycles: number | undefined;
  /** Were they counted on this board? */
  readonly counted: 'here' | 'elsewhere';
}

/**
 * What the last kilobytes buy. `built`: what `point` came to, which tells what estimates leave out; or a network outside of the
 * portfolio, with which both tables begin then: what comes behind it takes less than it does.
 */
export function tradesOf(
  portfolio: Portfolio,
  budgets: Memories,
  built: Memories | Outside,
  point: Point | undefined,
): Trades {
  const { points } = portfolio;
  const outside = point === undefined && 'cycles' in built ? built : undefined;
  const fastest = outside?.cycles ?? points[0]?.cycles;
  const relativeOf = (cycles: number | undefined): number | null =>
    cycles === undefined ? null : ratio(cycles, fastest ?? cycles);
  const expected = point === undefined ? built : portfolio.estimate(point);
  const corrected = (memory: keyof Memories, bytes: number): number => learnt(bytes, expected[memory], built[memory]);
  const trade = (p: Point): Trade => {
    const { ramBytes, flashBytes, arenaBytes, cycles, selected } = portfolio.estimate(p);
    const needs = {
      ramBytes: Math.max(arenaBytes, corrected('ramBytes', ramBytes)),
      flashBytes: corrected('flashBytes', flashBytes),
    };
    const stands = selected.every(({ offer }) => offer.cycles !== undefined);
    return { ...needs, arenaBytes, cycles: stands ? (cycles ?? null) : null, relative: relativeOf(cycles) };
  };
  const within = (memory: keyof Memories): readonly Point[] =>
    points.filter((p) => corrected(memory, needsAtLeast(p)[memory]) <= budgets[memory]);
  const first = outside === undefined ? [] : [tradeOf(outside, relativeOf(outside.cycles))];
  const rowsOf = (memory: keyof Memories, other: keyof Memories, bytes: (p: Point) => number): readonly Point[] =>
    steps(stairs(within(other), bytes, outside?.[memory] ?? Number.POSITIVE_INFINITY), bytes, mostRows - first.length);
  const flash = rowsOf('flashBytes', 'ramBytes', (p) => p.flashBytes);
  const ram = rowsOf('ramBytes', 'flashBytes', ramOf);
  // Which arena comes out smallest is known of those that are planned: where layers shift against each other, bounds promise too much.
  const least = points.reduce((a, b) => (b.arenaBytes < a.arenaBytes ? b : a));
  const { arenaBytes, arenaLowerBound } = [least, ...flash, ...ram]
    .map((p) => portfolio.estimate(p))
    .reduce((a, b) => (b.arenaBytes < a.arenaBytes ? b : a));
  return {
    flash: [...first, ...flash.map(trade)],
    ram: [...first, ...ram.map(trade)],
    smallestArena: { arenaBytes, arenaLowerBound },
  };
}

const tradeOf = ({ ramBytes, flashBytes, arenaBytes, cycles, counted }: Outside, relative: number | null): Trade => ({
  ramBytes,
  flashBytes,
  arenaBytes,
  cycles: counted === 'here' ? (cycles ?? null) : null,
  relative,
});

/**
 * An estimate by what another one came to: what was missing there is missing here too; what was too much was so by as large a part,
 * or nothing would be left of a small network.
 */
const learnt = (estimate: number, expected: number, built: number): number =>
  built >= expected ? estimate + (built - expected) : Math.round((estimate * built) / expected);

/** To three digits behind the point. */
const ratio = (a: number, b: number): number => Math.round((1000 * a) / Math.max(1, b)) / 1000;

/** Of a point, but for what a plan of the arena adds. */
export const needsAtLeast = (p: Point): Memories => ({ ramBytes: ramOf(p), flashBytes: p.flashBytes });

/** From the fastest on, each with less of a memory than all before, and than `below`. */
function stairs(points: readonly Point[], bytes: (p: Point) => number, below: number): readonly Point[] {
  const out: Point[] = [];
  for (const p of points) if (bytes(p) < Math.min(below, ...out.slice(-1).map(bytes))) out.push(p);
  return out;
}

/** The fastest at each of `count` budgets, from what the fastest takes down to the least. */
function steps(points: readonly Point[], bytes: (p: Point) => number, count: number): readonly Point[] {
  const [most = 0, least = 0] = [points[0], points.at(-1)].map((p) => (p === undefined ? 0 : bytes(p)));
  const rows = Array.from({ length: count }, (_, i) => {
    const budget = most - (i * (most - least)) / (count - 1);
    return points.find((p) => bytes(p) <= budget);
  });
  return [...new Set(rows.filter((p) => p !== undefined))];
}
