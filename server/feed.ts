/**
 * The door through which jobs change: what is written to the store is announced to whoever listens (event streams, the
 * command line's progress). The store is the truth; a listener is only told that there is more to read.
 */
import type { JobEvent, JobRow, NewEvent, NewJob, Store } from '../db/types.ts';
import type { WaitingBody } from './schemas/index.ts';

/** For those who listen to all of them. */
export const everyJob = '*';
/** Events of a job that are kept: enough for a curve, and to see what it had to say. */
const kept = { progress: 200, logs: 500 };

type Change = Parameters<Store['updateJob']>[1];

export class Feed {
  private readonly store: Store;
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(store: Store) {
    this.store = store;
  }

  /** One job, or several that belong together. */
  add(jobs: readonly NewJob[], as: 'single' | 'group'): readonly JobRow[] {
    const rows = as === 'group' ? this.store.addJobs(jobs) : jobs.map((job) => this.store.addJob(job));
    for (const { id } of rows) this.announce(id);
    return rows;
  }
  update(id: string, change: Change, event?: NewEvent): JobRow {
    const row = this.store.updateJob(id, change, event);
    this.announce(id);
    return row;
  }
  event(id: string, type: string, data: Readonly<Record<string, unknown>>): JobEvent {
    const event = this.store.addEvent(id, type, data);
    this.announce(id);
    return event;
  }

  /** Why a job does not move, or that it does (null); nothing where that was told last, by an earlier daemon too. */
  waiting(id: string, waiting: WaitingBody | null): void {
    const last = this.store.lastEvent(id, 'waiting')?.data.waiting as WaitingBody | null | undefined;
    if (last?.code !== waiting?.code) this.event(id, 'waiting', { waiting });
  }

  /** Leaves of a job's events what tells its story: a long one says the same thing many times. */
  thin(id: string): void {
    this.store.thinEvents(id, kept);
  }

  /** Calls `listener` after each event of a job, or of any, until the returned function is called. */
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
    for (const key of [id, everyJob]) for (const listener of this.listeners.get(key) ?? []) listener();
  }
}
