// @ts-check
/** One task on one board: all its trials, what each knob does, what the cost model makes of it, and the code that won. */
import { codeParts } from './code.js';
import { h } from './dom.js';
import { count, kindWords, knobText, percent, short, speedUp, unit, when } from './format.js';
import { knobsPart } from './knobs.js';
import { modelPart } from './model-part.js';
import { to } from './router.js';
import { scatterChart } from './scatter.js';
import { absent, empty, section, select, stat, stats, table } from './ui.js';

/** @typedef {import('./page.js').Page} Page */
/** @typedef {import('../schemas/index.ts').RecordBody} RecordBody */

/** @type {import('./page.js').View} */
export const taskView = {
  pattern: 'tasks/:id',
  nav: 'jobs',
  async open(page) {
    await new TaskView(page, page.params.id ?? '').load();
  },
};

/** Trials that the slices are drawn from: the latest. */
const sliceTrials = 1000;

class TaskView {
  /** @param {Page} page @param {string} id */
  constructor(page, id) {
    this.page = page;
    this.id = id;
    /** @type {any} */
    this.task = undefined;
    this.board = page.query.get('board') ?? '';
    this.kind = page.query.get('kind') ?? '';
    this.job = page.query.get('job') ?? '';
    /** What was read, by its name; absent: not yet; undefined: not there. @type {Map<string, any>} */
    this.parts = new Map();
  }

  /** Where one task is asked for on one board, in counts of one kind. */
  get where() {
    return new URLSearchParams({ task: this.id, board: this.board, kind: this.kind });
  }

  async load() {
    this.page.title(`Task ${this.id}`);
    const path = encodeURIComponent(this.id);
    this.task = await this.page.find(`/v1/tasks/${path}`);
    this.board ||= this.task?.best?.board ?? this.task?.bests?.[0]?.board ?? '';
    this.kind ||=
      this.task?.best?.kind ?? this.task?.bests?.find((/** @type {any} */ b) => b.board === this.board)?.kind ?? '';
    if (this.task === undefined || this.board === '') {
      const why = this.task === undefined ? `There is no task ${this.id}.` : `${this.id} has no trial.`;
      return this.page.show(h('h1', null, 'Task'), empty('Nothing was measured of it.', why));
    }
    const { page, where } = this;
    const only = new URLSearchParams({ board: this.board, kind: this.kind });
    await Promise.all([
      this.part('best', page.get(`/v1/records/best?${where}&limit=10`)).then(() => this.winner()),
      this.part('scatter', page.find(`/v1/stats/scatter?${where}`)),
      this.part('sums', page.find(`/v1/stats/best?${where}`)),
      this.part('knobs', page.find(`/v1/stats/knobs?${where}`)),
      this.part('latest', page.get(`/v1/records?${where}&limit=${sliceTrials}&sort=-at`)),
      this.part('model', page.find(`/v1/tasks/${path}/model?${only}`)),
    ]);
  }

  /** Of the fastest trial, everything: made again, which takes a while. */
  async winner() {
    const [best] = /** @type {readonly RecordBody[]} */ (this.parts.get('best')?.items ?? []);
    if (best !== undefined) await this.part('trial', this.page.find(`/v1/trials/${encodeURIComponent(best.id)}`));
  }

  /** @param {string} name @param {Promise<any>} coming */
  async part(name, coming) {
    const answer = await coming.catch((error) => ({ error }));
    this.parts.set(name, answer);
    this.show();
  }

  show() {
    const best = /** @type {readonly RecordBody[]} */ (this.parts.get('best')?.items ?? []);
    this.page.show(
      this.head(best[0]),
      this.numbers(best),
      section('All trials', this.scatter()),
      section(
        'Best schedules',
        best.length === 0 ? h('p', { class: 'muted' }, 'None succeeded yet.') : this.bestTable(best),
      ),
      section(
        'Knob by knob',
        this.whenThere('knobs', (k) => knobsPart(k.items, this.parts.get('latest')?.items ?? [], this.kind)),
      ),
      section(
        'What the cost model makes of it',
        this.whenThere('model', (m) => modelPart(m, this.kind)),
      ),
      section(
        'The code that won',
        this.whenThere('trial', (t) => codeParts(t)),
      ),
    );
  }

  /** @param {string} name @param {(value: any) => import('./ui.js').Child} view */
  whenThere(name, view) {
    if (!this.parts.has(name))
      return h(
        'p',
        { class: 'muted' },
        name === 'trial' && !this.parts.get('best')?.items?.length ? 'No schedule has won yet.' : 'Loading…',
      );
    const value = this.parts.get(name);
    if (value === undefined) return absent('this');
    return value.error ? h('p', { class: 'muted' }, `It could not be read: ${value.error.message}`) : view(value);
  }

  /** @param {RecordBody | undefined} winner */
  head(winner) {
    const workload = readWorkload(winner?.workload);
    const op = this.task?.op ?? workload?.op ?? 'Task';
    const shape = this.task?.shape ?? workload?.shape ?? '';
    return h(
      'div',
      null,
      h(
        'p',
        { class: 'crumbs' },
        h('a', { href: to('') }, 'Jobs'),
        this.job && [' / ', h('a', { href: to('jobs', this.job) }, h('code', null, this.job))],
        ' / task ',
        h('code', null, this.id),
      ),
      h(
        'div',
        { class: 'head' },
        h('h1', null, op),
        h('span', { class: 'shape num' }, shape),
        h('div', { class: 'grow' }),
        this.boards(),
      ),
      this.task?.networks?.length > 0 &&
        h('p', { class: 'muted' }, 'In ', this.task.networks.map((/** @type {any} */ n) => n.name).join(', ')),
    );
  }

  boards() {
    const known = /** @type {readonly any[]} */ (this.task?.bests ?? []).map((b) => `${b.board} ${b.kind}`);
    const all = [...new Set([`${this.board} ${this.kind}`, ...known])];
    return select(
      'where',
      all.map((w) => /** @type {const} */ ([w, `${w.split(' ')[0]}: ${kindWords(w.split(' ')[1] ?? '')}`])),
      `${this.board} ${this.kind}`,
      (w) => {
        const [board = '', kind = ''] = w.split(' ');
        location.hash = to('tasks', this.id, { board, kind, job: this.job });
      },
      'Board and kind of counts',
    );
  }

  /** @param {readonly RecordBody[]} best */
  numbers(best) {
    // As everywhere: what took a measurement over is no trial of its own.
    const { trials, failed, default: usual } = this.parts.get('sums')?.items?.[0] ?? {};
    return stats(
      stat('best', short(best[0]?.cycles), kindWords(this.kind)),
      stat('default', short(usual), unit(this.kind)),
      stat('speed-up', speedUp(usual, best[0]?.cycles)),
      stat('trials', count(trials), `${percent(failed, trials)} failed`),
      this.task?.macs && best[0]?.cycles
        ? stat('per MAC', (best[0].cycles / this.task.macs).toFixed(2), unit(this.kind))
        : null,
    );
  }

  scatter() {
    const latest = this.parts.get('latest')?.items;
    const items =
      this.parts.get('scatter')?.items ??
      latest
        ?.map((/** @type {RecordBody} */ r) => ({ ...r, record: r.id }))
        .sort((/** @type {RecordBody} */ a, /** @type {RecordBody} */ b) => (a.id < b.id ? -1 : 1));
    if (items === undefined) return h('p', { class: 'muted' }, 'Loading…');
    return items.length === 0
      ? h('p', { class: 'muted' }, 'No trial yet.')
      : scatterChart(items, this.kind, (id) => {
          location.hash = to('trials', id);
        });
  }

  /** @param {readonly RecordBody[]} best */
  bestTable(best) {
    return table({
      label: 'Best schedules, one for each binary',
      rows: best,
      key: (r) => r.id,
      columns: [
        { name: 'trial', cell: (r) => h('a', { href: to('trials', r.id) }, h('code', null, r.id)) },
        { name: unit(this.kind), as: 'right', cell: (r) => count(r.cycles) },
        {
          name: 'over the best',
          as: 'right',
          cell: (r) => `${((r.cycles ?? 0) / (best[0]?.cycles || 1)).toFixed(3)}×`,
        },
        { name: 'template', cell: (r) => r.template },
        { name: 'knobs', as: 'wide', cell: (r) => h('span', { class: 'muted' }, knobText(r)) },
        { name: 'policy', cell: (r) => r.policy },
        { name: 'measured', as: 'right', cell: (r) => when(r.at) },
      ],
    });
  }
}

/** A task's key says what it computes. @param {string | undefined} text */
function readWorkload(text) {
  if (text === undefined) return undefined;
  const { op, inputs = [], outputs = [] } = JSON.parse(text);
  const shapes = (/** @type {any[]} */ of) => of.map((t) => t.shape.join('x')).join(', ');
  return { op, shape: `${shapes(inputs)} -> ${shapes(outputs)}` };
}
