/**
 * What is tried again and again by itself while the database is in trouble. Must stay true: the log hears of it when it begins to
 * fail and when it fails for another reason, not each time; errors of ours are thrown.
 */
import type { Logger } from 'pino';
import { StoreError } from '../db/index.ts';

export class Attempts {
  private readonly log: Logger;
  /** The code with which each failed last. */
  private readonly failing = new Map<string, string>();

  constructor(log: Logger) {
    this.log = log;
  }

  /** `otherwise`: what the log is told where it cannot be done. `job`: whose it is, if it is one's. */
  make(otherwise: string, job: string | undefined, work: () => void): 'done' | 'failed' {
    const key = `${job} ${otherwise}`;
    try {
      work();
      this.failing.delete(key);
      return 'done';
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const { code } = error.failure;
      if (this.failing.get(key) !== code) this.log.warn({ job, err: error }, otherwise);
      this.failing.set(key, code);
      return 'failed';
    }
  }
  /** What a job tried is of no interest any more. */
  forget(job: string): void {
    for (const key of this.failing.keys()) if (key.startsWith(`${job} `)) this.failing.delete(key);
  }
}
