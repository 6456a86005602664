// @ts-check
/** The two dialogs that any view may meet: the keys, and the token. Both are the browser's own, which keep the focus inside. */
import { h, render } from './dom.js';

const keys = [
  ['/', 'search or filter'],
  ['j, k', 'next row, row before'],
  ['Enter', 'open the row'],
  ['n', 'new job'],
  ['g then j, d, l, c', 'jobs, devices, log, compare'],
  ['t', 'light or dark'],
  ['?', 'this list'],
  ['Escape', 'close, or leave a field'],
];

/** @param {string} label @param {...import('./dom.js').Child} children */
function dialog(label, ...children) {
  const element = document.createElement('dialog');
  element.setAttribute('aria-label', label);
  render(element, ...children);
  element.addEventListener('close', () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}

export function showKeys() {
  const element = dialog(
    'Keys',
    h('h2', null, 'Keys'),
    h(
      'dl',
      { class: 'keys' },
      keys.flatMap(([key, what]) => [h('dt', null, h('kbd', null, key)), h('dd', null, what)]),
    ),
    h('button', { type: 'button', class: 'button', onclick: () => element.close() }, 'Close'),
  );
}

/**
 * Asks until something is typed: without a token there is nothing to see.
 * @param {string} why
 * @returns {Promise<string>}
 */
export function askToken(why) {
  return new Promise((given) => {
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const token = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('token')).trim();
      if (token === '') return;
      element.close();
      given(token);
    };
    const element = dialog(
      'Access token',
      h('h2', null, 'This daemon wants a token'),
      h('p', { class: 'muted' }, why),
      h(
        'form',
        { onsubmit: submit },
        h(
          'label',
          { class: 'field' },
          h('span', { class: 'field-label' }, 'Token'),
          h('input', { name: 'token', type: 'password', autocomplete: 'off', required: true }),
        ),
        h('p', { class: 'muted hint' }, 'It is kept in this tab until it is closed, and sent to this daemon only.'),
        h('button', { class: 'button primary' }, 'Use it'),
      ),
    );
    element.addEventListener('cancel', (event) => event.preventDefault());
  });
}
