/** Time that a test moves: what is due is called in order, and nothing waits for real. */
import type { Clock } from '../server/jobs/clock.ts';

interface Timer {
  readonly at: number;
  readonly then: () => void;
}

export class VirtualClock implements Clock {
  private timers: Timer[] = [];
  private ms: number;

  /** `start`: time of day. */
  constructor(start = Date.UTC(2026, 0, 31, 12)) {
    this.ms = start;
  }
  wall(): number {
    return this.ms;
  }
  now(): number {
    return this.ms;
  }
  after(ms: number, then: () => void): () => void {
    const timer = { at: this.ms + Math.max(0, ms), then };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((t) => t !== timer);
    };
  }
  /** When the next timer is due; undefined where there is none. */
  get next(): number | undefined {
    return this.timers.length === 0 ? undefined : Math.min(...this.timers.map((t) => t.at));
  }
  /** Lets time pass; `settle` is awaited first and behind each timer, for whatever is going on. */
  async advance(ms: number, settle: () => Promise<void> = turn): Promise<void> {
    const end = this.ms + ms;
    await settle();
    for (let next = this.next; next !== undefined && next <= end; next = this.next) {
      this.ms = next;
      const due = this.timers.find((t) => t.at === next);
      this.timers = this.timers.filter((t) => t !== due);
      due?.then();
      await settle();
    }
    this.ms = end;
    await settle();
  }
}

/** Until promises and callbacks that are ready have run. */
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
