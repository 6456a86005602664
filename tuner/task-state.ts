/** What the tune loop knows of one task: its space, its policy, what was measured, how it is getting on. */
import type { Task } from '../compiler/tasks.ts';
import { type Candidate, candidateMaker, withoutHopeless } from './candidates.ts';
import type { Trainer } from './cost-models/index.ts';
import { type Bench, benchOf } from './measure/bench.ts';
import { scratchRoom } from './measure/rooms.ts';
import type { Policy } from './policies/index.ts';
import type { Random } from './random.ts';
import { configKey, type SearchSpace, spaceOf } from './space.ts';
import type { Progress } from './task-scheduler.ts';
import type { Known, TaskProgress, TuneRequest } from './tune.ts';
import { type Config, lostDevice, type MeasureResult } from './types.ts';

/** A measurement that stands for its binary. */
export interface Measured {
  readonly id: string;
  readonly result: MeasureResult;
}
/** Known measurements taken in between two turns of the event loop: the daemon answers meanwhile. */
const atOnce = 8;

export class TaskState implements Progress {
  readonly task: Task;
  readonly bench: Bench;
  readonly weight: number;
  /** By binary; a promise while it is being measured (undefined: it came to nothing). */
  readonly binaries = new Map<string, Measured | Promise<Measured | undefined>>();
  readonly history: number[] = [];
  /** To be tried next; the default schedule comes first. */
  ready: Candidate[];
  pending = 0;
  exhausted = false;

  private readonly space: SearchSpace;
  private readonly policy: Policy;
  private readonly propose: ReturnType<typeof candidateMaker>;
  private trials = 0;
  private failed = 0;
  private default: number | null = null;
  /** What history was made of. */
  private told: MeasureResult[] = [];

  constructor(task: Task, r: TuneRequest, random: Random, trainer: Trainer | undefined) {
    this.task = task;
    this.weight = task.occurrences.length;
    this.bench = benchOf(task, r.graph);
    this.space = spaceOf(task.workload, r.board.target.features, r.templates);
    this.propose = candidateMaker(task, this.space, {
      board: r.board,
      scratchBytes: Math.min(scratchRoom(r.board, this.bench), r.scratchBytes?.(task) ?? Number.POSITIVE_INFINITY),
    });
    // What was measured before is proposed to be told, however slow it was; what a policy draws must have a chance.
    const propose = withoutHopeless(this.propose, () => this.history.at(-1) ?? Number.POSITIVE_INFINITY);
    this.policy = r.policy.make({ space: this.space, random, propose, costModel: trainer?.model() });
    const first = this.propose(this.space.fallback);
    this.ready = first.ok ? [first.candidate] : [];
  }

  /** What was measured before is told, not measured again. Returns how many of them count against this job's budget. */
  async takeKnown(known: readonly Known[], signal: AbortSignal): Promise<number> {
    const done = new Set<string>();
    for (const [i, k] of known.entries()) {
      if (i % atOnce === atOnce - 1) await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) break;
      if (k.mine) this.count(k.result);
      if (lostDevice(k.result)) continue;
      if (k.binary !== null) this.binaries.set(k.binary, { id: k.id, result: k.result });
      const config = this.asOfNow(k);
      const key = configKey(config);
      if (done.has(key)) continue;
      done.add(key);
      const made = this.propose(config);
      if (made.ok) this.learn(made.candidate, k.result);
      if (config.template === 'default' && k.result.status === 'ok') this.ready = [];
    }
    return this.trials;
  }

  /** The config of a measurement; only its schedule where another microtune had other templates or another default. */
  private asOfNow({ config, schedule }: Known): Config {
    const known =
      config.template === 'default'
        ? configKey(config) === configKey(this.space.fallback)
        : this.space.scheduleOf(config) !== undefined;
    return known ? config : { template: 'literal', version: 1, schedule };
  }

  async ask(count: number): Promise<void> {
    const asked = await this.policy.ask(count);
    if (asked.length === 0) this.exhausted = true;
    // Something may have been withdrawn meanwhile, and stands here to be tried again.
    this.ready.push(...asked);
  }

  took(candidate: Candidate, result: MeasureResult, kind: 'measured' | 'reused'): void {
    if (kind === 'measured') this.count(result);
    this.learn(candidate, result);
  }

  /** A measurement of this search does not stand: it goes, with all that was taken over from it, and its candidate is next. */
  forget(candidate: Candidate, result: MeasureResult): void {
    if (result.binary !== undefined) this.binaries.delete(result.binary);
    if (candidate.config.template === 'default') this.default = null;
    this.trials--;
    const stand = this.told.filter((r) => r !== result);
    this.told = [];
    this.history.length = 0;
    for (const r of stand) this.note(r);
    this.ready.unshift(candidate);
  }

  progress(): TaskProgress {
    const best = this.history.at(-1);
    return {
      task: this.task,
      trials: this.trials,
      failed: this.failed,
      default: this.default,
      best: best !== undefined && Number.isFinite(best) ? best : null,
      exhausted: this.exhausted,
    };
  }

  private count(result: MeasureResult): void {
    this.trials++;
    if (result.status === 'failed') this.failed++;
  }
  private learn(candidate: Candidate, result: MeasureResult): void {
    if (candidate.config.template === 'default') {
      if (result.status === 'ok') this.default = result.cycles;
    } else this.policy.tell(candidate, result);
    this.note(result);
  }
  private note(result: MeasureResult): void {
    const cycles = result.status === 'ok' ? result.cycles : Number.POSITIVE_INFINITY;
    this.told.push(result);
    this.history.push(Math.min(this.history.at(-1) ?? Number.POSITIVE_INFINITY, cycles));
  }
}
