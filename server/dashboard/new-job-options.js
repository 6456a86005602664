// @ts-check
/** The folded part of a new job: everything that has a sensible default. */
import { h } from './dom.js';
import { field, select } from './ui.js';
import { endless } from './words.js';

/** @typedef {import('../schemas/index.ts').ModelBody} Model */

/** @param {{ model: Model, clone: import('../schemas/index.ts').JobBody | undefined }} known */
export function optionFields({ model, clone }) {
  const input = (/** @type {string} */ name, /** @type {Record<string, unknown>} */ more = {}) =>
    h('input', { name, ...more });
  const number = (
    /** @type {string} */ name,
    /** @type {unknown} */ value,
    /** @type {Record<string, unknown>} */ more = {},
  ) => input(name, { type: 'number', min: 1, step: 1, inputmode: 'numeric', value: value ?? '', ...more });
  const budget = clone === undefined || clone.trials.budget >= endless ? undefined : clone.trials.budget;
  return h(
    'details',
    { class: 'options' },
    h('summary', null, 'Options: budget, window, priority, policy, memory, layers'),
    h(
      'div',
      { class: 'fields' },
      field('Trials', number('trials', budget, { placeholder: '400' })),
      field(
        'Time',
        input('time', {
          placeholder: '8h',
          pattern: '\\d+(\\.\\d+)?[smh]?',
          value: clone?.timeMs ? `${Math.round(clone.timeMs / 1000)}s` : '',
        }),
        '90s, 30m, 8h',
      ),
      field(
        'Until no task improves by',
        number('untilPercent', clone?.until?.percent, { placeholder: '1', step: 'any', min: 0 }),
        'percent …',
      ),
      field('… in so many trials', number('untilTrials', clone?.until?.trials, { placeholder: '200' })),
      field(
        'Daily window',
        input('window', { placeholder: '20:00-07:00 Europe/Berlin', value: clone?.window ?? '' }),
        'tunes only between these hours',
      ),
      field(
        'Priority',
        select(
          'priority',
          [
            ['low', 'low'],
            ['normal', 'normal'],
            ['high', 'high'],
          ],
          clone?.priority ?? 'normal',
        ),
      ),
      field(
        'Policy',
        select(
          'policy',
          [
            ['', 'as usual'],
            ['guided', 'guided by a cost model'],
            ['random', 'random'],
            ['grid', 'grid'],
          ],
          clone?.policy ?? '',
        ),
      ),
      field('Seed', number('seed', clone?.seed, { min: 0, placeholder: '0' })),
      field('RAM, bytes', number('ramBytes', clone?.budgets.ramBytes, { placeholder: "the board's" })),
      field('Flash, bytes', number('flashBytes', clone?.budgets.flashBytes, { placeholder: "the board's" })),
      field('Name', input('name', { maxlength: 100, placeholder: 'a label of yours', value: clone?.name ?? '' })),
    ),
    h(
      'fieldset',
      { class: 'tasks' },
      h('legend', null, 'Layers to tune (none taken: all)'),
      model.tasks.map((t) =>
        h(
          'label',
          { class: 'check', key: t.id },
          h('input', { type: 'checkbox', name: 'tasks', value: t.id }),
          h(
            'span',
            null,
            `${t.op} ${t.inputs.map((s) => s.join('×')).join(', ')} → ${t.outputs.map((s) => s.join('×')).join(', ')}${t.occurrences > 1 ? `, ${t.occurrences} times` : ''}`,
          ),
        ),
      ),
    ),
  );
}

/**
 * What is asked for: only what somebody filled in, so that the daemon's defaults hold for the rest.
 * @param {FormData} form
 * @param {string} model
 * @returns {Record<string, unknown>}
 */
export function requestOf(form, model) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? '').trim();
  const number = (/** @type {string} */ name) => (text(name) === '' ? undefined : Number(text(name)));
  const boards = form.getAll('board').map(String);
  const tasks = form.getAll('tasks').map(String);
  const budgets = defined({ ramBytes: number('ramBytes'), flashBytes: number('flashBytes') });
  const until = defined({ percent: number('untilPercent'), trials: number('untilTrials') });
  const words = (/** @type {string} */ name) => text(name) || undefined;
  return defined({
    model,
    ...(boards.length === 1 ? { board: boards[0] } : { boards }),
    trials: number('trials'),
    time: words('time'),
    // One without the other is refused in words, not left out in silence.
    until: Object.keys(until).length === 0 ? undefined : until,
    window: words('window'),
    priority: text('priority') === 'normal' ? undefined : words('priority'),
    policy: words('policy'),
    seed: number('seed'),
    name: words('name'),
    tasks: tasks.length === 0 ? undefined : tasks,
    budgets: Object.keys(budgets).length === 0 ? undefined : budgets,
  });
}

/** @param {Record<string, unknown>} o */
const defined = (o) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined));
