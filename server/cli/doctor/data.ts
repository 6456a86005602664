/** What the doctor says of a data directory: its database, its summaries, what lies beside it. Nothing is changed. */
import { existsSync, readdirSync } from 'node:fs';
import type { Health } from '../../../db/health.ts';
import type { Store } from '../../../db/index.ts';
import { artifactDir } from '../../artifact.ts';
import { jobsDir, storageOf } from '../../data/sizes.ts';
import { count, counted } from '../table.ts';
import { type Finding, failing, fine, type Verdict, warning } from './finding.ts';

/** A device that made no trial for so long is told of. */
export const staleDays = 30;
const dayMs = 86_400_000;
/** Names that are listed. */
const listed = 5;

/** Looks at all of a database; that takes a while where there are many trials. */
export async function lookAtData(store: Store, dataDir: string, now: Date): Promise<readonly Finding[]> {
  const health = store.health(new Date(now.getTime() - staleDays * dayMs).toISOString());
  const checks: readonly (readonly [check: string, verdict: Verdict])[] = [
    ['database', soundness(health)],
    ['summaries', summaries(health)],
    ['records', origins(health)],
    ['devices', devices(health)],
    ['job folders', folders(store, dataDir)],
    ['room', await room(store, dataDir)],
  ];
  return checks.map(([check, verdict]) => ({ subject: dataDir, check, ...verdict }));
}

function soundness({ damage, dangling }: Health): Verdict {
  const [first] = damage;
  if (first !== undefined)
    return failing(
      `damaged: ${first}`,
      'Take the newest backup, or move the file aside: `sqlite3 FILE .recover` may save its records.',
    );
  return dangling === 0
    ? fine('sound')
    : failing(`${dangling} rows refer to rows that are not there`, 'Take the newest backup.');
}

const summaries = ({ wrongSummaries }: Health): Verdict =>
  wrongSummaries === 0
    ? fine('equal to the trials')
    : failing(
        `${wrongSummaries} rows are not what the trials say`,
        'Stop the daemon and run `microtune doctor --repair`: summaries are made again from the trials.',
      );

function origins({ withoutOrigin, doubtsOfNothing }: Health): Verdict {
  if (withoutOrigin + doubtsOfNothing === 0) return fine('whole');
  return warning(
    `${withoutOrigin} took a measurement over from a record that is not here, ${doubtsOfNothing} doubts are of no record`,
    'Merge the farm where they come from, if its records are wanted: `microtune records merge`.',
  );
}

function devices({ staleDevices }: Health): Verdict {
  if (staleDevices.length === 0) return fine(`all that made trials made some in the last ${staleDays} days`);
  const names = staleDevices.slice(0, listed).map((d) => `${d.device} (${d.lastAt.slice(0, 10)})`);
  return fine(`no trial for ${staleDays} days: ${names.join(', ')}${rest(staleDevices.length)}`);
}

/** Folders of jobs that are not in the database, and jobs whose folders are gone. */
function folders(store: Store, dataDir: string): Verdict {
  const jobs = store.jobs();
  const known = new Set(jobs.map((j) => j.id));
  const there = existsSync(jobsDir(dataDir)) ? readdirSync(jobsDir(dataDir)) : [];
  const orphans = there.filter((name) => !known.has(name)).toSorted();
  if (orphans.length > 0)
    return warning(
      `of no job: ${orphans.slice(0, listed).join(', ')}${rest(orphans.length)}`,
      `Delete them in ${jobsDir(dataDir)} if nobody wants them.`,
    );
  const gone = jobs.filter((j) => j.state === 'done' && !existsSync(artifactDir(dataDir, j.id))).length;
  return fine(
    gone === 0 ? 'each belongs to a job' : `each belongs to a job; the files of ${counted(gone, 'job')} were removed`,
  );
}

async function room(store: Store, dataDir: string): Promise<Verdict> {
  const { bytes, trials, artifacts, cache, backups, log } = await storageOf(store, dataDir);
  const mib = (n: number): string => `${count(n / 2 ** 20)} MiB`;
  return fine(
    `${counted(trials, 'trial')} in ${mib(bytes)}; jobs ${mib(artifacts.bytes)}, cache ${mib(cache.bytes)}, ` +
      `${counted(backups.files, 'backup')} ${mib(backups.bytes)}, log ${mib(log.bytes)}`,
  );
}

const rest = (all: number): string => (all > listed ? ` and ${all - listed} more` : '');
