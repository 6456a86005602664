/**
 * Queries of people, run by a few processes beside the daemon: each is kept for the next query. When one dies or has done enough, its
 * successor is started before anybody waits for it.
 * Must stay true: at most `processes` run at once and at most `queue` wait, however many ask.
 */
import PQueue from 'p-queue';
import { failed, type Result } from '../../compiler/result.ts';
import type { Params } from '../../db/guarded.ts';
import { type QueryAnswer, QueryProcess } from './query-process.ts';

export interface QueryLimits {
  readonly timeMs: number;
  readonly rows: number;
  /** Of all rows as JSON. */
  readonly bytes: number;
  readonly processes: number;
  /** How many may wait for one. */
  readonly queue: number;
}
export const usualQueryLimits: QueryLimits = {
  timeMs: 5000,
  rows: 10_000,
  bytes: 16 * 2 ** 20,
  processes: 2,
  queue: 16,
};

/** A statement; limits below the usual ones may be asked for. */
export interface QueryRequest {
  readonly sql: string;
  readonly params?: Params;
  readonly rows?: number;
  readonly timeMs?: number;
}

/** What a process must be able to do. */
export type Runner = Pick<QueryProcess, 'isOver' | 'isOpen' | 'isTired' | 'ask' | 'end'>;

export class Queries {
  readonly limits: QueryLimits;
  private readonly file: string;
  private readonly queue: PQueue;
  private idle: Runner[] = [];
  private readonly all = new Set<Runner>();
  private readonly start: (file: string, timeMs: number) => Runner;
  private closed = false;

  /** `file`: the daemon's database. Nothing is started before the first query. */
  constructor(
    file: string,
    limits: Partial<QueryLimits> = {},
    start: Queries['start'] = (...of) => new QueryProcess(...of),
  ) {
    this.start = start;
    this.file = file;
    this.limits = { ...usualQueryLimits, ...limits };
    this.queue = new PQueue({ concurrency: this.limits.processes });
  }

  /** Failures: QUERY_REFUSED, QUERY_TIMEOUT, QUERY_BUSY, TOO_MANY_PROCESSES, DB_IO. */
  async run(request: QueryRequest): Promise<Result<QueryAnswer>> {
    if (this.queue.size >= this.limits.queue)
      return failed('query', 'QUERY_BUSY', `${this.queue.size} queries are waiting already`);
    return this.queue.add(() => this.perform(request));
  }

  /** Ends all processes, and with them what they are at. */
  close(): void {
    this.closed = true;
    this.queue.clear();
    for (const p of this.all) p.end();
    this.all.clear();
  }

  private async perform({ sql, params = [], rows, timeMs }: QueryRequest): Promise<Result<QueryAnswer>> {
    if (this.closed) return failed('query', 'QUERY_BUSY', 'the daemon is being stopped');
    const { limits } = this;
    const process = this.take();
    const most = { rows: Math.min(rows ?? limits.rows, limits.rows), bytes: limits.bytes };
    const answer = await process.ask({ sql, params, ...most }, Math.min(timeMs ?? limits.timeMs, limits.timeMs));
    this.giveBack(process);
    return answer;
  }

  private giveBack(process: Runner): void {
    if (!process.isOver) this.idle.push(process);
    this.forgetDead();
    const succeeded = this.idle.some((p) => !p.isTired);
    if ((process.isOver || process.isTired) && !succeeded && !this.closed) this.idle.push(this.fresh());
  }

  /** The best of those that wait: one that need not start and is not tired, if there is one. */
  private take(): Runner {
    this.forgetDead();
    const { idle } = this;
    const best = idle.find((p) => p.isOpen && !p.isTired) ?? idle.find((p) => p.isOpen) ?? idle[0] ?? this.fresh();
    this.idle = idle.filter((p) => p !== best);
    if (best.isOpen && !best.isTired) for (const p of this.idle) if (p.isTired) p.end();
    return best;
  }

  private fresh(): Runner {
    const fresh = this.start(this.file, this.limits.timeMs);
    this.all.add(fresh);
    return fresh;
  }
  private forgetDead(): void {
    for (const p of this.all) if (p.isOver) this.all.delete(p);
    this.idle = this.idle.filter((p) => !p.isOver);
  }
}
