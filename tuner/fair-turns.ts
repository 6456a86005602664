/**
 * Fair turns at something that few can use at once: start-time fair queueing over whoever waits. Must stay true: while two
 * clients wait, what each gets is in proportion to its weight, whatever their turns take; nobody waits for ever; having been
 * idle is worth nothing.
 */

export interface Client {
  readonly id: string;
  /** Its share against others'; above 0. Asked for at each turn: it may change meanwhile. */
  readonly weight: number;
}

interface Account<T> {
  client: Client;
  readonly waiting: T[];
  /** What turns under way are thought to take, ms; oldest first. They are paid for in advance, or one could take all places at once. */
  readonly advances: number[];
  /** What it had, by weight. */
  tag: number;
}

/** How much the last turn counts in what the next one is thought to take. */
const memory = 0.2;

/**
 * Start-time fair queueing over whoever waits: next() is of the client that had least per weight. A client that comes back
 * after idling begins at the present virtual time.
 */
export class FairTurns<T> {
  private readonly accounts = new Map<string, Account<T>>();
  /** Virtual time: what a client that always waited has had by weight. It never falls and always comes to whoever waits. */
  private present = 0;
  /** What a turn takes, of late, ms. */
  private usual = 1;
  private count = 0;

  add(client: Client, item: T): void {
    const account = this.accountOf(client);
    if (account.waiting.length === 0) {
      account.tag = Math.max(account.tag, this.present);
      // Behind those that wait with an equal tag.
      this.accounts.delete(client.id);
      this.accounts.set(client.id, account);
    }
    account.waiting.push(item);
    this.count++;
  }

  /** Whose turn it is; undefined when nobody waits. */
  next(): T | undefined {
    let first: Account<T> | undefined;
    for (const a of this.accounts.values())
      if (a.waiting.length > 0 && (first?.tag ?? Number.POSITIVE_INFINITY) > a.tag) first = a;
    if (first === undefined) return undefined;
    this.count--;
    this.present = Math.max(this.present, first.tag);
    first.advances.push(this.usual);
    first.tag += this.usual / first.client.weight;
    this.forgetIdle();
    return first.waiting.shift();
  }

  /** It waits no more, or never did. */
  remove(item: T): void {
    for (const { waiting } of this.accounts.values()) {
      const at = waiting.indexOf(item);
      if (at < 0) continue;
      waiting.splice(at, 1);
      this.count--;
      return;
    }
  }

  /** After use: what the turn took. */
  charge(client: Client, ms: number): void {
    const account = this.accountOf(client);
    // Clients that come once and go would otherwise all begin before one that waits.
    this.present += ms / this.weightOfBusy();
    account.tag += (ms - (account.advances.shift() ?? 0)) / client.weight;
    this.usual += memory * (ms - this.usual);
    this.forgetIdle();
  }

  get waiting(): number {
    return this.count;
  }

  private weightOfBusy(): number {
    let sum = 0;
    for (const a of this.accounts.values()) if (a.waiting.length + a.advances.length > 0) sum += a.client.weight;
    return Math.max(sum, Number.MIN_VALUE);
  }

  private accountOf(client: Client): Account<T> {
    const account = this.accounts.get(client.id) ?? { client, waiting: [], advances: [], tag: this.present };
    account.client = client;
    this.accounts.set(client.id, account);
    return account;
  }

  /** Whoever would begin at the present anyway need not be remembered. */
  private forgetIdle(): void {
    for (const [id, a] of this.accounts)
      if (a.waiting.length === 0 && a.advances.length === 0 && a.tag <= this.present) this.accounts.delete(id);
  }
}
