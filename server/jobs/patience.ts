/**
 * Troubles of the machine that pass by themselves, or when somebody has seen to them: a full disk, a locked database, no process
 * left to start, a build cache that was deleted. Must stay true: none of them ends a job; it rests, is looked at again after growing waits, and goes on from what
 * is recorded.
 */
import type { Logger } from 'pino';
import type { Failure } from '../../compiler/result.ts';
import type { Store } from '../../db/types.ts';
import type { Attempts } from '../attempts.ts';
import { failureIn } from '../failure-in.ts';
import type { Feed } from '../feed.ts';
import type { WaitingBody } from '../schemas/index.ts';
import type { Clock } from './clock.ts';

/** How often a job may begin anew for such a reason before it fails with it. */
const patience = {
  DISK_FULL: Number.POSITIVE_INFINITY,
  DB_BUSY: Number.POSITIVE_INFINITY,
  DATA_DIR_READONLY: Number.POSITIVE_INFINITY,
  TOO_MANY_PROCESSES: Number.POSITIVE_INFINITY,
  // Somebody deletes files now and then; files that are never there are a mistake of ours.
  CACHE_LOST: 5,
} as const;
export type Passing = Failure & { readonly code: keyof typeof patience };
export const passes = (failure: Failure): failure is Passing => Object.hasOwn(patience, failure.code);

/** Milliseconds until the next look, after so many: a second, doubling, up to a minute. */
const restAfter = (looks: number): number => Math.min(60_000, 1000 * 2 ** (looks - 1));
/** A trouble that comes back after so long is a new one, ms. */
const forgottenAfter = 10 * 60_000;

interface Rest {
  readonly waiting: WaitingBody;
  /** What met the trouble last: the job's run, or a look at the database. */
  readonly of: 'run' | 'database';
  /** Looks in this trouble, this one included. */
  readonly looks: number;
  /** When it began last. */
  readonly since: number;
  /** It rests: what calls the next look off. Undefined: it was let go, and this is kept in case the trouble is not over. */
  readonly callOff: (() => void) | undefined;
}

export interface RestingOptions {
  readonly store: Pick<Store, 'probe'>;
  readonly feed: Pick<Feed, 'waiting'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly attempts: Attempts;
  /** A job that rested may go on. */
  readonly again: () => void;
  /** What was tried often enough, or will not pass. */
  readonly spent: (id: string, failure: Failure) => void;
  readonly broken: (error: unknown) => void;
}

/** Jobs that rest, and how long each has for this time. */
export class Resting {
  private readonly rests = new Map<string, Rest>();
  private readonly o: RestingOptions;

  constructor(options: RestingOptions) {
    this.o = options;
  }

  /** Why a job rests; undefined where it does not. */
  why(id: string): WaitingBody | undefined {
    const rest = this.rests.get(id);
    return rest?.callOff === undefined ? undefined : rest.waiting;
  }

  /** Whether a job that does not rest is only let go to see whether its trouble is over. */
  tries(id: string): boolean {
    return this.rests.has(id);
  }

  /** Lays a job to rest. It keeps its state, which may be impossible to write. */
  lay(id: string, failure: Passing, of: Rest['of'] = 'run'): void {
    const { code, detail } = failure;
    const before = this.rests.get(id);
    const told = this.why(id)?.code === code;
    before?.callOff?.();
    const looks = this.looksAfter(before, code);
    if (looks > patience[code]) return this.o.spent(id, failure);
    const ms = restAfter(looks);
    const waiting = { code, detail, until: new Date(this.o.clock.wall() + ms).toISOString() };
    const callOff = this.o.clock.after(ms, () => this.look(id));
    this.rests.set(id, { waiting, of, looks, since: this.o.clock.now(), callOff });
    // The looks behind the first find what is known.
    if (looks === 1) this.o.log.warn({ job: id, code, detail }, 'job rests');
    if (!told) this.tell(id, waiting);
  }
  private looksAfter(before: Rest | undefined, code: string): number {
    const known = before?.waiting.code === code && this.o.clock.now() - before.since < forgottenAfter;
    return known ? before.looks + 1 : 1;
  }

  /** Its troubles are of no interest any more. */
  forget(id: string): void {
    this.rests.get(id)?.callOff?.();
    this.rests.delete(id);
    this.o.attempts.forget(id);
  }

  /** Nobody is looked at any more. */
  stop(): void {
    for (const id of [...this.rests.keys()]) this.forget(id);
  }

  /** Whether the database is well shows when it is written to; whether anything else is, when the job goes on. */
  private look(id: string): void {
    try {
      this.o.store.probe();
    } catch (error) {
      const failure = failureIn(error);
      return passes(failure) ? this.lay(id, failure, 'database') : this.o.broken(error);
    }
    const rest = this.rests.get(id);
    if (rest === undefined) return;
    this.rests.set(id, { ...rest, callOff: undefined });
    if (rest.of === 'database') this.o.log.info({ job: id }, 'the database can be written again');
    // What was full or locked could not take down why the job rested.
    this.tell(id, rest.waiting);
    this.tell(id, null);
    this.o.again();
  }

  /** Tells whoever listens, if that can be written down. */
  private tell(id: string, waiting: WaitingBody | null): void {
    this.o.attempts.make('why it rests could not be written', id, () => this.o.feed.waiting(id, waiting));
  }
}
