/** Every point in order, in strides that spread the first ones over the whole space. */
import type { Candidate } from '../candidates.ts';
import { MetConfigs } from '../met-configs.ts';
import type { PolicyFactory } from './policy.ts';

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

export const gridPolicy: PolicyFactory = ({ space, propose }) => {
  // A stride that shares no factor with the size visits every point once.
  let stride = Math.max(1, Math.floor(space.size * 0.618));
  while (gcd(stride, space.size) > 1) stride++;
  const met = new MetConfigs();
  let done = 0;
  return {
    ask: async (count) => {
      const out: Candidate[] = [];
      while (out.length < count && done < space.size) {
        const config = space.at((done * stride) % space.size);
        done++;
        const made = met.has(config) ? undefined : propose(config);
        if (made?.ok) out.push(made.candidate);
      }
      return out;
    },
    tell: ({ config }) => void met.add(config),
  };
};
