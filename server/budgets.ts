/**
 * The fastest network within budgets of RAM and flash. Must stay true: what is handed out keeps its budgets by the sizes of the
 * compiled library; a refusal says what the smallest lacks. Estimates only choose what is built next, and every build corrects
 * them.
 */
import type { BoardModule } from '../boards/index.ts';
import { type Point, ramOf } from '../compiler/plan/front.ts';
import { ok, type Result } from '../compiler/result.ts';
import { laysOut, type Offer, type Selected, select, selectLaidOut } from '../compiler/select.ts';
import type { Task } from '../compiler/tasks.ts';
import { type Attempt, attempt, type BuildOptions, type Built, type TooBig } from './build.ts';
import type { Memories } from './memories.ts';
import type { KnownOffer, OffersByTask } from './offers.ts';
import { type Portfolio, portfolioOf } from './portfolio.ts';
import { needsAtLeast, type Outside, type Trades, tradesOf } from './trades.ts';

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
  const offers = (task: Task): readonly Offer[] => offersOf(o, task).map((k) => k.offer);
  let selected = selectLaidOut(o.graph, o.tasks, offers);
  for (;;) {
    const done = await attempt({ ...o, selected });
    if (!done.ok) return done;
    const inBytes = !selected.some((s) => laysOut(s.offer.schedule));
    if (done.value.kind === 'built') return ok(fittingOf(o, selected, done.value.built, inBytes));
    o.told?.(done.value.failure.detail);
    if (inBytes) return new Search(o, portfolioFor(o)).run();
    selected = select(o.tasks, offers);
  }
}

/** `known`: is it a network of the portfolio, which knows none with layouts between layers? Its first one, then. */
function fittingOf(o: BudgetedBuild, selected: readonly Selected[], built: Built, known: boolean): Fitting {
  const trades = (): Trades => {
    const portfolio = portfolioFor(o);
    return known
      ? tradesOf(portfolio, o.budgets, built.memory, portfolio.points[0])
      : tradesOf(portfolio, o.budgets, outsideOf(selected, built), undefined);
  };
  return { options: { ...o, selected }, built, trades };
}

/** A network with layouts between layers, as the tables of trades show it. */
function outsideOf(selected: readonly Selected[], { memory, library }: Built): Outside {
  const cycles = selected.map(({ offer }) => offer.cycles?.count ?? offer.expected);
  const known = cycles.filter((n) => n !== undefined);
  return {
    ramBytes: memory.ramBytes,
    flashBytes: memory.flashBytes,
    arenaBytes: library.arenaBytes,
    cycles: known.length < cycles.length ? undefined : known.reduce((sum, n) => sum + n, 0),
    counted: selected.every(({ offer }) => offer.cycles !== undefined) ? 'here' : 'elsewhere',
  };
}

/** All networks that can be made of what is known. */
const portfolioFor = (o: BudgetedBuild): Portfolio =>
  portfolioOf(o.graph, o.name, o.tasks, (task) => offersOf(o, task).filter((k) => !laysOut(k.offer.schedule)));
const offersOf = (o: BudgetedBuild, task: Task): readonly KnownOffer[] => o.known.get(task.id) ?? [];

/** Networks that are built at most: to find the fastest that fits; and where none seems to, the smallest. */
const [mostFast, mostSmall] = [8, 4] as const;

class Search {
  private readonly o: BudgetedBuild;
  private readonly portfolio: Portfolio;
  private readonly tried = new Set<Point>();
  /** The attempt that lacked least. */
  private closest: TooBig | undefined;
  /** What the library may take so that the firmware fits as well. */
  private limits: Memories;
  /** What a library needs beyond its estimate: of the last one that was compiled. */
  private extra: Memories = { ramBytes: 0, flashBytes: 0 };
  /** The fastest that was built. */
  private best: { readonly point: Point; readonly built: Built } | undefined;
  /** Whose files lie in the output folder: a library that is too big is not written. */
  private written: Point | undefined;

  constructor(o: BudgetedBuild, portfolio: Portfolio) {
    this.o = o;
    this.portfolio = portfolio;
    this.limits = o.budgets;
  }

  async run(): Promise<Result<Fitting>> {
    for (const next of [...times(mostFast, () => this.fastest()), ...times(mostSmall, () => this.smallest())]) {
      const point = next();
      if (point === undefined) continue;
      this.tried.add(point);
      const done = await attempt(this.optionsOf(point));
      if (!done.ok) return done;
      this.learn(point, done.value);
    }
    if (this.best === undefined) return this.plain();
    const { point, built } = this.best;
    return point === this.written ? ok(this.fitting(this.optionsOf(point), built, point)) : this.again(point);
  }

  /** The fastest that should fit and is faster than what was built. */
  private fastest(): Point | undefined {
    const slower = this.best?.point.cycles ?? Number.POSITIVE_INFINITY;
    return this.portfolio.points.find((p) => p.cycles < slower && !this.tried.has(p) && this.lacks(p) === 0);
  }

  /** Where nothing was built yet: what takes the least part of the memory that is short. */
  private smallest(): Point | undefined {
    if (this.best !== undefined) return undefined;
    const part = (p: Point): number =>
      Math.max(ramOf(p) / this.o.budgets.ramBytes, p.flashBytes / this.o.budgets.flashBytes);
    const left = this.portfolio.points.filter((p) => !this.tried.has(p));
    return left.sort((a, b) => part(a) - part(b) || a.cycles - b.cycles)[0];
  }

  /** The default schedules, on whose sizes nobody's estimates are needed: the last that is tried. */
  private async plain(): Promise<Result<Fitting>> {
    const selected = select(this.o.tasks, (task) => offersOf(this.o, task).flatMap((k) => (k.plain ? [k.offer] : [])));
    const options = { ...this.o, selected };
    const done = await attempt(options);
    if (!done.ok) return done;
    if (done.value.kind === 'built') return ok(this.fitting(options, done.value.built, undefined));
    this.lacked(done.value);
    const { stage, code, detail } = (this.closest ?? done.value).failure;
    return { ok: false, error: { stage, code, detail: `${detail}; no smaller network was found in what is known` } };
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
    const { budgets } = this.o;
    const estimate = this.portfolio.estimate(point);
    if (done.kind === 'built' || done.what === 'firmware') this.written = point;
    const each = (of: (memory: keyof Memories) => number): Memories => ({
      ramBytes: of('ramBytes'),
      flashBytes: of('flashBytes'),
    });
    if (done.kind === 'built') {
      this.best = { point, built: done.built };
      this.extra = each((memory) => done.built.memory[memory] - estimate[memory]);
      return;
    }
    this.lacked(done);
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

  private lacked(done: TooBig): void {
    const bytes = ({ missing }: TooBig): number => missing.ramBytes + missing.flashBytes;
    if (this.closest === undefined || bytes(done) < bytes(this.closest)) this.closest = done;
  }

  /** Its files are written once more, for those of a later attempt lie over them. */
  private async again(point: Point): Promise<Result<Fitting>> {
    const options = this.optionsOf(point);
    const done = await attempt(options);
    if (!done.ok) return done;
    if (done.value.kind === 'too big') return { ok: false, error: done.value.failure };
    return ok(this.fitting(options, done.value.built, point));
  }

  private fitting(options: BuildOptions, built: Built, point: Point | undefined): Fitting {
    return { options, built, trades: () => tradesOf(this.portfolio, this.o.budgets, built.memory, point) };
  }

  private optionsOf(point: Point): BuildOptions {
    const { selected } = this.portfolio.estimate(point);
    return { ...this.o, selected };
  }
}

const times = <T>(count: number, f: () => T): readonly (() => T)[] => Array.from({ length: count }, () => f);
