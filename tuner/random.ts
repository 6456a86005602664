/** The one source of randomness in tuning: seeded, passed in, small (mulberry32). Equal seeds give equal searches. */
export interface Random {
  /** 0 <= x < 1. */
  next(): number;
  /** 0 <= x < n, an integer. */
  below(n: number): number;
  pick<T>(list: readonly T[]): T;
  /** A generator of its own, decided by this one's state and a name. */
  fork(name: string): Random;
  /** The seed of a generator that goes on as this one does. */
  readonly state: number;
}

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    get state() {
      return state;
    },
    next,
    below,
    pick: (list) => {
      const item = list[below(list.length)];
      if (item === undefined) throw new Error('nothing to pick from');
      return item;
    },
    fork: (name) => {
      let h = Math.floor(next() * 2 ** 32);
      for (const c of name) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
      return seeded(h);
    },
  };
}
