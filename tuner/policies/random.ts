/** Uniform random search without repetition. The baseline, and the file to copy for a new policy. */
import type { Candidate } from '../candidates.ts';
import { configKey } from '../space.ts';
import { type PolicyFactory, patience } from './policy.ts';

export const randomPolicy: PolicyFactory = ({ space, random, propose }) => {
  const seen = new Set<string>();
  return {
    ask: async (count) => {
      const out: Candidate[] = [];
      for (let misses = 0; out.length < count && misses < patience && space.size > 0; ) {
        const config = space.sample(random);
        const key = configKey(config);
        const made = seen.has(key) ? undefined : propose(config);
        seen.add(key);
        if (made?.ok) out.push(made.candidate);
        else misses++;
      }
      return out;
    },
    tell: (candidate) => void seen.add(configKey(candidate.config)),
  };
};
