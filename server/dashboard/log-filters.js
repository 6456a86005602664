// @ts-check
/** The filters that the log knows, and the line in which one is added: `board=pico`, `knob.pixels=4`, or words of a list. */
import { h } from './dom.js';

/** @type {readonly { name: string, words: string, hint?: string }[]} */
export const filters = [
  { name: 'job', words: 'job' },
  { name: 'network', words: 'network (model id)' },
  { name: 'layer', words: 'layer' },
  { name: 'task', words: 'task' },
  { name: 'op', words: 'operator' },
  { name: 'shape', words: 'shape' },
  { name: 'board', words: 'board' },
  { name: 'kind', words: 'kind of count', hint: 'silicon, model, instructions, host' },
  { name: 'policy', words: 'policy' },
  { name: 'template', words: 'template' },
  { name: 'status', words: 'status', hint: 'ok, failed' },
  { name: 'stage', words: 'stage of failure' },
  { name: 'code', words: 'code of failure' },
  { name: 'device', words: 'device' },
  { name: 'binary', words: 'binary' },
  { name: 'toolchain', words: 'toolchain' },
  { name: 'cyclesMin', words: 'count at least' },
  { name: 'cyclesMax', words: 'count at most' },
  { name: 'since', words: 'since', hint: '2026-03-31T20:00:00Z' },
  { name: 'until', words: 'until' },
  { name: 'knob.', words: 'knob …', hint: 'name=value' },
];

/** @param {(name: string, value: string) => void} add */
export function filterForm(add) {
  const submit = (/** @type {SubmitEvent} */ e) => {
    e.preventDefault();
    const form = /** @type {HTMLFormElement} */ (e.target);
    const data = new FormData(form);
    const [name, value] = filterIn(String(data.get('name')), String(data.get('value')).trim());
    if (value === '') return;
    form.reset();
    add(name, value);
  };
  return h(
    'form',
    { class: 'filter-form', onsubmit: submit, role: 'search' },
    h(
      'select',
      { name: 'name', 'aria-label': 'Filter by' },
      filters.map((f) =>
        h(
          'option',
          { value: f.name, key: f.name, selected: f.name === 'board' },
          f.hint ? `${f.words} (${f.hint})` : f.words,
        ),
      ),
    ),
    h('input', {
      name: 'value',
      type: 'search',
      'data-search': true,
      'aria-label': 'Value of the filter',
      placeholder: 'value, or name=value',
    }),
    h('button', { class: 'button' }, 'Add filter'),
  );
}

/** What was meant: a name typed with its value goes before the one that was chosen. @param {string} name @param {string} text @returns {[string, string]} */
function filterIn(name, text) {
  const [, typed = '', value = ''] = /^([\w.]+)=(.*)$/.exec(text) ?? [];
  if (name === 'knob.') return typed === '' ? ['', ''] : [`knob.${typed.replace(/^knob\./, '')}`, value];
  const known = filters.some((f) => f.name === typed) || typed.startsWith('knob.');
  return known ? [typed, value] : [name, text];
}
