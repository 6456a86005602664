/**
 * Which job comes next, and why one does not. Must stay true: the answer follows from the rows and the time alone, so that it is
 * the same after a restart; no stream of jobs, however important, keeps another one waiting for ever.
 */
import type { JobRow, Priority } from '../../db/types.ts';
import type { Client } from '../../tuner/fair-turns.ts';
import type { WaitingBody } from '../schemas/index.ts';
import { ended } from './states.ts';
import { knownWindow, type Window, windowAt } from './window.ts';

/** Shares of jobs that run at the same time, of devices and of cores. */
const weights: Readonly<Record<Priority, number>> = { low: 1, normal: 4, high: 16 };
export const weightOf = (job: Pick<JobRow, 'priority'>): number => weights[job.priority];

/** A run where jobs take turns: its weight follows the job's priority. */
export const clientOf = (run: { readonly job: JobRow }): Client => ({
  id: run.job.id,
  get weight() {
    return weightOf(run.job);
  },
});

/** A job of weight 1 that has waited so long goes before whatever comes now, however important. */
const patienceMs = 4 * 3_600_000;
/** When a job should begin at the latest, if there is only so much room. */
const due = (job: JobRow): number => Date.parse(job.createdAt) + patienceMs / weightOf(job);

/** The job's window; undefined: it may run at any time. A zone that is not known any more must not keep it from running. */
export const windowOf = ({ window }: Pick<JobRow, 'window'>): Window | undefined =>
  window === null ? undefined : knownWindow(window);
/** When a job that may not run now may; undefined where it may. */
export function closedUntil(job: JobRow, now: number): number | undefined {
  const window = windowOf(job);
  const state = window && windowAt(window, now);
  return state === undefined || state.open ? undefined : state.until;
}
/** Why a job that may still run does not: its window, or the `atOnce` jobs that go before it. */
export function heldBack(job: JobRow, now: number, atOnce: number): WaitingBody {
  const opens = closedUntil(job, now);
  return opens === undefined
    ? { code: 'TURN', detail: `as many jobs are under way as may be: ${atOnce}`, until: null }
    : { code: 'WINDOW', detail: `it runs ${job.window}`, until: new Date(opens).toISOString() };
}

/** Those that may begin or go on now, in order: what an earlier daemon left running, then whoever is due first. */
export const inOrder = (jobs: readonly JobRow[], now: number): readonly JobRow[] =>
  jobs
    .filter((j) => (j.state === 'running' || j.state === 'queued') && closedUntil(j, now) === undefined)
    .sort((a, b) => rank(a) - rank(b) || due(a) - due(b));
const rank = (job: JobRow): number => (job.state === 'running' ? 0 : 1);

/** Milliseconds until some window opens or closes; undefined where no job that has not ended has one. */
export function nextChange(jobs: readonly JobRow[], now: number): number | undefined {
  const changes = jobs.flatMap((j) => {
    const window = ended(j.state) || j.state === 'paused' ? undefined : windowOf(j);
    return window === undefined ? [] : [windowAt(window, now).until - now];
  });
  return changes.length === 0 ? undefined : Math.min(...changes);
}
