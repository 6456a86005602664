/** Every search policy by the name that jobs and records use. To add one: copy random.ts, list it here. */
import { evolutionaryPolicy } from './evolutionary.ts';
import { gridPolicy } from './grid.ts';
import type { PolicyFactory } from './policy.ts';
import { randomPolicy } from './random.ts';

export type { Came, Opinion, Policy, PolicyContext, PolicyFactory, Seen } from './policy.ts';
export interface NamedPolicy {
  readonly make: PolicyFactory;
  /** Whether it is given a cost model. */
  readonly model: 'with' | 'without';
}
export const policies: Readonly<Record<string, NamedPolicy>> = {
  guided: { make: evolutionaryPolicy, model: 'with' },
  evolutionary: { make: evolutionaryPolicy, model: 'without' },
  random: { make: randomPolicy, model: 'without' },
  grid: { make: gridPolicy, model: 'without' },
};
export const defaultPolicy = 'guided';
