// @ts-check
/** All jobs: those under way as they go, with their curves; the ended ones as a table. */
import { curveChart } from './curve.js';
import { h } from './dom.js';
import { kindWords, short, speedUp, unit, when } from './format.js';
import { jobButtons } from './job-buttons.js';
import { to } from './router.js';
import { button, empty, filterField, matches, progressBar, section, stat, stats, table } from './ui.js';
import { isOpen, jobTitle, stateChip, stateWords, trialsText, trialsWords, usedShare } from './words.js';

/** @typedef {import('../schemas/index.ts').JobSummary} JobRow */
/** @typedef {import('./page.js').Page} Page */

/** @type {import('./page.js').View} */
export const jobsView = {
  pattern: '',
  nav: 'jobs',
  async open(page) {
    page.title('Jobs');
    const list = new Jobs(page);
    await list.load();
    page.every(1500, () => list.load());
  },
};

/** Ended jobs that are shown at first. */
const pageSize = 50;

class Jobs {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    /** @type {readonly JobRow[]} */
    this.items = [];
    this.limit = pageSize;
    this.more = false;
    this.text = '';
    /** Curves by job, with the number of trials that they were read at. @type {Map<string, { at: number, curve: import('./curve.js').Curve }>} */
    this.curves = new Map();
    /** @type {import('./ui.js').Sorting} */
    this.sorting = { column: 'created', down: true };
  }

  async load() {
    const { items, next } = await this.page.get(`/v1/jobs?limit=${this.limit}`);
    this.items = items;
    this.more = Boolean(next);
    this.show();
    await Promise.all(this.items.filter((j) => j.state === 'running').map((j) => this.loadCurve(j)));
  }

  /** @param {JobRow} j */
  async loadCurve(j) {
    if (this.curves.get(j.id)?.at === j.trials.done || j.trials.done === 0) return;
    const curve = await this.page.find(`/v1/stats/curve?job=${encodeURIComponent(j.id)}`);
    if (curve === undefined) return;
    this.curves.set(j.id, { at: j.trials.done, curve });
    this.show();
  }

  show() {
    const { page } = this;
    if (this.items.length === 0) return page.show(h('h1', null, 'Jobs'), nothing());
    const wanted = this.items.filter((j) => matches(this.text, textOf(j)));
    const open = wanted.filter(isOpen);
    const ended = wanted.filter((j) => !isOpen(j));
    page.show(
      h('div', { class: 'head' }, h('h1', null, 'Jobs'), this.search()),
      section(
        'Under way',
        open.length === 0
          ? h('p', { class: 'muted' }, 'No job is under way.')
          : h(
              'div',
              { class: 'cards' },
              open.map((j) => this.card(j)),
            ),
      ),
      ended.length > 0 && section('Ended', this.table(ended)),
      wanted.length === 0 && h('p', { class: 'muted' }, `No job matches "${this.text}".`),
      this.more && button('Show more', () => this.showMore()),
    );
  }

  search() {
    return filterField('jobs', 'model, board, state', (text) => {
      this.text = text;
      this.show();
    });
  }

  showMore() {
    this.limit = Math.min(1000, this.limit * 2);
    void this.load().catch((error) => this.page.failed(error));
  }

  /** @param {JobRow} j */
  card(j) {
    const curve = this.curves.get(j.id)?.curve;
    return h(
      'article',
      { class: 'card', key: j.id, 'data-row': true, 'aria-label': `${jobTitle(j)} on ${j.board}` },
      h('div', { class: 'card-head' }, h('h3', null, h('a', { href: to('jobs', j.id) }, jobTitle(j))), stateChip(j)),
      h(
        'p',
        { class: 'muted' },
        `${j.board} · ${j.policy}${j.priority === 'normal' ? '' : ` · ${j.priority} priority`}`,
      ),
      progressBar(Math.round(usedShare(j) * 1000), 1000, `Used of the budget of ${jobTitle(j)}`),
      h(
        'p',
        { class: 'card-state' },
        h('span', null, stateWords(j)),
        h('span', { class: 'num muted' }, trialsWords(j)),
      ),
      stats(
        stat('best', short(j.cycles.best), unit(j.kind)),
        stat('default', short(j.cycles.default), unit(j.kind)),
        stat('speed-up', speedUp(j.cycles.default, j.cycles.best)),
      ),
      curve && curve.points.length > 1 ? curveChart(curve, { height: 170 }) : null,
      jobButtons(this.page, j, () => this.load()),
    );
  }

  /** @param {readonly JobRow[]} rows */
  table(rows) {
    return table({
      label: 'Ended jobs',
      rows,
      key: (j) => j.id,
      sorting: this.sorting,
      onSort: (next) => {
        this.sorting = next;
        this.show();
      },
      columns: [
        { name: 'job', cell: (j) => h('a', { href: to('jobs', j.id) }, jobTitle(j)), by: jobTitle },
        { name: 'state', cell: (j) => stateChip(j), by: (j) => j.state },
        { name: 'board', cell: (j) => j.board, by: (j) => j.board },
        { name: 'policy', cell: (j) => j.policy, by: (j) => j.policy },
        { name: 'trials', as: 'right', cell: (j) => trialsText(j), by: (j) => j.trials.done },
        { name: 'default', as: 'right', cell: (j) => short(j.cycles.default), by: (j) => j.cycles.default },
        { name: 'best', as: 'right', cell: (j) => short(j.cycles.best), by: (j) => j.cycles.best },
        {
          name: 'speed-up',
          as: 'right',
          cell: (j) => speedUp(j.cycles.default, j.cycles.best),
          by: (j) => (j.cycles.default ?? 0) / (j.cycles.best || 1),
        },
        { name: 'counts', cell: (j) => h('span', { class: 'muted' }, kindWords(j.kind)), by: (j) => j.kind },
        { name: 'created', as: 'right', cell: (j) => when(j.createdAt), by: (j) => j.createdAt },
        { name: 'id', cell: (j) => h('code', { class: 'muted' }, j.id), by: (j) => j.id },
      ],
    });
  }
}

/** What a filter looks at. @param {JobRow} j */
const textOf = (j) => [j.id, j.name, j.modelName, j.board, j.kind, j.state, j.policy, j.group].join(' ');

const nothing = () =>
  empty(
    'No job yet.',
    'Drop a model (.tflite, int8) anywhere on this page, take a board, and start.',
    h('p', null, h('a', { class: 'button primary', href: to('new') }, 'New job')),
  );
