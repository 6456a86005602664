/** What every policy gets: the space, a generator, a way to look at candidates before they are measured. */

import type { Candidate, Proposed } from '../candidates.ts';
import type { CostModel } from '../cost-models/index.ts';
import type { Random } from '../random.ts';
import type { SearchSpace } from '../space.ts';
import type { Config, MeasureResult } from '../types.ts';

/** What a policy is told of a candidate. */
export type Seen = Pick<Candidate, 'config' | 'features' | 'cycles'>;
/** What it is told of a measurement. */
export type Came = Pick<MeasureResult & { readonly status: 'ok' }, 'status' | 'cycles'> | { readonly status: 'failed' };

/** log2 of the count that a candidate is thought to take. */
export type Opinion = (seen: Seen) => number;

export interface PolicyContext {
  readonly space: SearchSpace;
  readonly random: Random;
  /** Replays a config; cheap enough for hundreds a batch. Refuses what is illegal, or bound to be slower than the best so far. */
  propose(config: Config): Proposed;
  /** A fresh cost model, or undefined where the policy must do without. */
  readonly costModel: CostModel | undefined;
  /** What is thought of candidates before anything is measured here; their static estimates, unless given. */
  readonly opinion?: Opinion | undefined;
}
/** A policy asks for legal candidates that it has not asked for before, and is told what came of them. */
export interface Policy {
  /** At most `count`; none when the space is exhausted. */
  ask(count: number): Promise<readonly Candidate[]>;
  /** Also told what was measured before this search began. */
  tell(seen: Seen, came: Came): void;
}
export type PolicyFactory = (context: PolicyContext) => Policy;

/** Draws that may come to nothing (seen or illegal) before a space counts as exhausted. */
export const patience = 400;
