/**
 * The fastest network within budgets of RAM and flash. Must stay true: what is handed out keeps its budgets by the sizes of the
 * compiled library; a refusal says what the smallest lacks. Estimates only choose what is built next, and every build corrects
 * them.
 */
import type { BoardModule } from '../boards/index.ts';
import { type Point, ramOf } from '../compiler/plan/front.ts';
import { ok, type Result } from '../compiler/result.ts';
import { select } from '../compiler/select.ts';
import type { Task } from '../compiler/tasks.ts';
import { type Attempt, attempt, type BuildOptions, type Built, type Memories } from './build.ts';
import type { KnownOffer, OffersByTask } from './offers.ts';
import { type Portfolio, portfolioOf } from './portfolio.ts';

/** What a user may spend; memory that is not named is the board's. */
export type Wishes = Partial<Memories>;

/** Never more than the board has. */
export const budgetsOf = (board: BoardModule, wishes: Wishes = {}): Memories => ({
  ramBytes: Math.min(board.ramBytes, wishes.ramBytes ?? board.ramBytes),
  flashBytes: Math.min(board.flashBytes, wishes.flashBytes ?? board.flashBytes),
});

export interface BudgetedBuild extends Omit<BuildOptions, 'selected' | 'budgets'> {
  readonly budgets: Memories;
  readonly tasks: readonly Task[];
  /** What is known of each task; see offersFor. */
  readonly known: OffersByTask;
  /** Hears why the fastest network is not built. */
  readonly told?: (why: string) => void;
}
export interface Fitting {
  readonly options: BuildOptions;
  readonly built: Built;
  /** What other networks would cost; looks at everything that is known. */
  readonly trades: () => Trades;
}

/** Builds the fastest network that keeps the budgets. Failures: MODEL_TOO_BIG with the bytes that the smallest lacks, those of building. */
export async function buildWithin(o: BudgetedBuild): Promise<Result<Fitting>> {
  const selected = select(o.tasks, (task) => offersOf(o, task).map((k) => k.offer));
  const first = await attempt({ ...o, selected });
  if (!first.ok) return first;
  if (first.value.kind === 'too big') {
    o.told?.(first.value.failure.detail);
    return new Search(o, portfolioFor(o)).run();
  }
  const { built } = first.value;
  const trades = (): Trades => {
    const portfolio = portfolioFor(o);
    return tradesOf(portfolio, o.budgets, built.memory, portfolio.points[0]);
  };
  return ok({ options: { ...o, selected }, built, trades });
}

/** All networks that can be made of what is known. */
const portfolioFor = (o: BudgetedBuild): Portfolio =>
  portfolioOf(o.graph, o.name, o.tasks, (task) => offersOf(o, task));
const offersOf = (o: BudgetedBuild, task: Task): readonly KnownOffer[] => o.known.get(task.id) ?? [];

/** Networks that are built at most, to find the fastest that fits. */
const mostBuilds = 8;

class Search {
  private readonly o: BudgetedBuild;
  private readonly portfolio: Portfolio;
  private readonly tried = new Map<Point, Attempt>();
  /** What the library may take so that the firmware fits as well. */
  private limits: Memories;
  /** What a library needs beyond its estimate: of the last one that was compiled. */
  private extra: Memories = { ramBytes: 0, flashBytes: 0 };
  private best: Point | undefined;

  constructor(o: BudgetedBuild, portfolio: Portfolio) {
    this.o = o;
    this.portfolio = portfolio;
    this.limits = o.budgets;
  }

  async run(): Promise<Result<Fitting>> {
    while (this.tried.size < mostBuilds) {
      const point = this.next();
      if (point === undefined) break;
      const done = await attempt(this.optionsOf(point));
      if (!done.ok) return done;
      this.learn(point, done.value);
    }
    return this.best === undefined ? this.refusal() : this.again(this.best);
  }

  /** The fastest that should fit and is faster than what was built; where none should, the one that lacks least, once. */
  private next(): Point | undefined {
    const { points } = this.portfolio;
    const slower = this.best?.cycles ?? Number.POSITIVE_INFINITY;
    const fits = points.find((p) => p.cycles < slower && !this.tried.has(p) && this.lacks(p) === 0);
    if (fits !== undefined || this.best !== undefined) return fits;
    const smallest = this.smallest();
    return smallest === undefined || this.tried.has(smallest) ? undefined : smallest;
  }

  private smallest(): Point | undefined {
    const rows = this.portfolio.points.map((point) => ({ point, lacks: this.beyond(needsAtLeast(point)) }));
    return rows.sort((a, b) => a.lacks - b.lacks || a.point.cycles - b.point.cycles)[0]?.point;
  }

  /** Bytes that a point is expected to lack. The arena is planned only where that is in question. */
  private lacks(p: Point): number {
    const least = this.beyond(needsAtLeast(p));
    return least > 0 ? least : this.beyond(this.portfolio.estimate(p));
  }
  private beyond(needs: Memories): number {
    const over = (memory: keyof Memories): number =>
      Math.max(0, needs[memory] + this.extra[memory] - this.limits[memory]);
    return over('ramBytes') + over('flashBytes');
  }

  private learn(point: Point, done: Attempt): void {
    this.tried.set(point, done);
    const { budgets } = this.o;
    const estimate = this.portfolio.estimate(point);
    const each = (of: (memory: keyof Memories) => number): Memories => ({
      ramBytes: of('ramBytes'),
      flashBytes: of('flashBytes'),
    });
    if (done.kind === 'built') {
      this.best = point;
      this.extra = each((memory) => done.built.memory[memory] - estimate[memory]);
      return;
    }
    const { what, missing } = done;
    switch (what) {
      case 'library':
        this.extra = each((memory) =>
          missing[memory] > 0 ? budgets[memory] + missing[memory] - estimate[memory] : this.extra[memory],
        );
        return;
      case 'firmware': {
        const none = missing.ramBytes + missing.flashBytes === 0;
        this.limits = each((memory) => {
          const lacking = none && memory === 'ramBytes' ? 1 : missing[memory];
          const needs = estimate[memory] + this.extra[memory];
          return lacking > 0 ? Math.min(this.limits[memory], needs - lacking) : this.limits[memory];
        });
      }
    }
  }

  /** Its files are written once more, for those of a later attempt may lie over them. */
  private async again(point: Point): Promise<Result<Fitting>> {
    const options = this.optionsOf(point);
    const done = await attempt(options);
    if (!done.ok) return done;
    if (done.value.kind === 'too big') return { ok: false, error: done.value.failure };
    const { built } = done.value;
    return ok({ options, built, trades: () => tradesOf(this.portfolio, this.o.budgets, built.memory, point) });
  }

  private refusal(): Result<never> {
    const lacking = (a: Attempt): number => (a.kind === 'built' ? 0 : a.missing.ramBytes + a.missing.flashBytes);
    const [least] = [...this.tried.values()].sort((a, b) => lacking(a) - lacking(b));
    if (least === undefined || least.kind === 'built') throw new Error('nothing was tried');
    const { stage, code, detail } = least.failure;
    return { ok: false, error: { stage, code, detail: `${detail}; no smaller network can be made of what is known` } };
  }

  private optionsOf(point: Point): BuildOptions {
    const { selected } = this.portfolio.estimate(point);
    const { graph, name, board, budgets, outDir, cacheDir } = this.o;
    return { graph, name, board, budgets, outDir, cacheDir, selected };
  }
}

/** A network that could be had with less memory, and what it costs by the trials of its layers. */
export interface Trade extends Memories {
  readonly arenaBytes: number;
  readonly cycles: number | null;
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
function tradesOf(portfolio: Portfolio, budgets: Memories, built: Memories, point: Point | undefined): Trades {
  const { points } = portfolio;
  const expected = point === undefined ? built : portfolio.estimate(point);
  const extra = {
    ramBytes: built.ramBytes - expected.ramBytes,
    flashBytes: built.flashBytes - expected.flashBytes,
  };
  const trade = (p: Point): Trade => {
    const { ramBytes, flashBytes, arenaBytes, cycles } = portfolio.estimate(p);
    const needs = { ramBytes: ramBytes + extra.ramBytes, flashBytes: flashBytes + extra.flashBytes };
    return { ...needs, arenaBytes, cycles: cycles ?? null };
  };
  const within = (memory: keyof Memories): readonly Point[] =>
    points.filter((p) => needsAtLeast(p)[memory] + extra[memory] <= budgets[memory]);
  const smallest = points.reduce((a, b) => (b.arenaBytes < a.arenaBytes ? b : a));
  const { arenaBytes, arenaLowerBound } = portfolio.estimate(smallest);
  return {
    flash: steps(
      stairs(within('ramBytes'), (p) => p.flashBytes),
      (p) => p.flashBytes,
    ).map(trade),
    ram: steps(stairs(within('flashBytes'), ramOf), ramOf).map(trade),
    smallestArena: { arenaBytes, arenaLowerBound },
  };
}

const needsAtLeast = (p: Point): Memories => ({ ramBytes: ramOf(p), flashBytes: p.flashBytes });

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
