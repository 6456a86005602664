// @ts-check
/** Keys that work everywhere but where somebody types. Rows are elements with `data-row`; their first link is what opens. */
import { to } from './router.js';

/** @type {Readonly<Record<string, string>>} */
const places = { j: to(''), d: to('devices'), l: to('log'), c: to('compare') };

/** @param {{ showKeys(): void, toggleTheme(): void }} actions */
export function keyboard(actions) {
  let before = '';
  addEventListener('keydown', (e) => {
    const target = e.target instanceof HTMLElement ? e.target : document.body;
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]') !== null) return;
    if (target.matches('input, textarea, select')) {
      if (e.key === 'Escape') target.blur();
      return;
    }
    const second = before === 'g' ? places[e.key] : undefined;
    before = e.key;
    if (second !== undefined) location.hash = second;
    else if (!press(e.key, actions)) return;
    e.preventDefault();
  });
}

/** Whether the key means something. @param {string} key @param {{ showKeys(): void, toggleTheme(): void }} actions */
function press(key, actions) {
  switch (key) {
    case '/':
      return focusSearch();
    case 'j':
      return moveRow(1);
    case 'k':
      return moveRow(-1);
    case 'n':
      location.hash = to('new');
      return true;
    case 't':
      actions.toggleTheme();
      return true;
    case '?':
      actions.showKeys();
      return true;
    default:
      return false;
  }
}

function focusSearch() {
  const search = document.querySelector('[data-search]');
  if (search instanceof HTMLElement) search.focus();
  else location.hash = to('log');
  return true;
}

/** @param {1 | -1} by */
function moveRow(by) {
  const links = [...document.querySelectorAll('[data-row]')].flatMap((row) => {
    const link = row.querySelector('a');
    return link === null ? [] : [link];
  });
  const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
  const next = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
  return true;
}
