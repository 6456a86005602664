/**
 * Equal tasks of searches that run at the same time: one search is on a task, the others hear what it measures. Must stay true:
 * at most one search has a task, until it lets go; what is told reaches every other search on the same key, once.
 */
import type { Known } from './request.ts';

/** Who wants to hear of a task. */
export interface Listener {
  /** Another search measured this. */
  heard(known: Known): void;
  /** A record that another search told of does not stand. */
  withdrawn(record: string): void;
  /** Nobody has the task any more. */
  freed(): void;
}

/** A search's place at a task. */
export interface Seat {
  /** Whether the task is this search's, or nobody's. */
  readonly available: boolean;
  /** Makes an available task this search's. */
  take(): void;
  /** Lets others have it. */
  release(): void;
  tell(known: Known): void;
  withdraw(record: string): void;
  /** Ends the part of this search. */
  leave(): void;
}

/** A search that nobody shares with. */
export const alone: Seat = {
  available: true,
  take: () => undefined,
  release: () => undefined,
  tell: () => undefined,
  withdraw: () => undefined,
  leave: () => undefined,
};

interface Table {
  owner: Listener | undefined;
  readonly listeners: Set<Listener>;
}

export class Exchange {
  private readonly tables = new Map<string, Table>();

  /** `key`: all that must be equal for counts of a task to be comparable. */
  join(key: string, listener: Listener): Seat {
    const table = this.tables.get(key) ?? { owner: undefined, listeners: new Set() };
    this.tables.set(key, table);
    table.listeners.add(listener);
    const others = (): Listener[] => [...table.listeners].filter((l) => l !== listener);
    const release = (): void => {
      if (table.owner !== listener) return;
      table.owner = undefined;
      for (const other of others()) other.freed();
    };
    return {
      get available() {
        return table.owner === undefined || table.owner === listener;
      },
      take: () => {
        if (table.owner !== undefined && table.owner !== listener) throw new Error(`${key} is another search's`);
        table.owner = listener;
      },
      release,
      tell: (known) => {
        for (const other of others()) other.heard(known);
      },
      withdraw: (record) => {
        for (const other of others()) other.withdrawn(record);
      },
      leave: () => {
        release();
        table.listeners.delete(listener);
        if (table.listeners.size === 0) this.tables.delete(key);
      },
    };
  }
}
