/** `microtune jobs`: all jobs, one job, what can be done to one, a copy of one. Asks the daemon, or the database where none runs. */
import type { Command } from 'commander';
import type { Client } from '../../../client/client.ts';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import type { Store } from '../../../db/types.ts';
import { JobViews, nothingRuns } from '../../job-views.ts';
import { Models } from '../../models.ts';
import type { JobBody, JobPatch, JobSummary } from '../../schemas/index.ts';
import { artifactIn, askOrRead, neededDaemon } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type JobOptions, jobOptions, priorities, requestOf } from '../job-options.ts';
import { type CommonOptions, common, oneOf, type RemoteOptions, remote } from '../options.ts';
import { artifactOf, artifactText, type Report } from '../report.ts';
import { readStore } from '../store.ts';
import { count, span, speedUp, table } from '../table.ts';

interface JobsOptions extends CommonOptions, RemoteOptions {
  readonly pause?: true;
  readonly resume?: true;
  readonly cancel?: true;
  readonly priority?: JobPatch['priority'];
}
/** What is done to a job; its name is the option's. */
type Change = (client: Client, id: string) => Promise<Result<JobBody>>;

export function addJobs(program: Command, act: Act): void {
  const command = program
    .command('jobs')
    .description('list the tuning jobs, or show one')
    .argument('[id]', 'a job')
    .option('--pause', 'stop the job so that it can go on later')
    .option('--resume', 'let a paused job go on')
    .option('--cancel', 'end the job; what it measured is kept')
    .option('--priority <which>', 'another share of the farm from now on: low, normal, high', oneOf(...priorities));
  common(remote(command), 'microtune jobs').action(act(jobs));
  const copy = command
    .command('clone')
    .description('start a job like another one, with what the options say instead')
    .argument('<id>', 'the job to copy');
  common(
    remote(jobOptions(copy)),
    'microtune jobs clone j-1234-1 --seed 2 --window "20:00-07:00 Europe/Berlin"',
  ).action(act(clone));
}

async function jobs(_io: Io, id: string | undefined, o: JobsOptions): Shows {
  const [change, ...others] = changesOf(o);
  if (others.length > 0) return failed('input', 'USAGE', 'one of --pause, --resume, --cancel, --priority at a time');
  if (change !== undefined) return changed(id, change, o);
  if (id !== undefined) {
    const job = await oneJob(id, o);
    return job.ok ? ok({ json: job.value, text: jobText(job.value, o.data) }) : job;
  }
  const list = await allJobs(o);
  return list.ok ? ok({ json: list.value, text: listText(list.value) }) : list;
}

function changesOf({ pause, resume, cancel, priority }: JobsOptions): readonly Change[] {
  const all: readonly (Change | undefined)[] = [
    pause && ((client, id) => client.pause(id)),
    resume && ((client, id) => client.resume(id)),
    cancel && ((client, id) => client.cancel(id)),
    priority && ((client, id) => client.changeJob(id, { priority })),
  ];
  return all.filter((change) => change !== undefined);
}

async function changed(id: string | undefined, change: Change, o: JobsOptions): Shows {
  if (id === undefined)
    return failed('input', 'USAGE', '--pause, --resume, --cancel and --priority need the id of a job');
  const client = neededDaemon(o, 'so no job does');
  if (!client.ok) return client;
  const job = await change(client.value, id);
  return job.ok ? ok({ json: job.value, text: jobText(job.value, o.data) }) : job;
}

async function clone(_io: Io, id: string, o: JobsOptions & JobOptions): Shows {
  const client = neededDaemon(o, 'so nobody would run it');
  if (!client.ok) return client;
  const { boards, ...change } = requestOf(o);
  if (boards !== undefined) return failed('input', 'USAGE', 'a copy is for one board');
  const made = await client.value.clone(id, change);
  return made.ok ? ok({ json: made.value, text: jobText(made.value, o.data) }) : made;
}

const allJobs = (o: JobsOptions): Promise<Result<readonly JobSummary[]>> =>
  askOrRead<readonly JobSummary[]>(
    o,
    async (client) => {
      const items: JobSummary[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await client.jobs({ limit: 1000, ...(cursor !== undefined && { cursor }) });
        if (!page.ok) return page;
        items.push(...page.value.items);
        cursor = page.value.next;
      }
      return ok(items);
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
  return readStore(o.data, (store) => read(new JobViews(store, new Models(store), nothingRuns), store), nothing);
}

const listText = (jobs: readonly JobSummary[]): string =>
  table(
    [
      'job',
      'name',
      'state',
      'priority',
      'model',
      'board',
      '>trials',
      '>failed',
      '>default',
      '>best',
      '>speed-up',
      'counts',
      '>left',
      'created',
    ],
    jobs.map((j) => [
      j.id,
      j.name ?? '-',
      stateOf(j),
      j.priority,
      j.modelName,
      j.board,
      count(j.trials.done),
      count(j.trials.failed),
      count(j.cycles.default),
      count(j.cycles.best),
      speedUp(j.cycles.default, j.cycles.best),
      j.kind,
      j.leftMs === null ? '-' : span(j.leftMs),
      j.createdAt,
    ]),
  );

/** "queued: WINDOW until 2026-01-31T20:00:00.000Z" */
function stateOf({ state, waiting }: JobSummary): string {
  if (waiting === null) return state;
  return `${state}: ${waiting.code}${waiting.until === null ? '' : ` until ${waiting.until}`}`;
}

/** A job that is done by what it came to, any other by its tasks. */
function jobText(j: JobBody, data: string): string {
  const error = j.error === null ? [] : [`${j.error.stage}: ${j.error.code}: ${j.error.detail}`];
  const waits = j.waiting === null ? [] : [`waits: ${j.waiting.detail}`];
  const left = j.leftMs === null ? '' : `, ${span(j.leftMs)} left`;
  const priority = j.priority === 'normal' ? '' : `, ${j.priority} priority`;
  const title = `job ${j.id}: ${stateOf(j)}, ${j.modelName} on ${j.board}${priority}, ${span(j.spentMs)}${left}`;
  const head = [title, ...waits, ...error].join('\n');
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
