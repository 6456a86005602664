/** A clock that a test moves: what is due is called in order, and promises get their turn in between. A night passes at once. */
import type { Clock } from '../server/jobs/clock.ts';

interface Due {
  readonly at: number;
  readonly then: () => void;
}

export class VirtualClock implements Clock {
  private ms: number;
  private due: Due[] = [];

  /** `start`: ISO 8601. */
  constructor(start: string) {
    this.ms = Date.parse(start);
  }

  readonly wall = (): number => this.ms;
  readonly now = (): number => this.ms;
  readonly after = (ms: number, then: () => void): (() => void) => {
    const mine: Due = { at: this.ms + ms, then };
    this.due.push(mine);
    return () => {
      this.due = this.due.filter((d) => d !== mine);
    };
  };
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** When something is due next; undefined: nothing is. */
  get next(): number | undefined {
    return this.due.length === 0 ? undefined : Math.min(...this.due.map((d) => d.at));
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    const end = this.ms + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.due.reduce<Due | undefined>((a, b) => (a !== undefined && a.at <= b.at ? a : b), undefined);
      if (next === undefined || next.at > end) break;
      this.due = this.due.filter((d) => d !== next);
      this.ms = Math.max(this.ms, next.at);
      next.then();
    }
    this.ms = end;
  }
}
