/**
 * The door through which jobs change: what is written to the store is announced to whoever listens (event streams, the
 * command line's progress). The store is the truth; a listener is only told that there is more to read.
 */
import type { JobEvent, JobRow, NewJob, Store } from '../db/types.ts';

type Change = Parameters<Store['updateJob']>[1];

export class Feed {
  private readonly store: Store;
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(store: Store) {
    this.store = store;
  }

  add(job: NewJob): JobRow {
    return this.store.addJob(job);
  }
  update(id: string, change: Change): JobRow {
    const row = this.store.updateJob(id, change);
    this.announce(id);
    return row;
  }
  event(id: string, type: string, data: Readonly<Record<string, unknown>>): JobEvent {
    const event = this.store.addEvent(id, type, data);
    this.announce(id);
    return event;
  }

  /** Calls `listener` after each event of a job, until the returned function is called. */
  listen(id: string, listener: () => void): () => void {
    const set = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, set);
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(id);
    };
  }

  private announce(id: string): void {
    for (const listener of this.listeners.get(id) ?? []) listener();
  }
}
