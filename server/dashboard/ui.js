// @ts-check
/** Parts that several views are made of. Each is a function from data to elements; none keeps anything. */
import { Problem } from './api.js';
import { h } from './dom.js';
import { percent } from './format.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * @param {string} label
 * @param {(event: MouseEvent) => void} onclick
 * @param {{ kind?: 'danger' | 'quiet', title?: string, key?: string }} [o]
 */
export const button = (label, onclick, o = {}) =>
  h(
    'button',
    {
      type: 'button',
      class: `button ${o.kind ?? ''}`,
      onclick,
      title: o.title,
      key: o.key,
    },
    label,
  );

/** @param {string} text @param {string} [tone] ok, warn, bad, busy, or nothing */
export const chip = (text, tone = '') => h('span', { class: `chip ${tone}` }, text);

/** A number worth a glance. @param {string} label @param {Child} value @param {Child} [note] */
export const stat = (label, value, note) =>
  h(
    'div',
    { class: 'stat' },
    h('dt', null, label),
    h('dd', null, h('span', { class: 'stat-value num' }, value), note ? h('span', { class: 'muted' }, note) : null),
  );

/** @param {...Child} items */
export const stats = (...items) => h('dl', { class: 'stats' }, items);

/** A place where something will be. @param {string} title @param {Child} text @param {...Child} actions */
export const empty = (title, text, ...actions) =>
  h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), h('p', { class: 'muted' }, text), actions);

/** @param {unknown} error @param {(() => void)} [again] */
export function problem(error, again) {
  const [code, detail] = error instanceof Problem ? [error.code, error.message] : ['', String(error)];
  return h(
    'div',
    { class: 'problem', role: 'alert' },
    h('p', null, detail),
    code && h('p', { class: 'muted mono' }, code),
    again && button('Try again', again),
  );
}

/** A part that the daemon does not serve. @param {string} what */
export const absent = (what) => h('p', { class: 'muted' }, `This daemon does not serve ${what}.`);

/** @param {string} title @param {...Child} children */
export const section = (title, ...children) =>
  h('section', { class: 'section', key: title }, h('h2', null, title), children);

/** @param {number} done @param {number} whole @param {string} label */
export const progressBar = (done, whole, label) =>
  h(
    'div',
    {
      class: 'progress',
      role: 'progressbar',
      'aria-label': label,
      'aria-valuemin': 0,
      'aria-valuemax': whole,
      'aria-valuenow': Math.min(done, whole),
    },
    h('span', { style: { width: `${whole > 0 ? Math.min(100, (100 * done) / whole) : 0}%` } }),
  );

/** A share of something, as a number and a short bar. @param {number | null | undefined} part @param {number} whole @param {'wide'} [width] */
export const share = (part, whole, width) =>
  h(
    'span',
    { class: 'share' },
    h('span', { class: `share-bar ${width ?? ''}`, style: { '--share': String(whole > 0 ? (part ?? 0) / whole : 0) } }),
    h('span', { class: 'num' }, percent(part, whole)),
  );

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} name
 * @property {(row: Row) => Child} cell
 * @property {(row: Row) => number | string | null | undefined} [by]  What it is sorted by; without it, it is not.
 * @property {'right' | 'wide'} [as]  A number; or a text that may wrap.
 */
/** @typedef {{ column: string, down: boolean }} Sorting */

/**
 * A table, sortable by its header where `sort` is given. Scrolls to the side by itself where the screen is narrow.
 * @template Row
 * @param {object} o
 * @param {string} o.label
 * @param {readonly Column<Row>[]} o.columns
 * @param {readonly Row[]} o.rows
 * @param {(row: Row) => string} [o.key]
 * @param {Sorting | undefined} [o.sorting]
 * @param {(next: Sorting) => void} [o.onSort]
 * @param {'narrow'} [o.width]  Where two short columns would drift apart.
 * @param {Row} [o.foot]  A last row that is not sorted: the whole.
 */
export function table(o) {
  const rows = o.sorting === undefined ? o.rows : sorted(o.rows, o.columns, o.sorting);
  return h(
    'div',
    { class: `scroll ${o.width ?? ''}`, tabindex: 0, role: 'region', 'aria-label': o.label },
    h(
      'table',
      null,
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          o.columns.map((c) => header(c, o.sorting, o.onSort)),
        ),
      ),
      h(
        'tbody',
        null,
        rows.map((r, i) =>
          h(
            'tr',
            { 'data-row': true, key: o.key?.(r) ?? String(i) },
            o.columns.map((c) => cell(c, r)),
          ),
        ),
      ),
      o.foot === undefined
        ? null
        : h(
            'tfoot',
            null,
            h(
              'tr',
              null,
              o.columns.map((c) => cell(c, /** @type {Row} */ (o.foot))),
            ),
          ),
    ),
  );
}

/** @template Row @param {Column<Row>} c @param {Row} row */
const cell = (c, row) => h('td', { class: c.as === 'right' ? 'num right' : (c.as ?? '') }, c.cell(row));

/**
 * @template Row
 * @param {Column<Row>} c
 * @param {Sorting | undefined} sorting
 * @param {((next: Sorting) => void) | undefined} onSort
 */
function header(c, sorting, onSort) {
  const right = c.as === 'right' ? 'right' : '';
  if (c.by === undefined || onSort === undefined) return h('th', { scope: 'col', class: right }, c.name);
  const mine = sorting?.column === c.name;
  const down = mine ? !sorting.down : c.as === 'right';
  return h(
    'th',
    { scope: 'col', class: right, 'aria-sort': mine ? (sorting.down ? 'descending' : 'ascending') : 'none' },
    h(
      'button',
      { type: 'button', class: 'sort', onclick: () => onSort({ column: c.name, down }) },
      c.name,
      h('span', { 'aria-hidden': 'true', class: 'arrow' }, mine ? (sorting.down ? '↓' : '↑') : ''),
    ),
  );
}

/**
 * @template Row
 * @param {readonly Row[]} rows
 * @param {readonly Column<Row>[]} columns
 * @param {Sorting} sorting
 */
function sorted(rows, columns, sorting) {
  const by = columns.find((c) => c.name === sorting.column)?.by;
  if (by === undefined) return rows;
  const turn = sorting.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    // What is not there comes last, whichever way.
    if (x === null || x === undefined) return y === null || y === undefined ? 0 : 1;
    if (y === null || y === undefined) return -1;
    return turn * (typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y)));
  });
}

/** @param {string} label @param {Child} control @param {string} [hint] */
export const field = (label, control, hint) =>
  h(
    'label',
    { class: 'field' },
    h('span', { class: 'field-label' }, label),
    control,
    hint ? h('span', { class: 'muted hint' }, hint) : null,
  );

/**
 * A field by which a list is filtered as somebody types.
 * @param {string} what
 * @param {string} by  Examples of what it looks at.
 * @param {(text: string) => void} onText
 */
export const filterField = (what, by, onText) =>
  h('input', {
    type: 'search',
    class: 'search',
    placeholder: `Filter: ${by}…`,
    'aria-label': `Filter ${what}`,
    'data-search': true,
    oninput: (/** @type {InputEvent} */ e) => onText(/** @type {HTMLInputElement} */ (e.target).value),
  });

/** Whether all words of a filter occur in a text. @param {string} filter @param {string} text */
export const matches = (filter, text) =>
  filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.toLowerCase().includes(word));

/**
 * @param {string} name
 * @param {readonly (readonly [string, string])[]} options  Value and words.
 * @param {string} value
 * @param {((value: string) => void)} [onchange]
 * @param {string} [label]
 */
export const select = (name, options, value, onchange, label) =>
  h(
    'select',
    {
      name,
      'aria-label': label,
      onchange: onchange && ((/** @type {Event} */ e) => onchange(/** @type {HTMLSelectElement} */ (e.target).value)),
    },
    options.map(([v, words]) => h('option', { value: v, selected: v === value, key: v }, words)),
  );
