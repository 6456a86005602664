/**
 * Evolution guided by a cost model: from the best configs measured so far a pool of neighbours, mutations, crossings and newcomers
 * is bred, the model ranks them, the first are measured; a share of each batch is picked at random, so that the model learns
 * where it is wrong. What it learns is how far static estimates, or what other layers taught, are off: before it has learned anything those rank. Without a
 * model the pool is not ranked, which is plain evolution.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Candidate, isHopeless } from '../candidates.ts';
import type { Sample } from '../cost-models/trees.ts';
import { MetConfigs } from '../met-configs.ts';
import { configKey } from '../space.ts';
import type { Config } from '../types.ts';
import {
  type Came,
  type Opinion,
  type Policy,
  type PolicyContext,
  type PolicyFactory,
  patience,
  type Seen,
} from './policy.ts';

/** Candidates bred for each one measured. */
const breeding = 4;
/** Parents. */
const elite = 12;
/** Share of a batch that is not chosen by the model, and of a pool that has no parents. */
const exploring = 0.2;
/** The best, whose neighbours all get into the pool where it is ranked. */
const settled = 3;
/** Refusals in a row after which a template is not drawn from any more. */
const barren = 60;
/** Measurements before the model is asked. */
const enough = 8;
/** Draws for a child that is new and legal before a newcomer takes its place. */
const tries = 40;
/** Cost of a candidate that failed, above all measured ones (log2). */
const failedCost = 64;
/** Of a long search the fastest and the latest are learned from: neither memory nor training grows with it. */
const [fastest, latest] = [256, 768] as const;
/** Beyond those, before the others are let go. */
const spare = 256;

export const evolutionaryPolicy: PolicyFactory = (context) => new Evolution(context);

/** What is kept of a measured candidate: programs and constants would fill the memory over a night. */
interface Told extends Sample {
  readonly config: Config;
}

class Evolution implements Policy {
  private readonly context: PolicyContext;
  private readonly opinion: Opinion;
  private readonly met = new MetConfigs();
  /** By config: what is told again was measured again. */
  private told = new Map<string, Told>();
  /** Configs that were told, those that are let go too. */
  private heard = 0;
  /** Bred but not chosen: candidates that the next batch may take without replaying them again. */
  private pool: Candidate[] = [];
  private fitted = 0;
  private readonly openings: Config[];
  /** By template: refusals since something of it was legal. */
  private readonly refusals = new Map<string, number>();

  constructor(context: PolicyContext) {
    this.context = context;
    this.opinion = context.opinion ?? estimated;
    this.openings = [...context.space.openings];
  }

  async ask(count: number): Promise<readonly Candidate[]> {
    const { space, random, costModel } = this.context;
    if (space.size === 0) return [];
    const ranked = await this.learn();
    const best = this.best();
    this.pool = this.pool.filter((c) => !isHopeless(c, best));
    if (ranked !== undefined) await this.settle();
    await this.breed(ranked === undefined ? count : count * breeding);
    if (ranked !== undefined) this.pool = sorted(this.pool, ranked);
    const out: Candidate[] = [];
    while (out.length < count && this.pool.length > 0) {
      const blind = costModel !== undefined && this.told.size >= enough && random.next() < exploring;
      out.push(...this.pool.splice(blind ? random.below(this.pool.length) : 0, 1));
    }
    this.pool = this.pool.slice(0, count * breeding);
    return out;
  }

  tell(seen: Seen, came: Came): void {
    const { config, features } = seen;
    const key = configKey(config);
    this.met.add(config);
    const cost = came.status === 'ok' ? Math.log2(1 + came.cycles) : failedCost;
    if (!this.told.has(key)) this.heard++;
    this.told.set(key, { config, features, cost, prior: -this.opinion(seen) });
    if (this.told.size > fastest + latest + spare) this.told = worthKeeping(this.told);
  }

  private best(): number {
    const costs = Array.from(this.told.values(), (t) => t.cost).filter((c) => c < failedCost);
    return costs.length === 0 ? Number.POSITIVE_INFINITY : 2 ** Math.min(...costs) - 1;
  }

  /** Higher is hoped to be faster, once the model has learned from all that was told; undefined where there is none. */
  private async learn(): Promise<((candidate: Candidate) => number) | undefined> {
    const { costModel } = this.context;
    if (costModel === undefined) return undefined;
    if (this.told.size >= enough && this.heard > this.fitted) {
      this.fitted = this.heard;
      await costModel.fit([...this.told.values()].map(({ config: _, ...sample }) => sample));
    }
    return (candidate) => costModel.rank(candidate.features) - this.opinion(candidate);
  }

  /** Fills the pool; it stays short when the space runs out. */
  private async breed(size: number): Promise<void> {
    const parents = this.parents();
    while (this.pool.length < size) {
      const child =
        (await this.fresh(() => this.child(parents), tries)) ?? (await this.fresh(() => this.newcomer(), patience));
      if (child === undefined) return;
      this.pool.push(child);
    }
  }
  /** What differs from the best in one knob joins the pool: whatever the model thinks of it, it is there to be ranked. */
  private async settle(): Promise<void> {
    for (const parent of this.parents().slice(0, settled)) {
      for (const config of this.context.space.neighbours(parent)) {
        const near = await this.fresh(() => config, 1);
        if (near !== undefined) this.pool.push(near);
      }
    }
  }
  private parents(): readonly Config[] {
    const good = [...this.told.values()].filter((t) => t.cost < failedCost).sort((a, b) => a.cost - b.cost);
    return good.slice(0, elite).map((t) => t.config);
  }
  private child(parents: readonly Config[]): Config {
    const { space, random } = this.context;
    const dice = random.next();
    if (parents.length < 2 || dice < exploring) return this.newcomer();
    if (dice < 0.75) return space.mutate(this.parent(parents), random);
    return space.cross(this.parent(parents), this.parent(parents), random);
  }
  /** The better, the likelier. */
  private parent(parents: readonly Config[]): Config {
    const at = Math.floor(parents.length * this.context.random.next() ** 2);
    return parents[at] ?? this.newcomer();
  }
  /** What a human would begin with, once for each template; then chance, among templates that still give something. */
  private newcomer(): Config {
    const { space, random } = this.context;
    const opening = this.openings.shift();
    if (opening !== undefined) return opening;
    let drawn = space.sample(random);
    for (let i = 0; i < tries && (this.refusals.get(drawn.template) ?? 0) >= barren; i++) drawn = space.sample(random);
    return drawn;
  }

  /** A candidate that was not seen before, legal, from what `make` draws. Whoever else needs the event loop gets it before each is replayed. */
  private async fresh(make: () => Config, draws: number): Promise<Candidate | undefined> {
    for (let i = 0; i < draws; i++) {
      const config = make();
      if (!this.met.add(config)) continue;
      await turn();
      const made = this.context.propose(config);
      this.refusals.set(config.template, made.ok ? 0 : (this.refusals.get(config.template) ?? 0) + 1);
      if (made.ok) return made.candidate;
    }
    return undefined;
  }
}

/** In the order in which they were told. */
function worthKeeping(told: ReadonlyMap<string, Told>): Map<string, Told> {
  const byCost = [...told].sort(([, a], [, b]) => a.cost - b.cost);
  const kept = new Set([...byCost.slice(0, fastest), ...[...told].slice(-latest)].map(([key]) => key));
  return new Map([...told].filter(([key]) => kept.has(key)));
}

const estimated: Opinion = ({ cycles }) => Math.log2(1 + cycles.estimate);

function sorted(pool: readonly Candidate[], rank: (candidate: Candidate) => number): Candidate[] {
  const scores = new Map(pool.map((c) => [c, rank(c)]));
  return pool.toSorted((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0));
}
