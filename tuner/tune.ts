/**
 * The tune loop: asks policies, builds and runs their candidates on all cores and devices, verifies, tells, records. It
 * ends when the budget is spent, every space is exhausted, or it is told to stop. Must stay true: every trial becomes
 * exactly one record; nothing that a candidate does ends the loop; equal binaries are measured once.
 */
import PQueue from 'p-queue';
import type { Board } from '../boards/board.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import type { Failure } from '../compiler/result.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Schedule } from '../kernels/template.ts';
import { type Candidate, candidateMaker } from './candidates.ts';
import { startTrainer, type Trainer } from './cost-models/index.ts';
import { type Bench, benchOf } from './measure/bench.ts';
import { type Built, buildCandidate } from './measure/builder.ts';
import type { DevicePool } from './measure/pool.ts';
import { codeRoom, scratchRoom } from './measure/runner.ts';
import type { NamedPolicy, Policy } from './policies/index.ts';
import { seeded } from './random.ts';
import { configKey, type SearchSpace, spaceOf, type TemplateSource } from './space.ts';
import { nextTask } from './task-scheduler.ts';
import type { Config, MeasureResult } from './types.ts';

/** A trial as the loop hands it over for recording. */
export interface TrialRecord {
  readonly task: Task;
  readonly policy: string;
  readonly config: Config;
  readonly schedule: Schedule;
  readonly result: MeasureResult;
  /** Id of the record whose measurement was taken over. */
  readonly reusedFrom: string | null;
}
/** A measurement of this task that exists already, from this job before an interruption or from others. */
export interface Known {
  readonly id: string;
  readonly config: Config;
  readonly binary: string | null;
  readonly result: MeasureResult;
  /** Made by this very job: counts against its budget. */
  readonly mine: boolean;
}

export interface TuneRequest {
  readonly graph: Graph;
  readonly tasks: readonly Task[];
  readonly board: Board;
  readonly pool: DevicePool;
  readonly templates: TemplateSource;
  readonly policy: NamedPolicy;
  readonly policyName: string;
  readonly seed: number;
  readonly budget: { readonly trials: number; readonly timeMs?: number };
  readonly cores: number;
  readonly cacheDir: string;
  readonly known: (task: Task) => readonly Known[];
  /** Appends a record and returns its id. */
  readonly record: (trial: TrialRecord) => string;
  readonly progress?: (tasks: readonly TaskProgress[], spent: number) => void;
  readonly signal: AbortSignal;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}
export interface TaskProgress {
  readonly task: Task;
  readonly trials: number;
  readonly failed: number;
  readonly default: number | null;
  readonly best: number | null;
  readonly exhausted: boolean;
}
export type TuneEnd =
  | { readonly reason: 'budget' | 'time' | 'exhausted' | 'stopped' }
  | { readonly reason: 'failed'; readonly error: Failure };

/** Trials asked for at once from one task: enough to keep builds and devices busy, few enough to learn between. */
const batch = 8;
/** How often a trial is tried again when its device vanished. */
const retries = 2;

interface TaskState {
  readonly task: Task;
  readonly bench: Bench;
  readonly space: SearchSpace;
  readonly policy: Policy;
  readonly first: Candidate | undefined;
  readonly binaries: Map<
    string,
    | { readonly id: string; readonly result: MeasureResult }
    | Promise<{ readonly id: string; readonly result: MeasureResult }>
  >;
  readonly history: number[];
  ready: Candidate[];
  trials: number;
  failed: number;
  pending: number;
  exhausted: boolean;
  default: number | null;
  vector: number;
}

export async function tune(request: TuneRequest): Promise<TuneEnd> {
  const trainer = request.policy.model === 'with' ? startTrainer() : undefined;
  try {
    return await new Loop(request, trainer).run();
  } finally {
    await trainer?.close();
  }
}

class Loop {
  private readonly r: TuneRequest;
  private readonly states: readonly TaskState[];
  private readonly builds: PQueue;
  private readonly runs: PQueue;
  private readonly started: number;
  /** Trials that count against the budget: done, and under way. */
  private spent = 0;
  private underWay = 0;
  private broken: Failure | undefined;

  constructor(r: TuneRequest, trainer: Trainer | undefined) {
    this.r = r;
    this.started = r.now();
    this.builds = new PQueue({ concurrency: r.cores });
    this.runs = new PQueue({ concurrency: Math.max(1, r.pool.size) });
    const random = seeded(r.seed);
    this.states = r.tasks.map((task) => this.stateOf(task, random.fork(task.id), trainer));
  }

  async run(): Promise<TuneEnd> {
    for (const s of this.states) this.takeKnown(s);
    this.report();
    const lanes = 2 * Math.max(this.r.cores, this.r.pool.size);
    const idle = new Set<Promise<void>>();
    for (;;) {
      const end = this.ended();
      const next =
        end === undefined && this.spent + this.underWay < this.r.budget.trials ? await this.nextCandidate() : undefined;
      if (next !== undefined) {
        this.underWay++;
        const trial: Promise<void> = this.trial(next.state, next.candidate).finally(() => {
          this.underWay--;
          idle.delete(trial);
        });
        idle.add(trial);
        if (idle.size < lanes) continue;
      }
      if (idle.size === 0) return end ?? { reason: this.spent >= this.r.budget.trials ? 'budget' : 'exhausted' };
      await Promise.race(idle);
    }
  }

  private ended(): TuneEnd | undefined {
    if (this.broken !== undefined) return { reason: 'failed', error: this.broken };
    if (this.r.signal.aborted) return { reason: 'stopped' };
    if (this.r.budget.timeMs !== undefined && this.r.now() - this.started >= this.r.budget.timeMs)
      return { reason: 'time' };
    return undefined;
  }

  private stateOf(task: Task, random: ReturnType<typeof seeded>, trainer: Trainer | undefined): TaskState {
    const bench = benchOf(task, this.r.graph);
    const space = spaceOf(task.workload, this.r.board.target.features, this.r.templates);
    const loadBytes = this.r.board.memory.find((m) => m.role === 'flash')?.bytes ?? 0;
    const limits = {
      constBytes: Math.max(0, Math.min(loadBytes, 2 ** 21) - codeRoom),
      scratchBytes: scratchRoom(this.r.board.ramBytes, bench),
    };
    const propose = candidateMaker(task, space, limits);
    const policy = this.r.policy.make({ space, random, propose, costModel: trainer?.model() });
    const first = propose(space.fallback);
    return {
      task,
      bench,
      space,
      policy,
      first: first.ok ? first.candidate : undefined,
      binaries: new Map(),
      history: [],
      ready: first.ok ? [first.candidate] : [],
      trials: 0,
      failed: 0,
      pending: 0,
      exhausted: false,
      default: null,
      vector: 0,
    };
  }

  /** What was measured before is not measured again: it is told to the policy, and its binaries are known. */
  private takeKnown(s: TaskState): void {
    const make = candidateMaker(s.task, s.space, {
      constBytes: Number.MAX_SAFE_INTEGER,
      scratchBytes: Number.MAX_SAFE_INTEGER,
    });
    const done = new Set<string>();
    for (const k of this.r.known(s.task)) {
      if (k.mine) {
        this.spent++;
        s.trials++;
        if (k.result.status === 'failed') s.failed++;
      }
      if (k.binary !== null) s.binaries.set(k.binary, { id: k.id, result: k.result });
      if (done.has(configKey(k.config))) continue;
      done.add(configKey(k.config));
      if (k.mine)
        s.history.push(
          Math.min(
            s.history.at(-1) ?? Number.POSITIVE_INFINITY,
            k.result.status === 'ok' ? k.result.cycles : Number.POSITIVE_INFINITY,
          ),
        );
      if (k.config.template === 'default' && k.result.status === 'ok' && k.mine) {
        s.default = k.result.cycles;
        s.ready = [];
      }
      const made = make(k.config);
      if (made.ok && k.config.template !== 'default') s.policy.tell(made.candidate, k.result);
    }
  }

  /** The default of each task first, then whatever the task scheduler says. */
  private async nextCandidate(): Promise<{ readonly state: TaskState; readonly candidate: Candidate } | undefined> {
    for (;;) {
      const waiting = this.states.find((s) => s.ready.length > 0);
      const candidate = waiting?.ready.shift();
      if (waiting !== undefined && candidate !== undefined) {
        waiting.pending++;
        return { state: waiting, candidate };
      }
      const at = nextTask(
        this.states.map((s) => ({
          weight: s.task.occurrences.length,
          exhausted: s.exhausted,
          history: s.history,
          pending: s.pending,
        })),
      );
      const state = at === undefined ? undefined : this.states[at];
      if (state === undefined) return undefined;
      const left = this.r.budget.trials - this.spent - this.underWay;
      state.ready = [...(await state.policy.ask(Math.min(batch, left)))];
      if (state.ready.length === 0) state.exhausted = true;
    }
  }

  private async trial(s: TaskState, candidate: Candidate): Promise<void> {
    const { result, reusedFrom } = await this.measureOnce(s, candidate);
    s.pending--;
    if (result === undefined) return;
    if (candidate !== s.first) s.policy.tell(candidate, result);
    if (reusedFrom === null) {
      this.spent++;
      s.trials++;
      if (result.status === 'failed') s.failed++;
    }
    const cycles = result.status === 'ok' ? result.cycles : Number.POSITIVE_INFINITY;
    if (candidate === s.first && result.status === 'ok') s.default = result.cycles;
    s.history.push(Math.min(s.history.at(-1) ?? Number.POSITIVE_INFINITY, cycles));
    this.report();
  }

  /** Builds, looks whether the binary is known, else measures; always records. */
  private async measureOnce(
    s: TaskState,
    candidate: Candidate,
  ): Promise<{ readonly result: MeasureResult | undefined; readonly reusedFrom: string | null }> {
    const t0 = this.r.now();
    const built = await this.builds.add(() => buildCandidate(candidate.kernel, this.r.board.target, this.r.cacheDir));
    const compile = this.r.now() - t0;
    const put = (result: MeasureResult, reusedFrom: string | null): string =>
      this.r.record({
        task: s.task,
        policy: candidate === s.first ? 'default' : s.policy.name,
        config: candidate.config,
        schedule: candidate.schedule,
        result,
        reusedFrom,
      });
    if (!built.ok) {
      if (built.error.code === 'TOOL_MISSING') this.broken = built.error;
      const result: MeasureResult = {
        status: 'failed',
        stage: 'compile',
        code: built.error.code,
        detail: built.error.detail,
        times: { compile },
      };
      put(result, null);
      return { result, reusedFrom: null };
    }
    const { binary } = built.value;
    const known = s.binaries.get(binary);
    if (known !== undefined) {
      const original = await known;
      put(original.result, original.id);
      return { result: original.result, reusedFrom: original.id };
    }
    let settle: (v: { id: string; result: MeasureResult }) => void = () => undefined;
    s.binaries.set(binary, new Promise((resolve) => (settle = resolve)));
    const measured = await this.runs.add(() => this.onDevice(s, candidate, built.value));
    const result: MeasureResult = { ...measured, times: { compile, ...measured.times } };
    const id = put(result, null);
    settle({ id, result });
    s.binaries.set(binary, { id, result });
    return { result, reusedFrom: null };
  }

  private async onDevice(s: TaskState, candidate: Candidate, built: Built): Promise<MeasureResult> {
    const vector = s.vector++;
    let last: Failure = { stage: 'run', code: 'LINK', detail: 'never ran' };
    for (let attempt = 0; attempt <= retries; attempt++) {
      const used = await this.r.pool.use(async (station) => {
        const value = await station.measure({ kernel: candidate.kernel, built, bench: s.bench, vector });
        return { value, broken: value.status === 'failed' && value.code === 'LINK' };
      });
      if (used.ok) {
        if (used.value.status === 'ok' || used.value.code !== 'LINK') return used.value;
        last = { stage: used.value.stage, code: used.value.code, detail: used.value.detail };
        continue;
      }
      last = used.error;
      if (last.code === 'EMULATOR_MISSING' || last.code === 'NO_DEVICE' || last.code === 'WRONG_BOARD') {
        this.broken = last;
        break;
      }
    }
    return { status: 'failed', stage: 'run', code: last.code, detail: last.detail, binary: built.binary, times: {} };
  }

  private report(): void {
    this.r.progress?.(
      this.states.map((s) => {
        const best = s.history.at(-1);
        return {
          task: s.task,
          trials: s.trials,
          failed: s.failed,
          default: s.default,
          best: best !== undefined && Number.isFinite(best) ? best : null,
          exhausted: s.exhausted,
        };
      }),
      this.spent,
    );
  }
}
