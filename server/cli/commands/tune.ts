/**
 * `microtune tune`: uploads a model, starts a job, shows how it goes on, and brings home what came of it. The work is the
 * daemon's; this end may go away (detach) and the job goes on.
 */
import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Client } from '../../../client/client.ts';
import { follow, type ServerEvent } from '../../../client/events.ts';
import { type Failure, failed, ok, type Result } from '../../../compiler/result.ts';
import { makeDir } from '../../../db/make-dir.ts';
import type { JobState } from '../../../db/types.ts';
import { ended } from '../../jobs/states.ts';
import type { JobBody, ProgressBody, WaitingBody } from '../../schemas/index.ts';
import { unpack } from '../archive.ts';
import { removeOldKernels } from '../artifact.ts';
import { artifactIn, commandHint, type Daemon, knownDaemon, runningDaemon, startOwnDaemon } from '../daemon.ts';
import type { Act } from '../index.ts';
import { type Choice, onInterrupt } from '../interrupt.ts';
import type { Io, Shown, Shows } from '../io.ts';
import { type JobOptions, jobOptions, requestOf } from '../job-options.ts';
import { boardNamed, readModel, titleOf } from '../model.ts';
import {
  type CommonOptions,
  type CompilerOption,
  common,
  compiler,
  compilerAsArguments,
  type DeviceOptions,
  devices,
  devicesAsArguments,
  type RemoteOptions,
  remote,
} from '../options.ts';
import { type Progress, progressOn } from '../progress.ts';
import { readFile } from '../read-file.ts';
import { type Artifact, artifactOf, artifactText, type Report } from '../report.ts';
import { counted } from '../table.ts';

interface TuneOptions extends CommonOptions, CompilerOption, DeviceOptions, JobOptions, RemoteOptions {
  readonly board: readonly string[];
  readonly out?: string;
}

/** How long to wait for a daemon that went away. */
const patienceMs = 60_000;

export function addTune(program: Command, act: Act): void {
  const command = program
    .command('tune')
    .description('search the best schedules for a model on a board; ends with a C library and verified firmware')
    .argument('<model>', 'a .tflite file')
    .option('--out <dir>', 'where the library and the firmware go (default: they stay in the data directory)');
  const elsewhere = 'the one of the data directory, else one is started';
  common(
    compiler(devices(jobOptions(remote(command, elsewhere)))),
    'microtune tune model.tflite --board mps2-an386 --trials 400 --out out',
  ).action(act(tune));
}

async function tune(io: Io, file: string, o: TuneOptions): Shows {
  // Told here rather than by a daemon that had to be started first.
  const named = checkBoards(o);
  if (!named.ok) return named;
  const model = readModel(file, 'all');
  if (!model.ok) return model;
  if (o.out !== undefined) mustBeWritable(resolve(o.out));
  const daemon = await daemonFor(io, o);
  if (!daemon.ok) return daemon;
  try {
    const made = await submit(daemon.value, file, o);
    if (!made.ok) return made;
    const [first, ...others] = made.value;
    if (first === undefined || others.length > 0) return await leaveAll(daemon.value, made.value, o);
    const watched = await watch(io, daemon.value, first);
    if (!watched.ok) return watched;
    return watched.value === 'detached' ? ok(detachedText(first, o)) : await bringHome(daemon.value, first.id, o);
  } finally {
    await daemon.value.close();
  }
}

function checkBoards({ board, out }: TuneOptions): Result<void> {
  if (board === undefined) return failed('input', 'USAGE', "required option '--board <board>' not specified");
  for (const name of board) {
    const known = boardNamed(name);
    if (!known.ok) return known;
  }
  return board.length > 1 && out !== undefined
    ? failed('input', 'USAGE', '--out takes what came of one job, and there is one for each board')
    : ok(undefined);
}

/** Better now than after hours of tuning. */
function mustBeWritable(dir: string): void {
  makeDir(dir);
  accessSync(dir, constants.W_OK);
}

/** --url, else the daemon that runs, else one of our own. */
async function daemonFor(io: Io, o: TuneOptions): Promise<Result<Daemon>> {
  const running = runningDaemon(o);
  const own = [
    ...devicesAsArguments(o),
    ...compilerAsArguments(o),
    ...(o.records === undefined ? [] : ['--records', o.records]),
  ];
  if (running !== undefined) {
    if (own.length > 0)
      return failed('input', 'USAGE', `${own[0]} is a matter of the daemon, and one runs already at ${running.url}`);
    io.news(`using the daemon at ${running.url}`);
    return ok(knownDaemon(running, o));
  }
  const started = await startOwnDaemon(resolve(o.data), own);
  if (started.ok) io.news(`started a daemon on ${o.data} at ${started.value.client().url}`);
  return started;
}

/** A job for each board. */
async function submit(daemon: Daemon, file: string, o: TuneOptions): Promise<Result<readonly JobBody[]>> {
  const client = daemon.client();
  const model = await client.uploadModel(readFile(file), titleOf(file));
  if (!model.ok) return model;
  const { boards, ...rest } = requestOf(o);
  const request = { ...rest, model: model.value.id };
  if (boards !== undefined) {
    const made = await client.addJobs({ ...request, boards });
    return made.ok ? ok(made.value.items) : made;
  }
  const job = await client.addJob(request);
  return job.ok ? ok([job.value]) : job;
}

/** Several jobs are left to the daemon: nobody could read the progress of all. */
async function leaveAll(daemon: Daemon, jobs: readonly JobBody[], o: TuneOptions): Shows {
  await daemon.stay();
  const lines = jobs.map((j) => `job ${j.id} on ${j.board}`);
  return ok({ json: jobs, text: [...lines, `see: ${commandHint(o, 'jobs')}`].join('\n') });
}

/** Shows progress until the job has ended, or the user leaves it. */
async function watch(io: Io, daemon: Daemon, job: JobBody): Promise<Result<'ended' | 'detached'>> {
  const progress = progressOn(io.screen, job.kind, () => performance.now());
  progress.say(
    `job ${job.id}: ${job.modelName} on ${job.board}, ${counted(job.tasks.length, 'task')}, seed ${job.seed}`,
  );
  const leaving = new AbortController();
  let choice: Choice | undefined;
  const stopAsking = onInterrupt({ keyboard: io.keyboard, news: progress.say }, (chosen) => {
    choice = chosen;
    if (chosen === 'cancel') void cancel(daemon, job, progress);
    else leaving.abort();
  });
  const followed = await showEvents(daemon, job, progress, leaving.signal);
  stopAsking();
  progress.end();
  return followed.ok ? afterwards(daemon, job, choice) : followed;
}

/** The job's last event ends the watching; where it cannot be cancelled, the user learns why nothing ends. */
async function cancel(daemon: Daemon, { id }: JobBody, progress: Progress): Promise<void> {
  const done = await daemon.client().cancel(id);
  if (!done.ok) progress.say(`it could not be cancelled: ${done.error.detail}`);
}

/** Until the job has ended or the signal comes. */
async function showEvents(
  daemon: Daemon,
  job: JobBody,
  progress: Progress,
  signal: AbortSignal,
): Promise<Result<void>> {
  let state = job.state;
  const events = follow({
    open: (after, stop) => daemon.client().openEvents(job.id)(after, stop),
    after: 0,
    over: () => ended(state),
    onLost: (why) => progress.say(`lost the daemon (${why}); waiting for it`),
    signal,
    patienceMs,
  });
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value.ok ? next.value : leftAlone(next.value.error, job);
    if (next.value.type === 'state') state = next.value.data.state as JobState;
    showEvent(progress, next.value);
  }
}

/** What becomes of a job whose daemon did not come back. */
function leftAlone(error: Failure, { id }: JobBody): Result<never> {
  if (error.code !== 'DAEMON_UNREACHABLE') return { ok: false, error };
  const detail = `${error.detail}; job ${id} goes on as soon as a daemon runs on its data directory`;
  return { ok: false, error: { ...error, detail } };
}

async function afterwards(
  daemon: Daemon,
  job: JobBody,
  choice: Choice | undefined,
): Promise<Result<'ended' | 'detached'>> {
  switch (choice) {
    case undefined:
    case 'cancel':
      return ok('ended');
    case 'detach':
      await daemon.stay();
      return ok('detached');
    case 'leave': {
      const detail = `job ${job.id} is not ended: it goes on when a daemon runs on its data directory`;
      return failed('job', 'INTERRUPTED', detail);
    }
  }
}

const waitText = ({ detail, until }: WaitingBody): string => (until === null ? detail : `${detail}, until ${until}`);

function showEvent(progress: Progress, event: ServerEvent): void {
  switch (event.type) {
    case 'progress':
      return progress.show(event.data as ProgressBody);
    case 'log':
      return progress.say(String(event.data.message));
    case 'waiting': {
      const waiting = event.data.waiting as JobBody['waiting'];
      return progress.say(waiting === null ? 'it goes on' : `it waits: ${waitText(waiting)}`);
    }
    default:
      return;
  }
}

const detachedText = (job: JobBody, o: TuneOptions): Shown => ({
  json: job,
  text: `job ${job.id} goes on; see: ${commandHint(o, 'jobs', job.id)}`,
});

/** The ended job with its artifact, or the failure it ended with. */
async function bringHome(daemon: Daemon, id: string, o: TuneOptions): Shows {
  const got = await daemon.client().job(id);
  if (!got.ok) return got;
  const job = got.value;
  if (job.error !== null) return { ok: false, error: job.error };
  if (job.state === 'cancelled')
    return failed('job', 'CANCELLED', `job ${id} was cancelled after ${counted(job.trials.done, 'trial')}`);
  const artifact = await fetchArtifact(daemon.client(), job, o);
  if (!artifact.ok) return artifact;
  const { out, elf, bin } = artifact.value;
  return ok({ json: { ...job, out, elf, bin }, text: artifactText(artifact.value) });
}

/** Into --out; else it stays where it is: in the data directory, or with a daemon that is elsewhere. */
async function fetchArtifact(client: Client, job: JobBody, o: TuneOptions): Promise<Result<Artifact>> {
  const report = job.report as unknown as Report;
  if (o.out === undefined && o.url !== undefined)
    return ok({ ...report, out: client.artifactUrl(job.id), elf: null, bin: null });
  if (o.out === undefined) return ok(artifactOf(report, artifactIn(o.data, job.id)));
  const out = resolve(o.out);
  const archive = await client.artifact(job.id);
  if (!archive.ok) return archive;
  removeOldKernels(out);
  const unpacked = await unpack(archive.value, out);
  return unpacked.ok ? ok(artifactOf(report, out)) : unpacked;
}
