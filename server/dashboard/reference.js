// @ts-check
/** What random search came to on the tasks of a job, as a line to compare its curve with. */

/**
 * The network's sum with the best that trials of the policy "random" found; undefined where some task has none, and for a job
 * that is random itself.
 * @param {import('./page.js').Page} page
 * @param {import('../schemas/index.ts').JobBody} job
 * @returns {Promise<number | undefined>}
 */
export async function randomReference(page, job) {
  if (job.policy === 'random') return undefined;
  let sum = 0;
  for (const t of job.tasks) {
    const of = new URLSearchParams({ task: t.id, board: job.board, kind: job.kind, policy: 'random' });
    const best = (await page.find(`/v1/stats/curve?${of}`))?.points?.at(-1)?.cycles;
    if (typeof best !== 'number') return undefined;
    sum += best * t.occurrences;
  }
  return job.tasks.length === 0 ? undefined : sum;
}
