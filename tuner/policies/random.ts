/** Uniform random search without repetition. The baseline, and the file to copy for a new policy. */
import type { Candidate } from '../candidates.ts';
import { MetConfigs } from '../met-configs.ts';
import { type PolicyFactory, patience } from './policy.ts';

export const randomPolicy: PolicyFactory = ({ space, random, propose }) => {
  const met = new MetConfigs();
  return {
    ask: async (count) => {
      const out: Candidate[] = [];
      for (let misses = 0; out.length < count && misses < patience && space.size > 0; ) {
        const config = space.sample(random);
        const made = met.add(config) ? propose(config) : undefined;
        if (made?.ok) out.push(made.candidate);
        else misses++;
      }
      return out;
    },
    tell: ({ config }) => void met.add(config),
  };
};
