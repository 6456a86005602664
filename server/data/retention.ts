/**
 * What is thrown away by itself: builds and artifacts of old jobs, where the user wants that, and build caches. Must stay true:
 * nothing that was measured goes; no job loses its files before it has ended.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { JobRow, Store } from '../../db/index.ts';
import { pruneCache } from '../../toolchain/index.ts';
import { jobsDir, sizeOf } from './sizes.ts';

/** Artifacts that stay: of the last days, or of so many jobs that ended last. */
export type Keep = { readonly days: number } | { readonly jobs: number } | 'all';

const dayMs = 86_400_000;

/** "90d" or "200". Failure: BAD_TIME. */
export function parseKeep(text: string): Result<Keep> {
  const [, number, unit] = /^(\d{1,6})(d?)$/.exec(text) ?? [];
  if (number === undefined)
    return failed('request', 'BAD_TIME', `"${text}" is neither days, like 90d, nor a number of jobs`);
  return ok(unit === 'd' ? { days: Number(number) } : { jobs: Number(number) });
}

/** Ended jobs whose files may go. */
export function expired(jobs: readonly JobRow[], keep: Keep, now: Date): readonly JobRow[] {
  const ended = jobs.flatMap((job) => (job.endedAt === null ? [] : [{ job, endedMs: Date.parse(job.endedAt) }]));
  if (keep === 'all') return [];
  const old =
    'days' in keep
      ? ended.filter(({ endedMs }) => endedMs < now.getTime() - keep.days * dayMs)
      : ended.toSorted((a, b) => b.endedMs - a.endedMs).slice(keep.jobs);
  return old.map(({ job }) => job);
}

export interface TidyOptions {
  readonly store: Pick<Store, 'jobs'>;
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly keep: Keep;
  readonly log: Logger;
}

/** Removes the files of expired jobs and what the cache has too much; tells the log what went. */
export async function tidy(o: TidyOptions, now: Date): Promise<void> {
  const there = new Set(await readdir(jobsDir(o.dataDir)).catch(() => []));
  // Reads the reports of all jobs: not where they stay anyway.
  const jobs = o.keep === 'all' ? [] : o.store.jobs();
  for (const { id } of expired(jobs, o.keep, now)) {
    if (!there.has(id)) continue;
    const dir = join(jobsDir(o.dataDir), id);
    const { files, bytes } = await sizeOf(dir);
    await rm(dir, { recursive: true, force: true });
    o.log.info({ job: id, files, bytes }, 'files of an old job removed; its trials stay');
  }
  await pruneCache(o.cacheDir);
}

/** Tidies now and every day; the function that ends it. What goes wrong is told to the log and tried again the next day. */
export function tidyDaily(o: TidyOptions, now: () => Date): () => void {
  const once = (): void => {
    tidy(o, now()).catch((err: unknown) => o.log.warn({ err }, 'the data directory was not tidied'));
  };
  once();
  const timer = setInterval(once, dayMs);
  timer.unref();
  return () => clearInterval(timer);
}
