/** What takes room in a data directory. Files may come and go while they are counted. */
import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../../db/index.ts';
import type { StorageBody } from '../schemas/index.ts';

interface Files {
  readonly files: number;
  readonly bytes: number;
}

const backups = 'backups';
/** A backup's name in the data directory: one a millisecond; sorted by name they are sorted by time. */
export const backupName = (at: Date): string => join(backups, `microtune-${at.toISOString().replaceAll(':', '')}.db`);
/** A folder for each job. */
export const jobsDir = (dataDir: string): string => join(dataDir, 'jobs');

/** Sizes of the database and of everything beside it. */
export async function storageOf(store: Pick<Store, 'log'>, dataDir: string): Promise<StorageBody> {
  const { bytes, trials } = store.log.size();
  const [artifacts, cache, copies, log] = await Promise.all([
    sizeOf(jobsDir(dataDir)),
    sizeOf(join(dataDir, 'cache')),
    sizeOf(join(dataDir, backups)),
    logSize(dataDir),
  ]);
  const jobs = (await entriesOf(jobsDir(dataDir), 'flat')).length;
  const bytesPerTrial = trials === 0 ? null : Math.round(bytes / trials);
  return { bytes, trials, bytesPerTrial, artifacts: { jobs, ...artifacts }, cache, log, backups: copies };
}

/** Files in a folder and below; none where there is no such folder. */
export async function sizeOf(dir: string): Promise<Files> {
  const files = (await entriesOf(dir, 'deep')).filter((e) => e.isFile());
  return total(files.map((e) => join(e.parentPath, e.name)));
}

/** The log that is written, and those that were set aside. */
async function logSize(dataDir: string): Promise<Files> {
  const files = (await entriesOf(dataDir, 'flat')).filter((e) => e.isFile() && /^log(\.\d+)?$/.test(e.name));
  return total(files.map((e) => join(dataDir, e.name)));
}

async function total(files: readonly string[]): Promise<Files> {
  let bytes = 0;
  for (const file of files) bytes += (await lstat(file).catch(() => undefined))?.size ?? 0;
  return { files: files.length, bytes };
}

const entriesOf = (dir: string, how: 'flat' | 'deep'): Promise<readonly Dirent[]> =>
  readdir(dir, { withFileTypes: true, recursive: how === 'deep' }).catch(() => []);
