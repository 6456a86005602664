// @ts-check
/** What a user may do to a job; only what its state allows. */
import { h } from './dom.js';
import { to } from './router.js';
import { button, select } from './ui.js';
import { isOpen, jobTitle } from './words.js';

/**
 * @param {import('./page.js').Page} page
 * @param {import('../schemas/index.ts').JobSummary} j
 * @param {() => Promise<void>} reload
 */
export function jobButtons(page, j, reload) {
  const act = (/** @type {'pause' | 'resume' | 'cancel'} */ verb, /** @type {string} */ told) => () =>
    page.act(async () => {
      await page.api.send('POST', `/v1/jobs/${encodeURIComponent(j.id)}/${verb}`);
      await reload();
      return `${jobTitle(j)}: ${told}`;
    });
  const of = { title: jobTitle(j) };
  return h(
    'div',
    { class: 'buttons' },
    (j.state === 'running' || j.state === 'queued') && button('Pause', act('pause', 'paused'), { ...of, key: 'pause' }),
    j.state === 'paused' && button('Resume', act('resume', 'in the queue again'), { ...of, key: 'resume' }),
    isOpen(j) &&
      button('Cancel', act('cancel', 'cancelled; what it measured is kept'), { ...of, kind: 'danger', key: 'cancel' }),
    h('a', { class: 'button', href: to('new', { clone: j.id }), key: 'clone' }, 'Clone…'),
  );
}

const priorities = /** @type {const} */ (['low', 'normal', 'high']);

/**
 * Its share of the farm, as a choice; nothing once it has ended.
 * @param {import('./page.js').Page} page
 * @param {import('../schemas/index.ts').JobSummary} j
 * @param {() => Promise<void>} reload
 */
export function priorityChoice(page, j, reload) {
  const prioritise = (/** @type {string} */ priority) =>
    page.act(async () => {
      await page.api.send('PATCH', `/v1/jobs/${encodeURIComponent(j.id)}`, { priority });
      await reload();
      return `${jobTitle(j)}: ${priority} priority`;
    });
  const words = priorities.map((p) => /** @type {const} */ ([p, `${p} priority`]));
  return isOpen(j) ? select('priority', words, j.priority, prioritise, `Priority of ${jobTitle(j)}`) : null;
}
