/** Time as jobs see it, handed in, so that tests can let a night pass at once. */
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Time of day, ms since the epoch: may be set by whoever owns the machine. */
  wall(): number;
  /** Milliseconds that only go forward, from whenever. */
  now(): number;
  /** Calls `then` once, in so many ms; what is returned calls that off. Holds up nobody's end. */
  after(ms: number, then: () => void): () => void;
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms).unref();
    return () => clearTimeout(timer);
  },
};
