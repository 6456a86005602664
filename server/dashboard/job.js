// @ts-check
/** One job: how far it is, its curve, where the cycles go before and after, its events, what it made. */
import { curveChart } from './curve.js';
import { h } from './dom.js';
import { axisWords, bytes, count, counted, short, span, speedUp, sumWords, unit, when } from './format.js';
import { jobButtons, priorityChoice } from './job-buttons.js';
import { layersPart, linkedLayers } from './job-layers.js';
import { randomReference, referenceWords } from './reference.js';
import { to } from './router.js';
import { empty, progressBar, section, stat, stats, table } from './ui.js';
import { isOpen, jobTitle, stateChip, stateWords, trialsText, usedShare } from './words.js';

/** @typedef {import('../schemas/index.ts').JobBody} Job */
/** @typedef {import('./page.js').Page} Page */

/** @type {import('./page.js').View} */
export const jobView = {
  pattern: 'jobs/:id',
  nav: 'jobs',
  async open(page) {
    const view = new JobView(page, page.params.id ?? '');
    await view.load();
    await view.follow();
  },
};

/** Lines of the log that are kept in sight. */
const keptLines = 200;

class JobView {
  /** @param {Page} page @param {string} id */
  constructor(page, id) {
    this.page = page;
    this.path = `/v1/jobs/${encodeURIComponent(id)}`;
    /** @type {Job | undefined} */
    this.job = undefined;
    /** @type {import('../schemas/index.ts').ModelBody | undefined} */
    this.model = undefined;
    /** @type {import('./curve.js').Curve | undefined} */
    this.curve = undefined;
    /** @type {import('./reference.js').Reference | undefined} */
    this.random = undefined;
    /** What events said of progress, where the daemon has no curves. @type {{ n: number, cycles: number }[]} */
    this.seen = [];
    /** @type {{ id: number, at: string, phase: string, message: string }[]} */
    this.lines = [];
    /** @type {import('./ui.js').Sorting | undefined} */
    this.sorting = undefined;
    /** Of the next drawing; 0: none is due. */
    this.waiting = 0;
  }

  async load() {
    this.job = /** @type {Job} */ (await this.page.get(this.path));
    this.page.title(`${jobTitle(this.job)} on ${this.job.board}`);
    this.model ??= await this.page.get(`/v1/models/${encodeURIComponent(this.job.model)}`);
    this.show();
    this.curve = await this.page.find(`/v1/stats/curve?job=${encodeURIComponent(this.job.id)}`);
    this.random = await randomReference(this.page, this.job);
    this.show();
  }

  /** News as they come, until the job ends; what they do not carry is read again now and then. */
  async follow() {
    let due = false;
    this.page.every(3000, async () => {
      if (due) await this.load();
      due = false;
    });
    for await (const event of this.page.api.events(`${this.path}/events`, 0, this.page.signal)) {
      due = event.type !== 'log';
      this.take(event);
    }
    await this.load();
  }

  /** @param {import('./api.js').ServerEvent} event */
  take({ id, type, data }) {
    const { job } = this;
    if (job === undefined) return;
    switch (type) {
      case 'progress':
        if (data.cycles.best !== null) this.seen.push({ n: data.trials.done, cycles: data.cycles.best });
        // Of a job that has ended the body says more than its last event.
        if (isOpen(job))
          this.job = {
            ...job,
            trials: data.trials,
            spentMs: data.spentMs,
            leftMs: data.leftMs,
            cycles: data.cycles,
            tasks: data.tasks,
          };
        break;
      case 'state':
        this.note(id, data.at, 'state', data.error ? `${data.state}: ${data.error.detail}` : data.state);
        if (isOpen(job)) this.job = { ...job, state: data.state };
        break;
      case 'priority':
        this.note(id, data.at, 'priority', data.priority);
        if (isOpen(job)) this.job = { ...job, priority: data.priority };
        break;
      case 'log':
        this.note(id, data.at, data.phase, data.message);
        break;
    }
    this.showSoon();
  }

  /** @param {number} id @param {string} at @param {string} phase @param {string} message */
  note(id, at, phase, message) {
    this.lines = [{ id, at, phase, message }, ...this.lines].slice(0, keptLines);
  }

  /** Old events come by the thousand: they are shown together. */
  showSoon() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.show();
    });
  }

  show() {
    const { job: j, model } = this;
    if (j === undefined || model === undefined) return;
    this.page.show(
      this.head(j),
      j.error &&
        h(
          'div',
          { class: 'problem', role: 'alert' },
          h('p', null, j.error.detail),
          h('p', { class: 'muted mono' }, `${j.error.stage}: ${j.error.code}`),
        ),
      isOpen(j) && progressBar(Math.round(usedShare(j) * 1000), 1000, 'Used of the budget'),
      this.numbers(j),
      this.curvePart(j),
      section(
        'Layers',
        layersPart(linkedLayers(j, model), j, this.sorting, (s) => {
          this.sorting = s;
          this.show();
        }),
        typeof j.report?.cycles === 'number' &&
          h(
            'p',
            { class: 'muted hint' },
            `Timed one by one in the finished network, which takes ${count(j.report.cycles)} as a whole.`,
          ),
      ),
      made(j),
      this.events(),
    );
  }

  /** @param {Job} j */
  head(j) {
    return h(
      'div',
      null,
      h('p', { class: 'crumbs' }, h('a', { href: to('') }, 'Jobs'), ' / ', h('code', null, j.id)),
      h(
        'div',
        { class: 'head' },
        h('h1', null, jobTitle(j)),
        stateChip(j),
        h('div', { class: 'grow' }),
        priorityChoice(this.page, j, () => this.load()),
        jobButtons(this.page, j, () => this.load()),
      ),
      h(
        'p',
        { class: 'muted', 'aria-live': 'polite' },
        `${j.board} · ${j.policy} policy, seed ${j.seed} · `,
        stateWords(j),
        j.window ? ` · window ${j.window}` : '',
      ),
      j.group
        ? h(
            'p',
            { class: 'muted' },
            'Of a group: ',
            h('a', { href: to('compare', { group: j.group }) }, 'compare its boards'),
          )
        : null,
    );
  }

  /** @param {Job} j */
  numbers(j) {
    const done = /** @type {any} */ (j.report);
    return stats(
      stat('best', short(j.cycles.best), axisWords(j.kind)),
      stat('default', short(j.cycles.default), unit(j.kind)),
      stat('speed-up', speedUp(j.cycles.default, j.cycles.best)),
      stat('trials', trialsText(j), `${j.trials.failed} failed`),
      stat('time', span(j.spentMs), j.leftMs === null ? '' : `${span(j.leftMs)} left`),
      done && stat('flash', bytes(done.flashBytes)),
      done && stat('RAM', bytes(done.ramBytes), `${bytes(done.arenaBytes)} of it arena`),
    );
  }

  /** @param {Job} j */
  curvePart(j) {
    const curve = this.curve?.points.length
      ? this.curve
      : { kind: j.kind, default: j.cycles.default, points: this.seen };
    const about = ['Sums over the layers of the network, once each was measured.', referenceWords(this.random)].join(
      ' ',
    );
    return section(
      'Progress',
      curve.points.length > 1
        ? curveChart(curve, { random: this.random?.cycles })
        : empty('No curve yet.', 'It begins when every layer was measured once.'),
      h('p', { class: 'muted hint' }, about),
    );
  }

  events() {
    return section(
      'Events',
      this.lines.length === 0
        ? h('p', { class: 'muted' }, 'Nothing was said yet.')
        : h(
            'div',
            { class: 'events', tabindex: 0, role: 'log', 'aria-label': 'Events, newest first', 'aria-live': 'off' },
            h('ol', null, this.lines.map(eventLine)),
          ),
    );
  }
}

/** @param {JobView['lines'][number]} l */
const eventLine = (l) =>
  h(
    'li',
    { key: l.id },
    h('time', { datetime: l.at, class: 'num muted' }, when(l.at)),
    h('span', { class: 'phase' }, l.phase),
    h('span', null, l.message),
  );

/** What the job made. @param {Job} j */
function made(j) {
  const report = /** @type {any} */ (j.report);
  if (report === null || report === undefined) return null;
  return section(
    'Result',
    h(
      'p',
      null,
      `The firmware's outputs equal the model's, bit for bit, on ${counted(report.verifiedInputs, 'input')}.`,
    ),
    h(
      'div',
      { class: 'buttons' },
      download(j, 'artifact', `${j.id}.tar.gz`, 'C library and firmware (.tar.gz)'),
      download(j, 'report.html', `${j.id}.html`, 'Report (one file)'),
    ),
    trades('What flash buys', report.trades?.flash, report.kind),
    trades('What RAM buys', report.trades?.ram, report.kind),
    report.trades && h('p', { class: 'muted hint' }, sumWords(report.cycles, report.kind)),
  );
}

/** A link that the browser follows by itself; with a token the page fetches it. @param {Job} j @param {string} what @param {string} name @param {string} words */
const download = (j, what, name, words) =>
  h('a', { class: 'button', 'data-download': name, href: `/v1/jobs/${encodeURIComponent(j.id)}/${what}` }, words);

/** @param {string} title @param {readonly any[] | undefined} rows @param {string} kind */
const trades = (title, rows, kind) =>
  rows === undefined || rows.length < 2
    ? null
    : h(
        'div',
        null,
        h('h3', null, title),
        table({
          label: title,
          rows,
          columns: [
            { name: unit(kind), as: 'right', cell: (t) => count(t.cycles) },
            {
              name: 'over the fastest',
              as: 'right',
              cell: (t) => (t.relative === null ? '–' : `${t.relative.toFixed(2)}×`),
            },
            { name: 'flash', as: 'right', cell: (t) => bytes(t.flashBytes) },
            { name: 'RAM', as: 'right', cell: (t) => bytes(t.ramBytes) },
            { name: 'of it arena', as: 'right', cell: (t) => bytes(t.arenaBytes) },
          ],
        }),
      );
