/**
 * One candidate's trip: built, looked up among the binaries that were measured already, else run on a device (again on
 * another if the device was lost), recorded. Cores and devices have queues of their own, which other searches may share.
 */
import type { Failure, Result } from '../compiler/result.ts';
import { isOutside } from '../toolchain/index.ts';
import type { Candidate } from './candidates.ts';
import type { Client } from './fair-turns.ts';
import { type Built, buildCandidate, vectorOf } from './measure/builder.ts';
import type { TuneRequest } from './request.ts';
import { SharedPlaces } from './shared-places.ts';
import type { Measured, TaskState } from './task-state.ts';
import { lostDevice, type MeasureResult } from './types.ts';

/**
 * What became of a trial: measured ones count against the budget; dropped ones could not be tried and leave no record, because
 * of a stop, or of something that is the matter with compiler, disk or devices (`broken`: no other candidate fares better).
 */
export type Outcome =
  | { readonly kind: 'measured' | 'reused'; readonly id: string; readonly result: MeasureResult }
  | { readonly kind: 'dropped'; readonly broken?: Failure };

/** How often a trial is tried again when its device vanished: once, since a candidate may be what kills devices. */
const retries = 1;
/** How often it is built again because the cache was deleted under it. */
const rebuilds = 3;

/** A measurement that was recorded, by the value that its device gave. */
interface Recorded extends Measured {
  readonly state: TaskState;
  readonly candidate: Candidate;
}
type Withdrawn = (state: TaskState, candidate: Candidate, recorded: Measured) => void;

export class Trials {
  private readonly r: TuneRequest;
  private readonly recorded = new WeakMap<MeasureResult, Recorded>();
  private readonly builds: SharedPlaces;
  private readonly client: Client;
  private readonly stopListening: () => void;

  /** `withdrawn` hears of measurements that do not stand any more. */
  constructor(r: TuneRequest, withdrawn: Withdrawn) {
    this.r = r;
    this.builds = r.builds ?? new SharedPlaces(r.cores, r.now);
    this.client = r.client ?? { id: 'the only one', weight: 1 };
    this.stopListening = this.listen((known, why) => {
      r.doubt?.(known.id, why);
      withdrawn(known.state, known.candidate, known);
    });
  }

  /** Ends the search's part. What a search that was stopped did not have checked may still turn out not to stand: that is noted. */
  close(): void {
    this.stopListening();
    const { doubt, signal } = this.r;
    if (signal.aborted) this.listen(({ id }, why) => doubt?.(id, why));
  }

  private listen(heard: (known: Recorded, why: string) => void): () => void {
    const { recorded } = this;
    return this.r.pool.onDoubt((results, why) => {
      for (const value of results) {
        const known = recorded.get(value);
        // A pool serves several searches.
        if (known === undefined) continue;
        recorded.delete(value);
        heard(known, why);
      }
    });
  }

  /** Whoever deletes the build cache costs builds. */
  async run(state: TaskState, candidate: Candidate): Promise<Outcome> {
    for (let again = 0; ; again++) {
      const outcome = await this.once(state, candidate);
      const lost = outcome.kind === 'dropped' && outcome.broken?.code === 'CACHE_LOST';
      if (!lost || again === rebuilds) return outcome;
    }
  }

  private async once(state: TaskState, candidate: Candidate): Promise<Outcome> {
    const { signal } = this.r;
    const made = await this.builds.use(this.client, async () => (signal.aborted ? undefined : this.build(candidate)));
    // A stop that comes before the build need not wait for it.
    if (made === undefined) return { kind: 'dropped' };
    const { built, compile } = made;
    if (!built.ok) {
      if (isOutside(built.error.code)) return { kind: 'dropped', broken: built.error };
      const { code, detail } = built.error;
      const result: MeasureResult = { status: 'failed', stage: 'compile', code, detail, times: { compile } };
      return { kind: 'measured', id: this.record(state, candidate, result, null), result };
    }
    const { binary } = built.value;
    for (let same = state.binaries.get(binary); same !== undefined; same = state.binaries.get(binary)) {
      const known = await same;
      if (known !== undefined) return this.reuse(state, candidate, known);
    }
    // From the last look at what is under way until this one is, nobody else has a turn.
    const known = this.r.measured?.(state.task, binary);
    return known === undefined
      ? this.measure(state, candidate, built.value, compile)
      : this.reuse(state, candidate, known);
  }

  private reuse(state: TaskState, candidate: Candidate, { id: from, result }: Measured): Outcome {
    return { kind: 'reused', id: this.record(state, candidate, result, from), result };
  }

  /** Equal binaries wait for this one from the first moment on. If its device is lost, the next of them is measured for itself. */
  private async measure(state: TaskState, candidate: Candidate, built: Built, compile: number): Promise<Outcome> {
    const waiting = Promise.withResolvers<Measured | undefined>();
    state.binaries.set(built.binary, waiting.promise);
    let done: Measured | undefined;
    try {
      const measured = await this.onDevice(state, candidate, built);
      const result = { ...measured, times: { compile, ...measured.times } };
      if (this.r.signal.aborted && lostDevice(result)) return { kind: 'dropped' };
      if (sayingNothing(result)) return { kind: 'dropped', broken: failureOf(result) };
      const id = this.record(state, candidate, result, null);
      this.recorded.set(measured, { id, result, state, candidate });
      if (!lostDevice(result)) done = { id, result };
      return { kind: 'measured', id, result };
    } finally {
      if (done === undefined) state.binaries.delete(built.binary);
      else state.know(built.binary, done);
      waiting.resolve(done);
    }
  }

  /** The object, and how long it took without the time in the queue. */
  private async build(candidate: Candidate): Promise<{ readonly built: Result<Built>; readonly compile: number }> {
    const since = this.r.now();
    const built = await buildCandidate(candidate.kernel, this.r.board.target, this.r.cacheDir);
    return { built, compile: this.r.now() - since };
  }

  private record(state: TaskState, candidate: Candidate, result: MeasureResult, reusedFrom: string | null): string {
    const { config, schedule, features } = candidate;
    const policy = config.template === 'default' ? 'default' : this.r.policyName;
    return this.r.record({ task: state.task, policy, config, schedule, features, result, reusedFrom });
  }

  private async onDevice(state: TaskState, candidate: Candidate, built: Built): Promise<MeasureResult> {
    const vector = vectorOf(built);
    const bench = await state.benchWith(vector);
    let last: MeasureResult = lost({ stage: 'run', code: 'LINK', detail: 'stopped before it ran' }, built);
    for (let attempt = 0; attempt <= retries && !this.r.signal.aborted; attempt++) {
      const used = await this.r.pool.use(
        (station) => station.measure({ kernel: candidate.kernel, built, bench, vector }),
        this.client,
        this.r.signal,
      );
      last = used.ok ? used.value : lost(used.error, built);
      if (!lostDevice(last) || noneLeft(last)) break;
    }
    return last;
  }
}

const lost = ({ stage, code, detail }: Failure, { binary }: Built): MeasureResult => ({
  status: 'failed',
  stage: stage === 'load' ? 'load' : 'run',
  code,
  detail,
  binary,
  times: {},
});
type Failed = MeasureResult & { readonly status: 'failed' };
/** What a pool says when it has no device any more. */
const noneLeft = (r: MeasureResult): r is Failed => r.status === 'failed' && r.stage === 'load';
/** What says nothing of its candidate, whichever device it would have met. */
const sayingNothing = (r: MeasureResult): r is Failed =>
  r.status === 'failed' && (r.stage === 'load' || isOutside(r.code));
const failureOf = ({ stage, code, detail }: Failed): Failure => ({ stage, code, detail });
