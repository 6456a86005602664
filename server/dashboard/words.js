// @ts-check
/** What a job is doing, in words. */
import { count, counted, span, when } from './format.js';
import { chip } from './ui.js';

/** @typedef {import('../schemas/index.ts').JobSummary} JobRow */

/** @type {Readonly<Record<string, string>>} */
const tones = { running: 'busy', queued: '', paused: 'warn', done: 'ok', failed: 'bad', cancelled: '' };

/** @param {JobRow} j */
export const stateChip = (j) => chip(j.waiting ? 'waiting' : j.state, j.waiting ? 'warn' : tones[j.state]);

/** @type {Readonly<Record<string, string>>} */
const reasons = {
  WINDOW: 'outside its daily window',
  TURN: 'other jobs have their turn',
  NO_DEVICE: 'no device is there to measure on',
  DISK_FULL: 'the disk is full',
  DB_BUSY: 'the database is held by somebody else',
  DATA_DIR_READONLY: 'the data directory cannot be written',
  TOO_MANY_PROCESSES: 'the system starts no more processes',
  CACHE_LOST: 'files of the build cache are gone, and are made again',
  SAME_TASKS: 'another job tunes the same tasks',
};

/** Why a job does not move, if it does not. @param {JobRow} j */
function waitingWords(j) {
  if (!j.waiting) return '';
  const { code, detail, until } = j.waiting;
  const why = reasons[code] ?? code;
  return `Waiting: ${why}${detail ? ` (${detail})` : ''}${until ? `, until ${when(until)}` : ''}`;
}

/** How far it is. @param {JobRow} j */
export function stateWords(j) {
  if (j.waiting) return waitingWords(j);
  switch (j.state) {
    case 'queued':
      return j.startedAt === null ? 'In the queue' : 'In the queue again';
    case 'running':
      return j.leftMs === null ? `Running for ${span(j.spentMs)}` : `About ${span(j.leftMs)} left`;
    case 'paused':
      return `Paused after ${span(j.spentMs)}`;
    case 'done':
      return `Done in ${span(j.spentMs)}, ${when(j.endedAt)}`;
    case 'failed':
      return `Failed, ${when(j.endedAt)}`;
    case 'cancelled':
      return `Cancelled, ${when(j.endedAt)}`;
  }
}

/** @param {JobRow} j */
export const jobTitle = (j) => j.name || j.modelName;

/** Jobs that can still do something. @param {JobRow} j */
export const isOpen = (j) => j.state === 'running' || j.state === 'queued' || j.state === 'paused';

/** The budget of trials of a job that only its other limits end, as server/jobs/request.ts has it. */
export const endless = 10_000_000;

/** @param {JobRow} j */
const isEndless = (j) => j.timeMs !== null && j.trials.budget >= endless;

/** Trials against the budget; a budget of time alone has no number of trials. @param {JobRow} j */
export const trialsText = (j) =>
  isEndless(j) ? count(j.trials.done) : `${count(j.trials.done)} / ${count(j.trials.budget)}`;

/** The same in words: "3 / 400 trials". @param {JobRow} j */
export const trialsWords = (j) =>
  isEndless(j) ? counted(j.trials.done, 'trial') : `${count(j.trials.done)} / ${counted(j.trials.budget, 'trial')}`;

/** How much of the budget is used, 0 to 1. @param {JobRow} j */
export const usedShare = (j) =>
  Math.min(1, Math.max(j.trials.done / j.trials.budget, j.timeMs === null ? 0 : j.spentMs / j.timeMs));
