/**
 * Evolution guided by a cost model: from the best configs measured so far a pool of mutations, crossings and newcomers is
 * bred, the model ranks them, the first are measured; a share of each batch is picked at random, so that the model learns
 * where it is wrong. Without a model the pool is not ranked, which is plain evolution.
 */
import type { Candidate } from '../candidates.ts';
import type { Sample } from '../cost-models/trees.ts';
import { configKey } from '../space.ts';
import type { Config, MeasureResult } from '../types.ts';
import { type Policy, type PolicyContext, type PolicyFactory, patience } from './policy.ts';

/** Candidates bred for each one measured. */
const breeding = 6;
/** Parents. */
const elite = 12;
/** Share of a batch that is not chosen by the model, and of a pool that has no parents. */
const exploring = 0.2;
/** Measurements before the model is asked. */
const enough = 8;
/** Draws for a child that is new and legal before a newcomer takes its place. */
const tries = 40;
/** Cost of a candidate that failed, above all measured ones (log2). */
const failedCost = 64;

export const evolutionaryPolicy: PolicyFactory = (context) => new Evolution(context);

/** What is kept of a measured candidate: programs and constants would fill the memory over a night. */
interface Told extends Sample {
  readonly config: Config;
}

class Evolution implements Policy {
  private readonly context: PolicyContext;
  private readonly seen = new Set<string>();
  /** By config: what is told again was measured again. */
  private readonly told = new Map<string, Told>();
  /** Bred but not chosen: candidates that the next batch may take without replaying them again. */
  private pool: Candidate[] = [];
  private fitted = 0;
  private readonly openings: Config[];

  constructor(context: PolicyContext) {
    this.context = context;
    this.openings = [...context.space.openings];
  }

  async ask(count: number): Promise<readonly Candidate[]> {
    if (this.context.space.size === 0) return [];
    const ranked = await this.learn();
    await this.breed(ranked === undefined ? count : count * breeding);
    if (ranked !== undefined) this.pool.sort((a, b) => ranked.rank(b.features) - ranked.rank(a.features));
    const out: Candidate[] = [];
    while (out.length < count && this.pool.length > 0) {
      const { random } = this.context;
      const at = ranked !== undefined && random.next() < exploring ? random.below(this.pool.length) : 0;
      out.push(...this.pool.splice(at, 1));
    }
    this.pool = this.pool.slice(0, count * breeding);
    return out;
  }

  tell({ config, features }: Candidate, result: MeasureResult): void {
    const key = configKey(config);
    this.seen.add(key);
    this.told.set(key, { config, features, cost: result.status === 'ok' ? Math.log2(1 + result.cycles) : failedCost });
  }

  /** The model, once it has learned from all that was told; undefined before there is enough, or where there is none. */
  private async learn(): Promise<PolicyContext['costModel']> {
    const { costModel } = this.context;
    if (costModel === undefined || this.told.size < enough) return undefined;
    if (this.told.size > this.fitted) {
      this.fitted = this.told.size;
      await costModel.fit([...this.told.values()].map(({ features, cost }) => ({ features, cost })));
    }
    return costModel;
  }

  /** Fills the pool; it stays short when the space runs out. Whoever else needs the event loop gets it after each child. */
  private async breed(size: number): Promise<void> {
    const parents = this.parents();
    while (this.pool.length < size) {
      await new Promise((resolve) => setImmediate(resolve));
      const child = this.fresh(() => this.child(parents), tries) ?? this.fresh(() => this.newcomer(), patience);
      if (child === undefined) return;
      this.pool.push(child);
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
  /** What a human would begin with, once for each template; then chance. */
  private newcomer(): Config {
    return this.openings.shift() ?? this.context.space.sample(this.context.random);
  }

  /** A candidate that was not seen before, legal, from what `make` draws. */
  private fresh(make: () => Config, draws: number): Candidate | undefined {
    for (let i = 0; i < draws; i++) {
      const config = make();
      const key = configKey(config);
      if (this.seen.has(key)) continue;
      this.seen.add(key);
      const made = this.context.propose(config);
      if (made.ok) return made.candidate;
    }
    return undefined;
  }
}
