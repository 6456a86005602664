/** `microtune jobs`: all jobs, one job, the end of one. Asks the daemon, or the database where none runs. */
import type { Command } from 'commander';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import type { Store } from '../../../db/types.ts';
import { JobViews, nothingRuns } from '../../job-views.ts';
import { Models } from '../../models.ts';
import type { JobBody, JobSummary } from '../../schemas/index.ts';
import { artifactIn, askOrRead, runningDaemon } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, type RemoteOptions, remote } from '../options.ts';
import { artifactOf, artifactText, type Report } from '../report.ts';
import { readingStore } from '../store.ts';
import { count, span, speedUp, table } from '../table.ts';

interface JobsOptions extends CommonOptions, RemoteOptions {
  readonly cancel?: true;
}

export function addJobs(program: Command, act: Act): void {
  const command = program
    .command('jobs')
    .description('list the tuning jobs, or show one')
    .argument('[id]', 'a job')
    .option('--cancel', 'end the job; what it measured is kept');
  common(remote(command), 'microtune jobs').action(act(jobs));
}

async function jobs(_io: Io, id: string | undefined, o: JobsOptions): Shows {
  if (o.cancel === true) return cancel(id, o);
  if (id !== undefined) {
    const job = await oneJob(id, o);
    return job.ok ? ok({ json: job.value, text: jobText(job.value, o.data) }) : job;
  }
  const list = await allJobs(o);
  return list.ok ? ok({ json: list.value, text: listText(list.value) }) : list;
}

async function cancel(id: string | undefined, o: JobsOptions): Shows {
  if (id === undefined) return failed('input', 'USAGE', '--cancel needs the id of a job');
  const client = runningDaemon(o);
  if (client === undefined)
    return failed('request', 'DAEMON_UNREACHABLE', `no daemon runs on ${o.data}, so no job does`);
  const job = await client.cancel(id);
  return job.ok ? ok({ json: job.value, text: jobText(job.value, o.data) }) : job;
}

const allJobs = (o: JobsOptions): Promise<Result<readonly JobSummary[]>> =>
  askOrRead<readonly JobSummary[]>(
    o,
    async (client) => {
      const list = await client.jobs();
      return list.ok ? ok(list.value.items) : list;
    },
    async () => fromStore(o, (views, store) => store.jobs().map((row) => views.summary(row)), []),
  );

const oneJob = (id: string, o: JobsOptions): Promise<Result<JobBody>> =>
  askOrRead(
    o,
    (client) => client.job(id),
    async () => {
      const found = fromStore(
        o,
        (views, store) => {
          const row = store.job(id);
          return row === undefined ? undefined : views.body(row);
        },
        undefined,
      );
      if (!found.ok) return found;
      return found.value === undefined
        ? failed('request', 'JOB_NOT_FOUND', `no job has the id "${id}"`)
        : ok(found.value);
    },
  );

/** What the daemon would answer, from its database; `nothing` where there is none. */
function fromStore<T>(o: JobsOptions, read: (views: JobViews, store: Store) => T, nothing: T): Result<T> {
  const store = readingStore(o.data);
  if (!store.ok) return store;
  const { value } = store;
  if (value === undefined) return ok(nothing);
  try {
    return ok(read(new JobViews(value, new Models(value), nothingRuns), value));
  } finally {
    value.close();
  }
}

const listText = (jobs: readonly JobSummary[]): string =>
  table(
    ['job', 'state', 'model', 'board', '>trials', '>failed', '>default', '>best', '>speed-up', 'counts', 'created'],
    jobs.map((j) => [
      j.id,
      j.state,
      j.modelName,
      j.board,
      count(j.trials.done),
      count(j.trials.failed),
      count(j.cycles.default),
      count(j.cycles.best),
      speedUp(j.cycles.default, j.cycles.best),
      j.kind,
      j.createdAt,
    ]),
  );

/** A job that is done by what it came to, any other by its tasks. */
function jobText(j: JobBody, data: string): string {
  const error = j.error === null ? [] : [`${j.error.stage}: ${j.error.code}: ${j.error.detail}`];
  const head = [`job ${j.id}: ${j.state}, ${j.modelName} on ${j.board}, ${span(j.spentMs)}`, ...error].join('\n');
  const done =
    j.report === null ? tasksText(j) : artifactText(artifactOf(j.report as unknown as Report, artifactIn(data, j.id)));
  return `${head}\n\n${done}`;
}

const tasksText = (j: JobBody): string =>
  table(
    ['task', 'operator', 'shape', '>times', '>trials', '>failed', '>default', '>best', '>speed-up', 'schedule'],
    j.tasks.map((t) => [
      t.id,
      t.op,
      t.shape,
      count(t.occurrences),
      count(t.trials),
      count(t.failed),
      count(t.default),
      count(t.best),
      speedUp(t.default, t.best),
      t.schedule ?? '-',
    ]),
  );
