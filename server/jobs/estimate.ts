/**
 * How much a job still takes, from how fast it went lately. Must stay true: only the last trials count, so that an estimate follows
 * a farm that becomes slower or faster; where nothing is known it says so.
 */

/** Trials over which the rate is taken. */
const window = 24;

interface Sample {
  readonly done: number;
  /** Milliseconds of the whole farm that the job had until then. */
  readonly farmMs: number;
}

/** How many trials come in so much of the farm's time. */
export class Pace {
  private samples: Sample[] = [];
  private at: number | undefined;
  private farmMs = 0;

  /** `done` trials by now; `share` of the farm that the job has had since the last call, above 0 to 1. */
  note(now: number, done: number, share: number): void {
    this.pass(now, share);
    if (done === this.samples.at(-1)?.done) return;
    // Something was withdrawn: what came before says nothing any more.
    if (done < (this.samples.at(-1)?.done ?? 0)) this.samples = [];
    this.samples.push({ done, farmMs: this.farmMs });
    while ((this.samples[1]?.done ?? done) <= done - window) this.samples.shift();
  }

  /** The job did not move: such time says nothing of its pace. */
  rest(now: number): void {
    this.at = now;
  }

  /** Milliseconds of the whole farm that a trial takes, with this share now; null before any came. One that is overdue counts. */
  msPerTrial(now: number, share: number): number | null {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (first === undefined || last === undefined || last.done === first.done) return null;
    const until = this.farmMs + (now - (this.at ?? now)) * share;
    const usual = (last.farmMs - first.farmMs) / (last.done - first.done);
    return Math.max(usual, (until - first.farmMs) / (last.done - first.done + 1));
  }

  private pass(now: number, share: number): void {
    this.farmMs += (now - (this.at ?? now)) * share;
    this.at = now;
  }
}

/**
 * Trials until a job has seen `patience` of them without a gain, where `since` have passed without one and `done` in all. Gains become
 * rarer in proportion to what was tried (as records do): one more is expected with a chance, and lets it all begin again.
 */
export function untilQuiet(done: number, since: number, patience: number): number {
  const quiet = Math.max(0, patience - since);
  return quiet + (patience * quiet) / Math.max(1, done + quiet);
}
