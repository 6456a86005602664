// @ts-check
/** The log of trials: filters as chips, columns that sort, page by page. The address holds the filters, so that it can be passed on. */
import { h } from './dom.js';
import { axisWords, count, counted, knobText, when } from './format.js';
import { filterForm, filters } from './log-filters.js';
import { to } from './router.js';
import { button, chip, empty, table } from './ui.js';

/** @typedef {import('../schemas/index.ts').RecordBody} RecordBody */

/** @type {import('./page.js').View} */
export const logView = {
  pattern: 'log',
  nav: 'log',
  async open(page) {
    page.title('Log');
    await new Log(page).load();
  },
};

const pageSize = 100;

class Log {
  /** @param {import('./page.js').Page} page */
  constructor(page) {
    this.page = page;
    /** @type {readonly RecordBody[]} */
    this.items = [];
    /** @type {string | null} */
    this.next = null;
    this.ms = 0;
  }

  /** Filters of the address. */
  get wanted() {
    return [...this.page.query].filter(([k]) => k !== 'sort');
  }
  get sort() {
    return this.page.query.get('sort') ?? '-at';
  }

  /** @param {string} [cursor] */
  async load(cursor) {
    const query = new URLSearchParams(this.wanted);
    query.set('limit', String(pageSize));
    query.set('sort', this.sort);
    if (cursor !== undefined) query.set('cursor', cursor);
    const began = performance.now();
    const answer = await this.page.get(`/v1/records?${query}`);
    this.ms = performance.now() - began;
    this.items = cursor === undefined ? answer.items : [...this.items, ...answer.items];
    this.next = answer.next;
    this.show();
  }

  show() {
    this.page.show(
      h(
        'div',
        { class: 'head' },
        h('h1', null, 'Log of trials'),
        h('div', { class: 'grow' }),
        h('a', { class: 'button', href: to('sql') }, 'SQL and saved queries'),
      ),
      filterForm((name, value) => this.filter(name, value)),
      this.chips(),
      this.items.length === 0
        ? empty(
            'No trial matches.',
            this.wanted.length > 0 ? 'Take a filter away.' : 'Trials appear here as jobs measure them.',
          )
        : this.table(),
      h(
        'p',
        { class: 'foot' },
        h('span', { class: 'muted num' }, `${counted(this.items.length, 'trial')} in ${Math.round(this.ms)} ms`),
        this.next !== null &&
          button('Next page', () => void this.load(this.next ?? undefined).catch((e) => this.page.failed(e))),
        this.downloads(),
      ),
    );
  }

  chips() {
    return h(
      'ul',
      { class: 'chips', 'aria-label': 'Filters' },
      this.wanted.map(([name, value]) =>
        h(
          'li',
          { key: `${name}=${value}` },
          h(
            'button',
            {
              type: 'button',
              class: 'chip removable',
              title: 'take this filter away',
              onclick: () => this.filter(name, ''),
            },
            `${filters.find((f) => f.name === name)?.words ?? name}: ${value}`,
            h('span', { 'aria-hidden': 'true' }, ' ×'),
          ),
        ),
      ),
    );
  }

  /** @param {string} name @param {string} value  Empty: no such filter. */
  filter(name, value) {
    const query = new URLSearchParams(this.page.query);
    if (value === '') query.delete(name);
    else query.set(name, value);
    location.hash = to('log', Object.fromEntries(query));
  }

  downloads() {
    const query = new URLSearchParams(this.wanted);
    const link = (/** @type {string} */ format) =>
      h(
        'a',
        {
          class: 'button quiet',
          'data-download': `trials.${format}`,
          href: `/v1/records?${new URLSearchParams([...query, ['format', format], ['limit', '1000']])}`,
        },
        format.toUpperCase(),
      );
    return h('span', { class: 'buttons' }, h('span', { class: 'muted' }, 'First 1000 as'), link('csv'), link('jsonl'));
  }

  /** @param {string} name What is sorted by. @param {string} words */
  sorter(name, words) {
    const down = this.sort === `-${name}`;
    const mine = down || this.sort === name;
    return button(`${words} ${mine ? (down ? '↓' : '↑') : ''}`, () => this.filter('sort', down ? name : `-${name}`), {
      kind: 'quiet',
      key: name,
    });
  }

  table() {
    const rows = this.items;
    return h(
      'div',
      null,
      h(
        'div',
        { class: 'buttons' },
        h('span', { class: 'muted' }, 'Sort by'),
        this.sorter('at', 'time'),
        this.sorter('cycles', 'count'),
      ),
      table({
        label: 'Trials',
        rows,
        key: (r) => r.id,
        columns: [
          { name: 'trial', cell: (r) => h('a', { href: to('trials', r.id) }, h('code', null, r.id)) },
          { name: 'at', cell: (r) => when(r.at) },
          {
            name: 'task',
            cell: (r) =>
              h(
                'a',
                { href: to('tasks', r.task, { board: r.board, kind: r.kind, job: r.job }) },
                h('code', null, r.task),
              ),
          },
          { name: 'board', cell: (r) => r.board },
          { name: 'template', cell: (r) => r.template },
          { name: 'knobs', cell: knobs },
          { name: 'outcome', cell: outcome },
          { name: 'count', as: 'right', cell: (r) => count(r.cycles) },
          { name: 'of', cell: (r) => h('span', { class: 'muted' }, axisWords(r.kind)) },
          { name: 'policy', cell: (r) => r.policy },
          { name: 'device', cell: (r) => r.device ?? '' },
        ],
      }),
    );
  }
}

/** @param {RecordBody} r */
function outcome(r) {
  if (r.doubt) return chip('in doubt', 'warn');
  if (r.status === 'failed') return h('span', { title: r.detail ?? '' }, chip(`${r.stage}: ${r.code}`, 'bad'));
  return r.reusedFrom ? chip('as before') : chip('ok', 'ok');
}

/** In one line, whole where the pointer is. @param {RecordBody} r */
function knobs(r) {
  const text = knobText(r);
  return h('span', { class: 'muted ellipsis', title: text }, text);
}
