/**
 * Which task gets the next trials: the one whose next trials are expected to take most off the whole network (the idea of
 * Ansor's task scheduler). Every task is warmed up first; exhausted tasks are passed over, so their budget goes to others.
 */
export interface Progress {
  /** Occurrences in the network. */
  readonly weight: number;
  readonly exhausted: boolean;
  /** Best count after each trial so far; Infinity before the first success. */
  readonly history: readonly number[];
  /** Trials asked for but not told yet. */
  readonly pending: number;
}

/** Trials that each task gets before expectations count. */
const warmUp = 8;
/** Trials over which the recent rate of improvement is taken. */
const window = 24;

/** Position of the task to serve next; undefined when all are exhausted. */
export function nextTask(tasks: readonly Progress[]): number | undefined {
  let best: { readonly at: number; readonly score: number } | undefined;
  tasks.forEach((t, at) => {
    if (t.exhausted) return;
    const score = expectedGain(t);
    if (best === undefined || score > best.score) best = { at, score };
  });
  return best?.at;
}

/** Instructions or cycles of the whole network that one more trial is hoped to save. */
export function expectedGain(t: Progress): number {
  const n = t.history.length + t.pending;
  if (n < warmUp) return Number.MAX_VALUE / (1 + n);
  const now = t.history.at(-1) ?? Number.POSITIVE_INFINITY;
  if (!Number.isFinite(now)) return 0;
  const before = t.history.at(-1 - window) ?? t.history.find(Number.isFinite) ?? now;
  const recent = Math.max(0, Number.isFinite(before) ? before - now : 0) / Math.min(window, n);
  // Even a task that stands still may still fall: optimism that fades with the trials spent on it.
  const hope = now / n / 4;
  return t.weight * (0.5 * recent + 0.5 * hope);
}
