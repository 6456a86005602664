/**
 * One candidate's trip: built, looked up among the binaries that were measured already, else run on a device (again on
 * another if the device was lost), recorded. Builds and runs have queues of their own, so that cores and devices are both busy.
 */
import PQueue from 'p-queue';
import type { Failure } from '../compiler/result.ts';
import type { Candidate } from './candidates.ts';
import { type Built, buildCandidate } from './measure/builder.ts';
import type { Measured, TaskState } from './task-state.ts';
import type { TuneRequest } from './tune.ts';
import { lostDevice, type MeasureResult } from './types.ts';

/** What became of a trial: measured ones count against the budget; dropped ones lost their device because of a stop. */
export type Outcome =
  | { readonly kind: 'measured' | 'reused'; readonly result: MeasureResult; readonly broken?: Failure }
  | { readonly kind: 'dropped' };

/** How often a trial is tried again when its device vanished: once, since a candidate may be what kills devices. */
const retries = 1;
export class Trials {
  private readonly r: TuneRequest;
  private readonly builds: PQueue;
  private readonly runs: PQueue;

  constructor(r: TuneRequest) {
    this.r = r;
    this.builds = new PQueue({ concurrency: r.cores });
    this.runs = new PQueue({ concurrency: Math.max(1, r.pool.size) });
  }

  async run(state: TaskState, candidate: Candidate): Promise<Outcome> {
    const since = this.r.now();
    const built = await this.builds.add(() => buildCandidate(candidate.kernel, this.r.board.target, this.r.cacheDir));
    const compile = this.r.now() - since;
    if (!built.ok) {
      const { stage: _, ...why } = built.error;
      return this.put(state, candidate, { status: 'failed', stage: 'compile', ...why, times: { compile } });
    }
    const { binary } = built.value;
    const known = await state.binaries.get(binary);
    if (known !== undefined) {
      this.record(state, candidate, known.result, known.id);
      return { kind: 'reused', result: known.result };
    }
    const waiting = Promise.withResolvers<Measured | undefined>();
    state.binaries.set(binary, waiting.promise);
    try {
      const measured = await this.runs.add(() => this.onDevice(state, candidate, built.value));
      const result = { ...measured, times: { compile, ...measured.times } };
      if (this.r.signal.aborted && lostDevice(result)) return { kind: 'dropped' };
      const id = this.record(state, candidate, result, null);
      if (!lostDevice(result)) waiting.resolve({ id, result });
      return outcome(result);
    } finally {
      // A device that was lost says nothing about the binary: the next equal candidate is measured for itself.
      waiting.resolve(undefined);
      if ((await waiting.promise) === undefined) state.binaries.delete(binary);
    }
  }

  private put(state: TaskState, candidate: Candidate, result: MeasureResult): Outcome {
    this.record(state, candidate, result, null);
    return outcome(result);
  }
  private record(state: TaskState, candidate: Candidate, result: MeasureResult, reusedFrom: string | null): string {
    const { config, schedule } = candidate;
    const policy = config.template === 'default' ? 'default' : this.r.policyName;
    return this.r.record({ task: state.task, policy, config, schedule, result, reusedFrom });
  }

  private async onDevice(state: TaskState, candidate: Candidate, built: Built): Promise<MeasureResult> {
    // Which inputs a binary is tested with follows from the binary: measuring it again repeats the very same trial.
    const vector = Number.parseInt(built.binary.slice(0, 6), 16);
    let last: MeasureResult = lost({ stage: 'run', code: 'LINK', detail: 'stopped before it ran' }, built);
    for (let attempt = 0; attempt <= retries && !this.r.signal.aborted; attempt++) {
      const used = await this.r.pool.use((station) =>
        station.measure({ kernel: candidate.kernel, built, bench: state.bench, vector }),
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
/** What a pool says when it has no device any more. */
const noneLeft = (r: MeasureResult): boolean => r.status === 'failed' && r.stage === 'load';

/** Without a compiler or a device no other candidate fares better: the job ends. */
function outcome(result: MeasureResult): Outcome {
  if (result.status === 'ok' || !(noneLeft(result) || result.code === 'TOOL_MISSING'))
    return { kind: 'measured', result };
  const { stage, code, detail } = result;
  return { kind: 'measured', result, broken: { stage, code, detail } };
}
