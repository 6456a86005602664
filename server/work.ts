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
import { budgetsOf, buildWithin, type Fitting } from './budgets.ts';
import { type BuildOptions, type Built, build, finishArtifact, type Verified, verify } from './build.ts';
import type { Farm } from './devices.ts';
import { clientOf } from './jobs/choice.ts';
import type { JobWork, Outcome } from './jobs/queue.ts';
import { Waits } from './jobs/waits.ts';
import { Journal } from './journal.ts';
import type { Memories } from './memories.ts';
import type { Models, Prepared } from './models.ts';
import { offersFor, selectKnown, type Toolchain, toolchainOf } from './offers.ts';
import type { Run } from './progress.ts';
import { type JobRecords, recordsOfJob } from './records.ts';
import { roomForScratch } from './scratch-room.ts';

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
  readonly built: Built;
  readonly verified: Verified;
  readonly options: BuildOptions;
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
    this.run.log('baseline', 'building the network with default schedules');
    const baseline = await this.proveDefault(toolchain);
    if (!baseline.ok) return baseline;
    this.run.log('tune', `${this.prepared.tasks.length} tasks on ${pool.size} devices`);
    const tuned = await this.tune(pool, toolchain, waits);
    if (!tuned.ok) return tuned;
    this.run.log('build', 'building the network with the best schedules');
    const best = await this.proveBest(toolchain);
    if (!best.ok) return best;
    const { fitting } = best.value;
    return ok(await this.finish(baseline.value, best.value, fitting));
  }

  private async tune(pool: DevicePool, toolchain: Toolchain, waits: Waits): Promise<Result<void>> {
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
    const end = await tune({
      graph: this.prepared.graph,
      tasks: this.prepared.tasks,
      board: this.board,
      pool,
      templates: { templates, defaultSchedule },
      policy,
      policyName: job.policy,
      seed: job.seed,
      budget: {
        trials: job.trials,
        ...(job.timeMs !== null && { timeLeft: () => run.leftOfTime ?? Number.POSITIVE_INFINITY }),
        ...(until !== undefined && { until }),
      },
      ...(job.only !== null && { only: new Set(job.only) }),
      ...(job.ramBudget !== null && {
        scratchBytes: roomForScratch({
          ...this.prepared,
          board: this.board,
          toolchain,
          ramBytes: this.budgets.ramBytes,
        }),
      }),
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

  /** With default schedules and all of the board's memory: budgets are for what is handed out. */
  private async proveDefault(toolchain: Toolchain): Promise<Result<Proven>> {
    const selected = selectKnown(this.prepared.tasks, this.board, undefined, toolchain);
    const options = { ...this.folders('default'), selected };
    const built = await build(options);
    return built.ok ? this.prove({ built: built.value, options }, 1) : built;
  }

  /** The fastest network within the job's budgets. */
  private async proveBest(toolchain: Toolchain): Promise<Result<Proven & { readonly fitting: Fitting }>> {
    if (this.signal.aborted) return stopped;
    const fitting = await buildWithin({
      ...this.folders('out'),
      budgets: this.budgets,
      tasks: this.prepared.tasks,
      known: offersFor(this.prepared.tasks, this.board, this.records, toolchain),
      told: (why) => this.run.log('build', `the fastest schedules are too big, trying smaller ones: ${why}`),
    });
    if (!fitting.ok) return fitting;
    const proven = await this.prove(fitting.value, this.o.verifiedInputs);
    return proven.ok ? ok({ ...proven.value, fitting: fitting.value }) : proven;
  }

  private get budgets(): Memories {
    const { ramBudget, flashBudget } = this.run.job;
    return budgetsOf(this.board, {
      ...(ramBudget !== null && { ramBytes: ramBudget }),
      ...(flashBudget !== null && { flashBytes: flashBudget }),
    });
  }

  /** What is built, and into which of the job's folders. */
  private folders(folder: string): Omit<BuildOptions, 'selected'> {
    const outDir = join(artifactDir(this.o.dataDir, this.run.job.id), '..', folder);
    rmSync(outDir, { recursive: true, force: true });
    return {
      graph: this.prepared.graph,
      name: identifier(this.prepared.name.replace(/\.[a-z]+$/i, '')),
      board: this.board,
      outDir,
      cacheDir: this.o.cacheDir,
    };
  }

  /** Compares `inputs` answers with the model's. */
  private async prove({ built, options }: Omit<Proven, 'verified'>, inputs: number): Promise<Result<Proven>> {
    if (this.signal.aborted) return stopped;
    this.run.log('verify', `running it on ${inputs} inputs`);
    const { model } = this.prepared;
    const verified = await this.o.farm.exclusively(
      this.board,
      (board) => verify(built, board, model, inputs),
      this.signal,
    );
    return verified.ok ? ok({ built, verified: verified.value, options }) : verified;
  }

  /** Completes the artifact; the report, as report.json has it. */
  private async finish(
    baseline: Proven,
    best: Proven,
    { trades }: Fitting,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { job } = this.run;
    const { outDir } = best.options;
    const layers = best.verified.layers.map((l, i) => {
      const defaultCycles = baseline.verified.layers[i]?.cycles ?? 0;
      return { ...l, defaultCycles, speedup: ratio(defaultCycles, l.cycles) };
    });
    const extra = {
      defaultCycles: baseline.verified.cycles,
      speedup: ratio(baseline.verified.cycles, best.verified.cycles),
      defaultArenaBytes: baseline.built.library.arenaBytes,
      defaultFlashBytes: baseline.built.flashBytes,
      trials: this.o.store.counts(job.id),
      budgets: this.budgets,
      trades: await trades(),
      policy: job.policy,
      seed: job.seed,
    };
    finishArtifact(best.built, best.options, { ...best.verified, layers }, extra, 'all');
    rmSync(baseline.options.outDir, { recursive: true, force: true });
    return JSON.parse(readFileSync(join(outDir, 'report.json'), 'utf8')) as Readonly<Record<string, unknown>>;
  }
}

/** How many times faster, to three digits. */
const ratio = (before: number, after: number): number => (after > 0 ? Number((before / after).toPrecision(3)) : 0);
