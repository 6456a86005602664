/**
 * When a job will be done beside others that share the farm with it: as they end its share grows, and as places become free those
 * that wait take theirs. Must stay true: only jobs that are there now are counted; one that comes later can delay it by no more
 * than its own work.
 */
import type { JobRow } from '../../db/types.ts';
import type { Outlook, Run } from '../progress.ts';
import { weightOf } from './choice.ts';

/** A job, as what it still takes. */
export interface Burden {
  /** Of the farm's time, against that of others. */
  readonly weight: number;
  /** Milliseconds of the whole farm. */
  readonly farmMs: number;
  /** Milliseconds by the clock after which it ends in any case; Infinity without such a limit. */
  readonly endsIn: number;
}

/** What is less than this is done, ms: sums of shares are not exact. */
const nothing = 1e-6;
const isOver = ({ farmMs, endsIn }: Burden): boolean => farmMs <= nothing || endsIn <= nothing;

/** Milliseconds until `mine` is done; those of `next` begin in this order, one for each of `beside` that has ended. */
export function doneIn(mine: Burden, beside: readonly Burden[], next: readonly Burden[]): number {
  const waiting = next.values();
  let others = beside;
  let passed = 0;
  for (let left = mine; ; ) {
    const all = [left, ...others].reduce((sum, { weight }) => sum + weight, 0);
    const msTo = ({ weight, farmMs, endsIn }: Burden): number => Math.min(endsIn, (farmMs * all) / weight);
    const step = Math.min(msTo(left), ...others.map(msTo));
    if (step === Number.POSITIVE_INFINITY) return step;
    const after = (b: Burden): Burden => ({
      weight: b.weight,
      farmMs: b.farmMs - (step * b.weight) / all,
      endsIn: b.endsIn - step,
    });
    passed += step;
    left = after(left);
    if (isOver(left)) return passed;
    others = others.map(after).flatMap((b) => (isOver(b) ? (waiting.next().value ?? []) : b));
  }
}

/** A job that waits for its turn, where a trial takes so much of the farm. */
function queuedBurden(job: JobRow, msPerTrial: number): Burden {
  const endsIn = job.timeMs === null ? Number.POSITIVE_INFINITY : Math.max(0, job.timeMs - job.spentMs);
  return { weight: weightOf(job), farmMs: job.trials * msPerTrial, endsIn };
}

/** Whose outlook it is, all that run, and those that wait for their turn in order; asked for at each look. */
export interface Scene {
  run(): Run;
  running(): readonly Run[];
  next(): readonly JobRow[];
}
/** What a run can expect of the farm beside those that are there. */
export function outlookOf(scene: Scene): Outlook {
  const others = (): readonly Run[] => scene.running().filter((r) => r !== scene.run() && r.waiting === null);
  return {
    share() {
      const mine = weightOf(scene.run().job);
      const turns = others().filter((r) => r.takesTurns);
      return mine / turns.reduce((sum, { job }) => sum + weightOf(job), mine);
    },
    doneIn(mine, msPerTrial) {
      const beside = others().map((r) => r.burden(msPerTrial));
      const next = scene.next().map((row) => queuedBurden(row, msPerTrial));
      return doneIn(mine, beside, next);
    },
  };
}
