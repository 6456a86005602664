/** How long no task of a search has become better by as much as its `until` says. Small gains add up. */
import type { Until } from './request.ts';

export class Gains {
  private readonly until: Until | undefined;
  /** By task, the best count when it was last better by that much. */
  private readonly marks = new Map<string, number>();
  since: number;

  constructor(until: Until | undefined) {
    this.until = until;
    this.since = until?.since ?? 0;
  }

  /** What is the best count of a task from the start. */
  begin(task: string, best: number): void {
    this.marks.set(task, best);
  }
  /** One more trial of a task; the best count that it has now. */
  note(task: string, best: number): void {
    this.since++;
    const mark = this.marks.get(task) ?? Number.POSITIVE_INFINITY;
    const better = best < mark * (1 - (this.until?.percent ?? 0) / 100);
    if (better) this.since = 0;
    // What was withdrawn is no mark either.
    if (better || best > mark) this.marks.set(task, best);
  }
  get quiet(): boolean {
    return this.until !== undefined && this.since >= this.until.trials;
  }
}
