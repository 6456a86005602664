/**
 * The arena planner: blocks with lifetimes get offsets in one static area. Several orders are tried, the smallest result
 * wins; the lower bound (most bytes alive at once) is printed beside it. Must stay true: blocks that live at the same step
 * never overlap, but for pairs of which the caller says so, and those no further.
 */
export interface Block {
  readonly id: string;
  readonly bytes: number;
  /** Steps at which it is alive, both included. */
  readonly first: number;
  readonly last: number;
  /** What it is, for people. */
  readonly label?: string;
}
/**
 * Two blocks that share memory at the one step where `below` is filled and `above` is read for the last time: `above` begins
 * `bytes` after `below`, or more; all of it may as well lie under `below`. May be negative.
 */
export interface Overlap {
  readonly below: string;
  readonly above: string;
  readonly bytes: number;
}
export interface ArenaPlan {
  readonly offsets: ReadonlyMap<string, number>;
  readonly bytes: number;
  /** No plan can be smaller. */
  readonly lowerBound: number;
}

/** Every block begins at a multiple of this: what the widest instruction operands ask for. */
const arenaAlign = 16;
const aligned = (n: number): number => Math.ceil(n / arenaAlign) * arenaAlign;
const together = (a: Block, b: Block): boolean => a.first <= b.last && b.first <= a.last;

type Order = (a: Block, b: Block) => number;
const byId: Order = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
const life = (b: Block): number => b.last - b.first;
const orders: readonly Order[] = [
  (a, b) => b.bytes - a.bytes || byId(a, b),
  (a, b) => life(b) - life(a) || b.bytes - a.bytes || byId(a, b),
  (a, b) => a.first - b.first || b.bytes - a.bytes || byId(a, b),
  (a, b) => b.last - a.last || b.bytes - a.bytes || byId(a, b),
  (a, b) => b.bytes * (life(b) + 1) - a.bytes * (life(a) + 1) || byId(a, b),
];

/** Random exchanges of neighbours in the best order found, to leave its local minimum. */
const exchanges = 400;

/** Least bytes from the beginning of a block to that of one above it. */
type Reach = (below: Block, above: Block) => number;
function reachOf(overlaps: readonly Overlap[]): Reach {
  const known = new Map(overlaps.map((o) => [`${o.below} ${o.above}`, o.bytes]));
  return (below, above) => aligned(Math.min(below.bytes, known.get(`${below.id} ${above.id}`) ?? below.bytes));
}

export function planArena(blocks: readonly Block[], overlaps: readonly Overlap[] = []): ArenaPlan {
  const lowerBound = liveBytes(blocks, overlaps);
  const reach = reachOf(overlaps);
  let best: { order: readonly Block[]; offsets: ReadonlyMap<string, number>; bytes: number } | undefined;
  for (const order of orders) {
    const sorted = [...blocks].sort(order);
    const placed = place(sorted, reach);
    if (best === undefined || placed.bytes < best.bytes) best = { order: sorted, ...placed };
  }
  if (best === undefined || blocks.length === 0) return { offsets: new Map(), bytes: 0, lowerBound: 0 };
  let state = 1;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % n;
  };
  for (let i = 0; i < exchanges && best.bytes > lowerBound && blocks.length > 1; i++) {
    const order: Block[] = [...best.order];
    const [a, b] = [random(order.length), random(order.length)];
    [order[a], order[b]] = [order[b] as Block, order[a] as Block];
    const placed = place(order, reach);
    if (placed.bytes <= best.bytes) best = { order, ...placed };
  }
  return { offsets: best.offsets, bytes: best.bytes, lowerBound };
}

/** Each block at the lowest offset that is free for its whole life. */
function place(
  order: readonly Block[],
  reach: Reach,
): { readonly offsets: ReadonlyMap<string, number>; readonly bytes: number } {
  const offsets = new Map<string, number>();
  let bytes = 0;
  const done: Block[] = [];
  for (const b of order) {
    // Offsets of b that another block rules out: all between these two.
    const taken = done
      .filter((o) => together(o, b))
      .map((o) => ({ after: (offsets.get(o.id) ?? 0) - reach(b, o), before: (offsets.get(o.id) ?? 0) + reach(o, b) }))
      .sort((x, y) => x.after - y.after);
    let at = 0;
    for (const t of taken) {
      if (at <= t.after) break;
      at = Math.max(at, t.before);
    }
    offsets.set(b.id, at);
    bytes = Math.max(bytes, at + aligned(b.bytes));
    done.push(b);
  }
  return { offsets, bytes };
}

/** Most bytes alive at one step. */
function liveBytes(blocks: readonly Block[], overlaps: readonly Overlap[]): number {
  const steps = new Set(blocks.map((b) => b.first));
  return Math.max(0, ...[...steps].map((s) => bytesAt(blocks, s, overlaps)));
}
/** Bytes alive at a step, less what blocks can share. */
export function bytesAt(blocks: readonly Block[], step: number, overlaps: readonly Overlap[] = []): number {
  const alive = blocks.filter((b) => b.first <= step && step <= b.last);
  const total = (of: readonly Block[]): number => of.reduce((n, b) => n + aligned(b.bytes), 0);
  const shared = alive.map((below): number => {
    const over = alive.filter((above) => overlaps.some((o) => o.below === below.id && o.above === above.id));
    const [first] = over;
    if (first === undefined) return 0;
    const begin = over.length === 1 ? Math.max(0, reachOf(overlaps)(below, first)) : 0;
    return total([below, ...over]) - Math.max(aligned(below.bytes), begin + total(over));
  });
  return total(alive) - shared.reduce((a, b) => a + b, 0);
}

/** A picture: a line a block in order of offsets, its life as a bar. */
export function drawArena(blocks: readonly Block[], plan: ArenaPlan): string {
  const end = Math.max(0, ...blocks.map((b) => b.last));
  const sorted = [...blocks].sort(
    (a, b) => (plan.offsets.get(a.id) ?? 0) - (plan.offsets.get(b.id) ?? 0) || a.first - b.first,
  );
  const lines = sorted.map((b) => {
    const bar = Array.from({ length: end + 1 }, (_, s) => (s >= b.first && s <= b.last ? '#' : '.')).join('');
    return `${String(plan.offsets.get(b.id)).padStart(8)} ${String(b.bytes).padStart(8)}  ${bar}  ${b.label ?? b.id}`;
  });
  return `  offset    bytes  life\n${lines.join('\n')}\narena ${plan.bytes} bytes, lower bound ${plan.lowerBound}\n`;
}
