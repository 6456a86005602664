/**
 * What a network can cost: a few candidates a layer make very many networks, of which those are kept that no other one beats in
 * cycles, flash and RAM at once. Must stay true: the front knows no budget, so that a larger budget never gets a slower network;
 * its fastest and its smallest networks are the fastest and the smallest there are.
 */

/** Of a layer's candidate, or of a network. The arena of a candidate: all that lives while its layer runs, its scratch too. */
export interface Cost {
  readonly cycles: number;
  readonly flashBytes: number;
  /** Code and constants in RAM. */
  readonly placedBytes: number;
  readonly arenaBytes: number;
  readonly stackBytes: number;
}
export interface Point extends Cost {
  /** Which candidate each layer has. */
  readonly picks: readonly number[];
}

/** What counts against a budget of RAM (design: arena, what is placed there, stack). */
export const ramOf = (c: Cost): number => c.arenaBytes + c.placedBytes + c.stackBytes;

/** Points up to which all that nothing beats are kept: small networks are exact. With more, some for each of `views`. */
const most = 1024;
const mostOfAView = 128;
/** What is given away between two points of a view at first, a fraction of the cycles; doubled as often as needed. */
const leastGain = 1 / 8192;
/** The front of a network, fastest first. Flash and placed bytes add up, arena and stack are those of the neediest layer. */
export function frontOf(
  layers: readonly (readonly Cost[])[],
  keep = most,
  keepOfAView = Math.min(keep, mostOfAView),
): readonly Point[] {
  let points: readonly Point[] = [start(layers)];
  for (const candidates of layers) {
    const longer = points.flatMap((p) => candidates.map((c, pick) => extended(p, c, pick)));
    points = thinned(longer, keep, keepOfAView);
  }
  return [...points].sort((a, b) => a.cycles - b.cycles || ramOf(a) - ramOf(b) || a.flashBytes - b.flashBytes);
}

/** Arena and stack begin at what some layer needs whatever is picked: below that, differences are none. */
function start(layers: readonly (readonly Cost[])[]): Point {
  const floor = (of: (c: Cost) => number): number => Math.max(0, ...layers.map((l) => Math.min(...l.map(of))));
  return {
    cycles: 0,
    flashBytes: 0,
    placedBytes: 0,
    arenaBytes: floor((c) => c.arenaBytes),
    stackBytes: floor((c) => c.stackBytes),
    picks: [],
  };
}

const extended = (p: Point, c: Cost, pick: number): Point => ({
  cycles: p.cycles + c.cycles,
  flashBytes: p.flashBytes + c.flashBytes,
  placedBytes: p.placedBytes + c.placedBytes,
  arenaBytes: Math.max(p.arenaBytes, c.arenaBytes),
  stackBytes: Math.max(p.stackBytes, c.stackBytes),
  picks: [...p.picks, pick],
});

/** What networks may be short of: one memory, a part of RAM, or two memories to several degrees. */
const views: readonly ((c: Cost) => number)[] = [
  (c) => c.flashBytes,
  ramOf,
  (c) => c.placedBytes,
  (c) => c.arenaBytes + c.stackBytes,
  (c) => c.flashBytes + ramOf(c),
  (c) => c.flashBytes + 4 * ramOf(c),
  (c) => 4 * c.flashBytes + ramOf(c),
];

function thinned(points: readonly Point[], keep: number, keepOfAView: number): readonly Point[] {
  if (points.length <= 2 * keep) {
    const front = unbeaten(points);
    if (front.length <= keep) return front;
  }
  return [...new Set(views.flatMap((bytes) => bestOf(points, bytes, keepOfAView)))];
}

/** Those that no other one beats in any memory and in cycles. Whatever does has no more bytes in all: one look in that order. */
function unbeaten(points: readonly Point[]): readonly Point[] {
  const bytes = (c: Cost): number => ramOf(c) + c.flashBytes;
  const kept: Point[] = [];
  for (const p of [...points].sort((a, b) => bytes(a) - bytes(b) || a.cycles - b.cycles)) {
    const beats = (k: Point): boolean =>
      k.cycles <= p.cycles &&
      k.flashBytes <= p.flashBytes &&
      k.placedBytes <= p.placedBytes &&
      k.arenaBytes <= p.arenaBytes &&
      k.stackBytes <= p.stackBytes;
    if (!kept.some(beats)) kept.push(p);
  }
  return kept;
}

/** From the smallest to the fastest, each faster than the one before; where these are too many, by more than next to nothing. */
function bestOf(points: readonly Point[], bytes: (c: Cost) => number, count: number): readonly Point[] {
  const order = [...points].sort((a, b) => bytes(a) - bytes(b) || a.cycles - b.cycles);
  const steps = (from: readonly Point[], gain: number): readonly Point[] => {
    const kept: Point[] = [];
    for (const p of from) if (kept.length === 0 || p.cycles * (1 + gain) < (kept.at(-1)?.cycles ?? 0)) kept.push(p);
    return kept;
  };
  const all = steps(order, 0);
  let fewer = all;
  for (let gain = leastGain; fewer.length > count; gain *= 2) fewer = steps(all, gain);
  return [...fewer, ...all.slice(-1)];
}
