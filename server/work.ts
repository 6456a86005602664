/**
 * What a tuning job does, from model to proven firmware: the network with default schedules (the baseline, which also shows
 * early that tools and memory suffice), the search, the network with the best schedules known, its proof, its report. Must
 * stay true: nothing is handed out that was not verified; whatever ends it half-way, records stay and it can begin again.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { BoardModule } from '../boards/index.ts';
import { identifier } from '../compiler/emit/network.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import type { Store } from '../db/types.ts';
import { defaultSchedule, templates } from '../kernels/index.ts';
import { pruneCache, toolchainVersion } from '../toolchain/index.ts';
import { Exchange } from '../tuner/exchange.ts';
import type { DevicePool } from '../tuner/measure/pool.ts';
import { policies } from '../tuner/policies/index.ts';
import { SharedPlaces } from '../tuner/shared-places.ts';
import { tune } from '../tuner/tune.ts';
import { artifactDir } from './artifact.ts';
import { budgetsOf } from './budgets.ts';
import { finishArtifact, type Verified, verify } from './build.ts';
import { plural } from './dashboard/format.js';
import type { Farm } from './devices.ts';
import { clientOf } from './jobs/choice.ts';
import type { JobWork, Outcome } from './jobs/queue.ts';
import { Waits } from './jobs/waits.ts';
import { Journal } from './journal.ts';
import type { Memories } from './memories.ts';
import type { Models, Prepared } from './models.ts';
import { offersInTurns, type Toolchain, toolchainOf } from './offers.ts';
import type { Run } from './progress.ts';
import { type JobRecords, recordsOfJob } from './records.ts';
import type { Folders, Made } from './thinking/questions.ts';
import { dataOf, Thread } from './thinking/thread.ts';
import type { Trades } from './trades.ts';
import { courseFor } from './transfer/lessons.ts';

export interface WorkOptions {
  readonly store: Store;
  readonly models: Models;
  readonly farm: Farm;
  readonly boards: readonly BoardModule[];
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly cores: number;
  /** Whose records a job knows and chooses from: everybody's or its own. */
  readonly known: 'all' | 'own';
  /** Random inputs on which a tuned network is compared with the model. */
  readonly verifiedInputs: number;
  readonly log: Logger;
}

/** What jobs that run at the same time have in common. */
interface Shared {
  readonly builds: SharedPlaces;
  readonly exchange: Exchange;
}

export function workOf(options: WorkOptions): JobWork {
  const shared = { builds: new SharedPlaces(options.cores, () => performance.now()), exchange: new Exchange() };
  return async (run, signal) => {
    const board = options.boards.find((b) => b.id === run.job.board);
    if (board === undefined) throw new Error(`job ${run.job.id} is for ${run.job.board}, which is not there any more`);
    try {
      return await new Work(options, shared, run, board, signal).perform();
    } finally {
      await pruneCache(options.cacheDir).catch((error: unknown) =>
        options.log.warn({ job: run.job.id, err: error }, 'the build cache was not tidied'),
      );
    }
  };
}

/** A network, built and run on a device. */
interface Proven {
  readonly made: Made;
  readonly verified: Verified;
  readonly folders: Folders;
}
/** The answer of a step that heard the signal; nobody is told it, as the job's state says more. */
const stopped = failed('job', 'CANCELLED', 'the job was stopped');

class Work {
  private readonly o: WorkOptions;
  private readonly shared: Shared;
  private readonly run: Run;
  private readonly board: BoardModule;
  private readonly signal: AbortSignal;
  private readonly prepared: Prepared;
  private readonly records: JobRecords;

  constructor(o: WorkOptions, shared: Shared, run: Run, board: BoardModule, signal: AbortSignal) {
    this.o = o;
    this.shared = shared;
    this.run = run;
    this.board = board;
    this.signal = signal;
    this.prepared = o.models.prepared(run.job.model);
    this.records = o.known === 'all' ? o.store : recordsOfJob(o.store, run.job.id);
  }

  async perform(): Promise<Outcome> {
    const result = await this.onDevices();
    if (this.signal.aborted) return { state: 'stopped' };
    return result.ok ? { state: 'done', report: result.value } : { state: 'failed', error: result.error };
  }

  /** The steps on the board's devices, which other jobs may use at the same time. */
  private async onDevices(): Promise<Result<Readonly<Record<string, unknown>>>> {
    const tell = (message: string): void => this.run.log('devices', message);
    const pool = await this.o.farm.open(this.board, tell);
    if (!pool.ok) return pool;
    const waits = new Waits(this.run, pool.value, this.o.log);
    try {
      return await this.steps(pool.value, waits);
    } finally {
      waits.end();
      await this.o.farm.close(this.board, tell);
    }
  }

  private async steps(pool: DevicePool, waits: Waits): Promise<Result<Readonly<Record<string, unknown>>>> {
    const version = await toolchainVersion(this.board.target);
    if (!version.ok) return version;
    const toolchain = toolchainOf(this.board, version.value);
    const thread = new Thread({ prepared: this.prepared, board: dataOf(this.board), toolchain }, (why) =>
      this.run.log('build', `the fastest schedules are too big, trying smaller ones: ${why}`),
    );
    try {
      return await this.onThread(thread, pool, toolchain, waits);
    } finally {
      await thread.close();
    }
  }

  private async onThread(
    thread: Thread,
    pool: DevicePool,
    toolchain: Toolchain,
    waits: Waits,
  ): Promise<Result<Readonly<Record<string, unknown>>>> {
    this.run.log('baseline', 'building the network with default schedules');
    const [baseline, from] = await Promise.all([this.proveDefault(thread), this.teach(thread, toolchain)]);
    if (!baseline.ok) return baseline;
    if (from !== null) this.run.log('tune', `what candidates are hoped to take comes from ${from}`);
    const [tasks, devices] = [this.prepared.tasks.length, pool.size];
    this.run.log('tune', `${tasks} ${plural(tasks, 'task')} on ${devices} ${plural(devices, 'device')}`);
    const tuned = await this.tune(thread, pool, toolchain, waits);
    if (!tuned.ok) return tuned;
    this.run.log('build', 'building the network with the best schedules');
    const best = await this.proveBest(thread, toolchain);
    return best.ok ? ok(await this.finish(baseline.value, best.value, await thread.ask('trades', {}))) : best;
  }

  private async tune(thread: Thread, pool: DevicePool, toolchain: Toolchain, waits: Waits): Promise<Result<void>> {
    const { job } = this.run;
    const policy = policies[job.policy];
    if (policy === undefined) return failed('tune', 'POLICY_UNKNOWN', `policy ${job.policy} is not there any more`);
    const { builds } = this.shared;
    // A job that is to know only its own records hears of no other's either.
    const exchange = this.o.known === 'all' ? this.shared.exchange : undefined;
    const { records, board, run } = this;
    const journal = new Journal({ ...this.o, records, board, run, toolchain });
    const made = this.o.store.madeBy(job.id);
    const until = journal.until();
    const room = job.ramBudget === null ? undefined : await thread.ask('scratch', { ramBytes: this.budgets.ramBytes });
    const end = await tune({
      graph: this.prepared.graph,
      tasks: this.prepared.tasks,
      board: this.board,
      pool,
      templates: { templates, defaultSchedule },
      policy,
      policyName: job.policy,
      minds: thread.minds(job.policy),
      seed: job.seed,
      budget: {
        trials: job.trials,
        ...(job.timeMs !== null && { timeLeft: () => run.leftOfTime ?? Number.POSITIVE_INFINITY }),
        ...(until !== undefined && { until }),
      },
      ...(job.only !== null && { only: new Set(job.only) }),
      ...(room !== undefined && { scratchBytes: (task) => room.get(task.id) ?? 0 }),
      cores: this.o.cores,
      cacheDir: this.o.cacheDir,
      client: clientOf(run),
      builds,
      ...(exchange !== undefined && { join: (task, listener) => journal.join(task, exchange, listener) }),
      known: (task) => journal.known(task),
      measured: (task, binary) => journal.measured(task, binary),
      made: (task) => {
        const { done, failed } = made.get(task.id) ?? { done: 0, failed: 0 };
        return { trials: done, failed };
      },
      record: (trial) => journal.record(trial),
      doubt: (record, why) => journal.doubt(record, why),
      progress: (tasks, done, sinceBetter) => journal.progress(tasks, done, sinceBetter),
      waiting: (why) => waits.others(why),
      signal: this.signal,
      now: () => performance.now(),
    });
    return end.reason === 'failed' ? { ok: false, error: end.error } : ok(undefined);
  }

  /** What similar layers of the log say, while the baseline is on a device; where that comes from. */
  private async teach(thread: Thread, { version, flags }: Toolchain): Promise<string | null> {
    if (this.o.known === 'own' || policies[this.run.job.policy]?.model !== 'with') return null;
    const of = { board: this.board.id, kind: this.board.kind, toolchain: version, flags };
    return thread.ask('learn', courseFor(this.prepared.tasks, of, this.o.store));
  }

  private async proveDefault(thread: Thread): Promise<Result<Proven>> {
    const folders = this.folders('default');
    const made = await thread.ask('plain', folders);
    return made.ok ? this.prove(thread, made.value, folders, 1) : made;
  }

  /** The fastest network within the job's budgets. */
  private async proveBest(thread: Thread, toolchain: Toolchain): Promise<Result<Proven>> {
    if (this.signal.aborted) return stopped;
    for (const task of this.prepared.tasks) {
      const offers = await offersInTurns(task, this.board, this.records, toolchain);
      thread.tell('offers', { task: task.id, offers });
    }
    const folders = this.folders('out');
    const made = await thread.ask('fastest', { ...folders, budgets: this.budgets });
    return made.ok ? this.prove(thread, made.value, folders, this.o.verifiedInputs) : made;
  }

  private get budgets(): Memories {
    const { ramBudget, flashBudget } = this.run.job;
    return budgetsOf(this.board, {
      ...(ramBudget !== null && { ramBytes: ramBudget }),
      ...(flashBudget !== null && { flashBytes: flashBudget }),
    });
  }

  /** Where one of the job's networks is built: nothing is left of what was there. */
  private folders(folder: string): Folders {
    const outDir = join(artifactDir(this.o.dataDir, this.run.job.id), '..', folder);
    rmSync(outDir, { recursive: true, force: true });
    return { name: identifier(this.prepared.name.replace(/\.[a-z]+$/i, '')), outDir, cacheDir: this.o.cacheDir };
  }

  /** Compares `inputs` answers with the model's. */
  private async prove(thread: Thread, made: Made, folders: Folders, inputs: number): Promise<Result<Proven>> {
    if (this.signal.aborted) return stopped;
    this.run.log('verify', `running it on ${inputs} ${plural(inputs, 'input')}`);
    const { model } = this.prepared;
    const verified = await this.o.farm.exclusively(
      this.board,
      (board) => verify(made, board, model, inputs, (input) => thread.ask('expected', { input })),
      this.signal,
    );
    return verified.ok ? ok({ made, verified: verified.value, folders }) : verified;
  }

  /** Completes the artifact; the report, as report.json has it. */
  private async finish(baseline: Proven, best: Proven, trades: Trades): Promise<Readonly<Record<string, unknown>>> {
    const { job } = this.run;
    const { graph } = this.prepared;
    const { outDir } = best.folders;
    const layers = best.verified.layers.map((l, i) => {
      const defaultCycles = baseline.verified.layers[i]?.cycles ?? 0;
      return { ...l, defaultCycles, speedup: ratio(defaultCycles, l.cycles) };
    });
    const extra = {
      defaultCycles: baseline.verified.cycles,
      speedup: ratio(baseline.verified.cycles, best.verified.cycles),
      defaultArenaBytes: baseline.made.arenaBytes,
      defaultFlashBytes: baseline.made.flashBytes,
      trials: this.o.store.counts(job.id),
      budgets: this.budgets,
      trades,
      policy: job.policy,
      seed: job.seed,
    };
    const options = { ...best.folders, graph, board: this.board, selected: best.made.selected };
    finishArtifact(best.made, options, { ...best.verified, layers }, extra, 'all');
    rmSync(baseline.folders.outDir, { recursive: true, force: true });
    return JSON.parse(readFileSync(join(outDir, 'report.json'), 'utf8')) as Readonly<Record<string, unknown>>;
  }
}

/** How many times faster, to three digits. */
const ratio = (before: number, after: number): number => (after > 0 ? Number((before / after).toPrecision(3)) : 0);
