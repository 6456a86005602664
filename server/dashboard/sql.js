// @ts-check
/** SQL over the log: a box, saved queries, the columns there are; the answer as a table and as CSV. */
import { Problem, save } from './api.js';
import { h } from './dom.js';
import { count, counted, plain } from './format.js';
import { to } from './router.js';
import { absent, button, problem, section, table } from './ui.js';

/** @type {import('./page.js').View} */
export const sqlView = {
  pattern: 'sql',
  nav: 'log',
  async open(page) {
    page.title('SQL');
    const view = new Sql(page);
    view.show();
    await view.load();
  },
};

const example =
  'SELECT template, count(*) AS trials, min(cycles) AS best\nFROM trials\nGROUP BY template\nORDER BY trials DESC';

class Sql {
  /** @param {import('./page.js').Page} page */
  constructor(page) {
    this.page = page;
    this.sql = page.query.get('sql') ?? example;
    /** @type {any} */
    this.schema = undefined;
    /** @type {readonly any[] | undefined} */
    this.saved = undefined;
    /** @type {any} */
    this.answer = undefined;
    /** @type {unknown} */
    this.error = undefined;
    /** @type {'ready' | 'busy'} */
    this.state = 'ready';
  }

  async load() {
    const [schema, saved] = await Promise.all([this.page.find('/v1/schema'), this.page.find('/v1/queries')]);
    this.schema = schema;
    this.saved = saved?.items;
    this.show();
    if (this.page.query.has('sql')) await this.run();
  }

  async run() {
    this.state = 'busy';
    this.error = undefined;
    this.show();
    try {
      this.answer = await this.page.api.send('POST', '/v1/query', { sql: this.sql });
      this.page.replace(to('sql', { sql: this.sql }));
    } catch (error) {
      this.answer = undefined;
      this.error =
        error instanceof Problem && error.status === 404
          ? new Problem(404, 'NOT_FOUND', 'This daemon does not serve queries.')
          : error;
    }
    this.state = 'ready';
    this.show();
  }

  show() {
    this.page.show(
      h('p', { class: 'crumbs' }, h('a', { href: to('log') }, 'Log'), ' / SQL'),
      h('h1', null, 'SQL over the log'),
      h(
        'div',
        { class: 'two sql' },
        h('div', null, this.box(), this.error !== undefined && problem(this.error), this.answer && this.rows()),
        h(
          'aside',
          { 'aria-label': 'Queries and columns' },
          section('Saved queries', this.savedList()),
          section('Columns', this.views()),
        ),
      ),
    );
  }

  box() {
    const keys = (/** @type {KeyboardEvent} */ e) => {
      if (e.key !== 'Enter' || !(e.ctrlKey || e.metaKey)) return;
      e.preventDefault();
      void this.run();
    };
    const typed = (/** @type {Event} */ e) => {
      this.sql = /** @type {HTMLTextAreaElement} */ (e.target).value;
    };
    return h(
      'form',
      {
        class: 'sql-box',
        onsubmit: (/** @type {Event} */ e) => {
          e.preventDefault();
          void this.run();
        },
      },
      h('textarea', {
        value: this.sql,
        rows: 8,
        spellcheck: 'false',
        'aria-label': 'SQL',
        'data-search': true,
        oninput: typed,
        onkeydown: keys,
      }),
      h(
        'div',
        { class: 'buttons' },
        h(
          'button',
          { class: 'button primary', disabled: this.state === 'busy' },
          this.state === 'busy' ? 'Running…' : 'Run',
        ),
        h('span', { class: 'muted' }, 'Ctrl+Enter'),
        button('Save…', () => this.save(), { kind: 'quiet' }),
        this.answer && button('CSV', () => this.csv(), { kind: 'quiet' }),
      ),
    );
  }

  rows() {
    const { columns, rows, truncated, ms } = this.answer;
    const numeric = columns.map((/** @type {unknown} */ _, /** @type {number} */ i) =>
      rows.every((/** @type {any[]} */ r) => r[i] === null || typeof r[i] === 'number'),
    );
    return section(
      'Answer',
      h(
        'p',
        { class: 'muted num', role: 'status' },
        `${counted(rows.length, 'row')} in ${Math.round(ms)} ms${truncated ? '; there are more' : ''}`,
      ),
      table({
        label: 'Answer',
        rows: /** @type {readonly any[][]} */ (rows.slice(0, 1000)),
        columns: columns.map((/** @type {{ name: string }} */ c, /** @type {number} */ i) => ({
          name: c.name,
          as: numeric[i] ? 'right' : 'wide',
          cell: (/** @type {any[]} */ r) =>
            r[i] === null
              ? h('span', { class: 'muted' }, 'null')
              : typeof r[i] === 'number' && Number.isInteger(r[i])
                ? count(r[i])
                : plain(r[i]),
        })),
      }),
    );
  }

  savedList() {
    if (this.saved === undefined) return absent('saved queries');
    if (this.saved.length === 0) return h('p', { class: 'muted' }, 'None yet.');
    const take = (/** @type {any} */ q) => () => {
      this.sql = q.sql;
      this.show();
      void this.run();
    };
    return h(
      'ul',
      { class: 'plain-list' },
      this.saved.map((q) =>
        h('li', { key: q.name }, h('button', { type: 'button', class: 'link', onclick: take(q) }, q.title || q.name)),
      ),
    );
  }

  views() {
    if (this.schema === undefined) return absent('a schema');
    return h(
      'div',
      null,
      this.schema.views.map((/** @type {any} */ v) =>
        h(
          'details',
          { key: v.name },
          h('summary', null, h('code', null, v.name)),
          h('p', { class: 'muted' }, v.about),
          h(
            'ul',
            { class: 'plain-list' },
            v.columns.map((/** @type {any} */ c) =>
              h('li', { key: c.name }, h('code', null, c.name), h('span', { class: 'muted' }, ` ${c.about}`)),
            ),
          ),
        ),
      ),
    );
  }

  save() {
    return this.page.act(async () => {
      const title = prompt('A title for this query');
      if (!title) return undefined;
      const name =
        title
          .toLowerCase()
          .replace(/[^a-z0-9]+/g, '-')
          .replace(/^-+|-+$/g, '')
          .slice(0, 60) || 'query';
      await this.page.api.send('PUT', `/v1/queries/${name}`, { title, sql: this.sql });
      this.saved = (await this.page.find('/v1/queries'))?.items;
      this.show();
      return `Saved as ${name}.`;
    });
  }

  csv() {
    const { columns, rows } = this.answer;
    const text = [columns.map((/** @type {any} */ c) => c.name), ...rows]
      .map((r) => r.map(csvCell).join(','))
      .join('\r\n');
    save(new Blob([text], { type: 'text/csv' }), 'query.csv');
  }
}

/** As spreadsheets take it; what they would take for a formula stays text. @param {unknown} value */
function csvCell(value) {
  if (typeof value === 'number') return String(value);
  const text = plain(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
