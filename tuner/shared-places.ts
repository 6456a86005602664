/** A few places where work is done, for clients that come in fair turns: the cores on which candidates are built. */
import { type Client, FairTurns } from './fair-turns.ts';

export class SharedPlaces {
  private readonly turns = new FairTurns<() => void>();
  private readonly now: () => number;
  private free: number;

  /** `now`: monotonic milliseconds. */
  constructor(places: number, now: () => number) {
    this.free = places;
    this.now = now;
  }

  /** Does the work when there is a place and it is the client's turn. */
  async use<T>(client: Client, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      this.turns.add(client, begin);
      this.dispatch();
    });
    const since = this.now();
    try {
      return await work();
    } finally {
      this.turns.charge(client, this.now() - since);
      this.free++;
      this.dispatch();
    }
  }

  private dispatch(): void {
    if (this.free === 0) return;
    const begin = this.turns.next();
    if (begin === undefined) return;
    this.free--;
    begin();
    this.dispatch();
  }
}
