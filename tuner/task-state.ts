/** What the tune loop knows of one task: its space, its policy, what was measured, how it is getting on. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Task } from '../compiler/tasks.ts';
import type { Candidate, Proposed } from './candidates.ts';
import type { Trainer } from './cost-models/index.ts';
import { alone, type Listener, type Seat } from './exchange.ts';
import { inOtherLayouts, LayoutTrials, noLayouts } from './layouts.ts';
import type { Bench } from './measure/bench.ts';
import { scratchRoom } from './measure/rooms.ts';
import { groundOf, type Mind, mindHere } from './mind.ts';
import type { Seen } from './policies/index.ts';
import type { Random } from './random.ts';
import type { Known, TaskProgress, TuneRequest } from './request.ts';
import { configKey, type SearchSpace } from './space.ts';
import type { Progress } from './task-scheduler.ts';
import { type Config, lostDevice, type MeasureResult } from './types.ts';

/** A measurement that stands for its binary. */
export interface Measured {
  readonly id: string;
  readonly result: MeasureResult;
}
export class TaskState implements Progress {
  readonly task: Task;
  readonly weight: number;
  /** By binary, a promise while it is being measured (undefined: it came to nothing); then only where nobody else can be asked. */
  readonly binaries = new Map<string, Measured | Promise<Measured | undefined>>();
  readonly history: number[] = [];
  /** To be tried next; the default schedule comes first. */
  ready: Candidate[];
  pending = 0;
  exhausted = false;
  /** Whether this search tunes it; else it only takes what is known. */
  readonly chosen: boolean;

  /** To be tried at last: what was best, in other layouts. */
  laid: Candidate[] = [];

  private readonly remembered: boolean;
  private readonly layouts: LayoutTrials;
  private readonly seat: Seat;
  /** What was measured before, or by others meanwhile, and is not taken in yet: each must be replayed for that. */
  private heard: Known[] = [];
  /** Something of that may matter now. */
  private fresh = false;
  /** Measurements of others, by record. */
  private readonly foreign = new Map<string, { readonly config: Config; readonly result: MeasureResult }>();
  private readonly space: SearchSpace;
  private readonly bench: Bench;
  private readonly mind: Mind;
  /** At once and in this thread: for the few that cannot wait. */
  private readonly propose: (config: Config) => Proposed;
  private trials: number;
  private failed: number;
  private default: number | null = null;
  /** What history was made of; by binary, as what does not stand goes with all that was taken over from it. */
  private told: { readonly binary: string | undefined; readonly cycles: number }[] = [];

  /** `stir` is called when others have changed something. */
  constructor(
    task: Task,
    r: TuneRequest,
    random: Random,
    trainer: Trainer | undefined,
    stir: () => void = () => undefined,
    layouts = noLayouts,
  ) {
    this.task = task;
    this.chosen = r.only === undefined || r.only.has(task.id);
    this.remembered = r.measured !== undefined;
    this.seat = r.join?.(task, this.listener(stir)) ?? alone;
    const made = r.made?.(task) ?? { trials: 0, failed: 0 };
    [this.trials, this.failed] = [made.trials, made.failed];
    this.layouts = new LayoutTrials(task, r.templates.templates, layouts);
    this.weight = task.occurrences.length;
    const wished = r.scratchBytes?.(task) ?? Number.POSITIVE_INFINITY;
    const scratchOf = (bench: Bench): number => Math.min(scratchRoom(r.board, bench), wished);
    const ground = groundOf(task, r, scratchOf);
    [this.space, this.bench, this.propose] = [ground.space, ground.bench, ground.propose];
    const subject = { task, random, scratchBytes: scratchOf(ground.bench), best: () => this.best };
    this.mind = r.minds?.(subject) ?? mindHere(ground, r.policy, subject, trainer?.model());
    const first = this.propose(this.space.fallback);
    this.ready = first.ok ? [first.candidate] : [];
  }

  /** Whether its next trial may begin: no other search is on it. */
  get available(): boolean {
    return this.chosen && this.seat.available;
  }
  /** Others have what is left to do here. */
  get elsewhere(): boolean {
    return this.chosen && (!this.exhausted || this.ready.length > 0) && !this.seat.available;
  }
  /** Trials of this search, those of earlier runs too. */
  get spent(): number {
    return this.trials;
  }
  /** Best count known; Infinity before the first success. */
  get best(): number {
    return this.history.at(-1) ?? Number.POSITIVE_INFINITY;
  }

  /** Trials that other layouts may take. */
  get layoutTrials(): number {
    return this.chosen ? this.layouts.most : 0;
  }
  async readyLayouts(): Promise<void> {
    if (!this.available) return;
    const laid: Candidate[] = [];
    for (const config of this.layouts.next()) {
      const made = await this.mind.propose(config);
      if (made.ok) laid.push(made.candidate);
    }
    this.laid = laid;
  }
  /** What candidates are tested with; the vector that `n` stands for is worked out. */
  async benchWith(n: number): Promise<Bench> {
    const vector = await this.mind.vector(n);
    return { ...this.bench, vector: () => vector };
  }

  /** Makes it this search's. */
  take(): void {
    this.seat.take();
  }
  /** Lets others have it where this search has nothing under way and nothing ready there. */
  giveBack(): void {
    if (this.pending === 0 && this.ready.length === 0) this.seat.release();
  }
  /** The same, where nothing is left to do. */
  settle(): void {
    if (this.exhausted) this.giveBack();
  }
  leave(): void {
    this.seat.leave();
  }

  /** What this search begins with. */
  begin(known: readonly Known[]): void {
    this.heard.push(...known);
    this.fresh = true;
  }
  /** Takes in what changes the best or the default, of all that was heard. */
  async takeWhatMatters(signal: AbortSignal): Promise<void> {
    if (!this.fresh) return;
    this.fresh = false;
    // The fastest first: behind one that holds here no other matters.
    for (const k of this.heard.toSorted((a, b) => countOf(a) - countOf(b))) {
      if (k.config.template !== 'default' && countOf(k) >= this.best) continue;
      this.heard = this.heard.filter((other) => other !== k);
      await this.takeKnown([k], signal);
    }
  }
  /** Takes in the rest, before this search goes on here; whether there was any. */
  async takeRest(signal: AbortSignal): Promise<boolean> {
    const rest = this.heard;
    this.heard = [];
    await this.takeKnown(rest, signal);
    return rest.length > 0;
  }

  private listener(stir: () => void): Listener {
    return {
      heard: (known) => {
        this.begin([known]);
        stir();
      },
      withdrawn: (record) => {
        this.unlearn(record);
        stir();
      },
      freed: stir,
    };
  }

  /** What was measured before, or by others, is told, not measured again. */
  async takeKnown(known: readonly Known[], signal: AbortSignal): Promise<void> {
    const done = new Set<string>();
    for (const k of known) {
      // Each is replayed: whoever needs the event loop has it before.
      await turn();
      if (signal.aborted) break;
      if (lostDevice(k.result)) continue;
      this.foreign.set(k.id, { config: k.config, result: k.result });
      if (k.binary !== null) this.know(k.binary, { id: k.id, result: k.result });
      const config = this.asOfNow(k);
      const key = configKey(config);
      if (done.has(key)) continue;
      done.add(key);
      const made = await this.mind.propose(config);
      if (made.ok) this.learn(made.candidate, k.result);
      if (k.result.status === 'ok') this.ready = this.ready.filter((c) => configKey(c.config) !== key);
    }
  }

  /** Knows, or need not know, a binary that was measured. */
  know(binary: string, measured: Measured): void {
    if (this.remembered) this.binaries.delete(binary);
    else this.binaries.set(binary, measured);
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
    const asked = await this.mind.policy.ask(count);
    if (asked.length === 0) this.exhausted = true;
    // Something may have been withdrawn meanwhile, and stands here to be tried again.
    this.ready.push(...asked);
  }

  took(candidate: Candidate, id: string, result: MeasureResult, kind: 'measured' | 'reused'): void {
    if (kind === 'measured') this.count(result);
    this.learn(candidate, result);
    const { config, schedule } = candidate;
    this.seat.tell({ id, config, schedule, binary: result.binary ?? null, result });
  }

  /** A measurement of this search does not stand: it goes, with all that was taken over from it, and its candidate is next. */
  forget(candidate: Candidate, id: string, result: MeasureResult): void {
    this.trials--;
    this.drop(candidate.config, result);
    this.ready.unshift(candidate);
    this.seat.withdraw(id);
  }

  /** The same of another search's. */
  private unlearn(record: string): void {
    this.heard = this.heard.filter((k) => k.id !== record);
    const known = this.foreign.get(record);
    if (known === undefined) return;
    this.foreign.delete(record);
    this.drop(known.config, known.result);
    const again = this.propose(known.config);
    if (again.ok) this.ready.unshift(again.candidate);
  }
  private drop(config: Config, result: MeasureResult): void {
    this.fresh = true;
    if (result.binary !== undefined) this.binaries.delete(result.binary);
    if (config.template === 'default') this.default = null;
    this.layouts.drop(config);
    const stand = this.told.filter(({ binary }) => binary === undefined || binary !== result.binary);
    this.told = [];
    this.history.length = 0;
    for (const { binary, cycles } of stand) this.note(binary, cycles);
  }

  progress(): TaskProgress {
    return {
      task: this.task,
      trials: this.trials,
      failed: this.failed,
      default: this.default,
      best: Number.isFinite(this.best) ? this.best : null,
      exhausted: this.exhausted,
    };
  }

  private count(result: MeasureResult): void {
    this.trials++;
    if (result.status === 'failed') this.failed++;
  }
  private learn(seen: Seen, result: MeasureResult): void {
    this.layouts.note(seen.config, result);
    // What its neighbours pay for is not better: no policy hears of it.
    if (inOtherLayouts(seen.config)) return;
    this.note(result.binary, result.status === 'ok' ? result.cycles : Number.POSITIVE_INFINITY);
    if (seen.config.template !== 'default') this.mind.policy.tell(seen, result);
    else if (result.status === 'ok') this.default = result.cycles;
  }
  private note(binary: string | undefined, cycles: number): void {
    this.told.push({ binary, cycles });
    this.history.push(Math.min(this.best, cycles));
  }
}

const countOf = ({ result }: Known): number => (result.status === 'ok' ? result.cycles : Number.POSITIVE_INFINITY);
