/**
 * Evolution guided by a cost model: from the best configs measured so far a pool of mutations, crossings and newcomers is
 * bred, the model ranks them, the first are measured; a share of each batch is picked at random, so that the model learns
 * where it is wrong. Without a model the pool is not ranked, which is plain evolution.
 */
import type { Candidate } from '../candidates.ts';
import type { Sample } from '../cost-models/trees.ts';
import { configKey } from '../space.ts';
import { type PolicyFactory, patience } from './policy.ts';

/** Candidates bred for each one measured. */
const breeding = 6;
/** Parents. */
const elite = 12;
/** Share of a batch that is not chosen by the model. */
const exploring = 0.2;
/** Measurements before the model is asked. */
const enough = 8;
/** Cost of a candidate that failed, above all measured ones (log2). */
const failedCost = 64;

export const evolutionaryPolicy: PolicyFactory = ({ space, random, propose, costModel }) => {
  const seen = new Set<string>();
  const told: { readonly candidate: Candidate; readonly cost: number }[] = [];
  let fitted = 0;

  /** A config not seen before, made by `make`; undefined after many tries. */
  const fresh = (make: () => Candidate['config'], tries: number): Candidate | undefined => {
    for (let i = 0; i < tries; i++) {
      const config = make();
      const key = configKey(config);
      if (seen.has(key)) continue;
      seen.add(key);
      const made = propose(config);
      if (made.ok) return made.candidate;
    }
    return undefined;
  };
  const parents = (): readonly Candidate[] =>
    [...told]
      .filter((t) => t.cost < failedCost)
      .sort((a, b) => a.cost - b.cost)
      .slice(0, elite)
      .map((t) => t.candidate);

  /** Bred but not chosen: candidates that the next batch may take without replaying them again. */
  let pool: Candidate[] = [];

  return {
    name: costModel === undefined ? 'evolutionary' : 'guided',
    ask: async (count) => {
      if (space.size === 0) return [];
      const good = parents();
      if (costModel !== undefined && told.length >= enough && told.length > fitted) {
        const samples = told.map((t): Sample => ({ features: t.candidate.features, cost: t.cost }));
        await costModel.fit(samples);
        fitted = told.length;
      }
      const ranked = costModel !== undefined && fitted > 0;
      const wanted = ranked ? count * breeding : count;
      while (pool.length < wanted) {
        const dice = random.next();
        const make =
          good.length < 2 || dice < 0.25
            ? () => space.sample(random)
            : dice < 0.75
              ? () => space.mutate(random.pick(good).config, random)
              : () => space.cross(random.pick(good).config, random.pick(good).config, random);
        const bred = fresh(make, 40) ?? fresh(() => space.sample(random), patience);
        if (bred === undefined) break;
        pool.push(bred);
      }
      if (ranked) pool.sort((a, b) => costModel.rank(b.features) - costModel.rank(a.features));
      const out: Candidate[] = [];
      while (out.length < count && pool.length > 0) {
        const at = ranked && random.next() < exploring ? random.below(pool.length) : 0;
        out.push(...pool.splice(at, 1));
      }
      pool = pool.slice(0, count * breeding);
      return out;
    },
    tell: (candidate, result) => {
      told.push({ candidate, cost: result.status === 'ok' ? Math.log2(1 + result.cycles) : failedCost });
    },
  };
};
