// @ts-check
/**
 * What random search came to on the network of a job, as a line to compare its curve with. It is measured, not modelled: the best
 * that trials of the policy "random" found, in whatever job. The
 * default schedule is there for everybody: a layer without random trials, as one that has no other schedule and was measured by
 * an earlier job, counts with it.
 */
import { counted } from './format.js';

/**
 * @typedef {object} Reference
 * @property {number} cycles  Of the network: a sum over its layers.
 * @property {number} trials  Of random search that it rests on.
 * @property {number} without  Tasks that have none.
 */

/**
 * Undefined where no task has a trial of random search or one has no count at all, and for a job that is random itself.
 * @param {Pick<import('./page.js').Page, 'find'>} page
 * @param {Pick<import('../schemas/index.ts').JobBody, 'policy' | 'model' | 'board' | 'kind' | 'tasks'>} job
 * @returns {Promise<Reference | undefined>}
 */
export async function randomReference(page, job) {
  if (job.policy === 'random') return undefined;
  const of = new URLSearchParams({ network: job.model, board: job.board, kind: job.kind, policy: 'random' });
  /** @type {readonly { task: string, best: number | null, trials: number }[]} */
  const found = (await page.find(`/v1/stats/best?${of}`))?.items ?? [];
  const known = new Map(found.flatMap((f) => (f.best === null ? [] : [[f.task, { ...f, best: f.best }]])));
  const sum = { cycles: 0, trials: 0, without: 0 };
  for (const t of job.tasks) {
    const random = known.get(t.id);
    const counts = [random?.best, t.default].filter((n) => typeof n === 'number');
    if (counts.length === 0) return undefined;
    const cycles = Math.min(...counts);
    sum.cycles += cycles * t.occurrences;
    sum.trials += random?.trials ?? 0;
    sum.without += random === undefined ? 1 : 0;
  }
  return sum.without === job.tasks.length ? undefined : sum;
}

/** What the line is, in a sentence. @param {Reference | undefined} r */
export function referenceWords(r) {
  if (r === undefined) return '';
  const rest = r.without === 0 ? '' : `; ${counted(r.without, 'task')} without any by default schedules`;
  return `Random search: the best of ${counted(r.trials, 'trial')} of that policy on the same tasks, of any job${rest}.`;
}
