// @ts-check
/** Everything about one trial: what was tried, what came of it, the code, where its time went; and a button to measure it again. */
import { codeParts, stageTimes } from './code.js';
import { h } from './dom.js';
import { bytes, count, kindWords, plain, unit, when } from './format.js';
import { to } from './router.js';
import { button, chip, section, stat, stats, table } from './ui.js';

/** @typedef {import('../schemas/index.ts').RecordBody} RecordBody */

/** @type {import('./page.js').View} */
export const trialView = {
  pattern: 'trials/:id',
  nav: 'log',
  async open(page) {
    const id = page.params.id ?? '';
    page.title(`Trial ${id}`);
    /** @type {import('../schemas/index.ts').TrialBody} */
    const trial = await page.get(`/v1/trials/${encodeURIComponent(id)}`);
    /** @type {import('../schemas/index.ts').ReplayBody | undefined} */
    let again;
    const replay = () =>
      page.act(async () => {
        page.say('Measuring it again…');
        /** @type {import('../schemas/index.ts').ReplayBody} */
        const now = await page.api.send('POST', `/v1/trials/${encodeURIComponent(id)}/replay`);
        again = now;
        show();
        return now.same ? 'It counts the same.' : 'It counts something else now.';
      });
    const show = () =>
      page.show(
        head(trial, replay),
        numbers(trial.record),
        again && replayed(again),
        failure(trial.record),
        settings(trial.record),
        section('Code', codeParts(trial)),
        section('Time by stage', stageTimes(trial.stages)),
        section('Where it was measured', place(trial)),
      );
    show();
  },
};

/** @param {import('../schemas/index.ts').TrialBody} trial @param {() => void} replay */
function head({ record: r, task }, replay) {
  return h(
    'div',
    null,
    h(
      'p',
      { class: 'crumbs' },
      h('a', { href: to('log') }, 'Log'),
      ' / ',
      h('a', { href: to('tasks', r.task, { board: r.board, kind: r.kind, job: r.job }) }, task?.op ?? 'task'),
      ' / trial',
    ),
    h(
      'div',
      { class: 'head' },
      h('h1', null, r.id),
      chip(r.status, r.status === 'ok' ? 'ok' : 'bad'),
      r.doubt && chip('in doubt', 'warn'),
      h('div', { class: 'grow' }),
      button('Measure it again', replay),
    ),
    h(
      'p',
      { class: 'muted' },
      `${task?.op ?? ''} ${task?.shape ?? ''} on ${r.board}, ${when(r.at)}`,
      r.job && [' · ', h('a', { href: to('jobs', r.job) }, r.job)],
    ),
    r.doubt && h('p', null, r.doubt),
  );
}

/** @param {RecordBody} r */
const numbers = (r) =>
  stats(
    stat(unit(r.kind), count(r.cycles), kindWords(r.kind)),
    stat('template', r.template, `policy ${r.policy}`),
    r.sizes && stat('code', bytes(/** @type {number} */ (r.sizes.codeBytes))),
    r.sizes && stat('constants', bytes(/** @type {number} */ (r.sizes.constBytes))),
    r.sizes && stat('scratch', bytes(/** @type {number} */ (r.sizes.scratchBytes))),
    r.reusedFrom &&
      stat('count taken from', h('a', { href: to('trials', r.reusedFrom) }, r.reusedFrom), 'an equal binary'),
  );

/** @param {import('../schemas/index.ts').ReplayBody} again */
const replayed = (again) =>
  h(
    'p',
    { role: 'status', class: 'note' },
    `Measured again: ${count(again.now)}, was ${count(again.was)}. `,
    h('a', { href: to('trials', again.record.id) }, again.record.id),
  );

/** @param {RecordBody} r */
const failure = (r) =>
  r.status === 'failed' &&
  h(
    'div',
    { class: 'problem' },
    h('p', null, r.detail ?? ''),
    h('p', { class: 'muted mono' }, `${r.stage}: ${r.code}`),
  );

/** @param {RecordBody} r */
function settings(r) {
  const knobs = Object.entries(/** @type {any} */ (r.config)?.knobs ?? {});
  return (
    knobs.length > 0 &&
    section(
      'Knobs',
      table({
        label: 'Knobs',
        width: 'narrow',
        rows: knobs,
        columns: [
          { name: 'knob', cell: ([k]) => k },
          { name: 'value', cell: ([, v]) => plain(v) },
        ],
      }),
    )
  );
}

/** @param {import('../schemas/index.ts').TrialBody} trial */
const place = ({ record: r, device }) =>
  table({
    label: 'Where it was measured',
    rows: [
      ['board', r.board],
      ['device', plain(device?.id ?? r.device) || 'none was reached'],
      ['firmware', r.firmware ?? '–'],
      ['compiler', r.toolchain],
      ['flags', r.flags],
      ['binary', r.binary ?? '–'],
      ['repeats', (r.repeats ?? []).map(count).join(', ') || '–'],
    ],
    columns: [
      { name: 'what', cell: ([k]) => k },
      { name: 'value', as: 'wide', cell: ([, v]) => h('code', null, v) },
    ],
  });
