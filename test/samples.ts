/** How many random samples a property test takes: bounded in `npm test`, full in `npm run test:long`. Same code, same seeds. */
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    readonly count: 'bounded' | 'full';
  }
}

/** `bounded` samples in a normal run, `full` in a long one. */
export const samples = (bounded: number, full: number): number => (inject('count') === 'full' ? full : bounded);
